-- %(charges)s charges of yesterday and today for each account: two agents, each on its own model. Neither ledger entries
-- nor balances follow: what is measured reads rules, balances, and charges or their roll-up.
INSERT INTO usage_charge (id, account_id, event_id, request_hash, type, agent_id, model, input_tokens, output_tokens,
    retrieval_queries, seconds, answered, pages, chunks, content_sha256, rates, cost, uncollected, balance_after,
    occurred_at, recorded_at, day, api_key_id, request_id, hold_id)
SELECT uuidv7(), a.id, 'event-' || n, sha256(n::text::bytea), 'chat', a.agents[1 + n / 2 %% 2],
    (ARRAY['gpt-4o', 'gpt-4o-mini'])[1 + n / 2 %% 2], 1000, 500,
    0, 0, NULL, 0, 0, NULL, '{}', (1 + n %% 10) * 0.01, 0, 100, at, at, (at AT TIME ZONE 'UTC')::date, NULL, 'req_' || n, NULL
FROM (
    SELECT x.id, array_agg(g.id ORDER BY g.name_key) AS agents
    FROM unnest(%(accounts)s::uuid[]) x(id) JOIN usage_agent g ON g.account_id = x.id GROUP BY x.id
) a CROSS JOIN generate_series(1, %(charges)s) n CROSS JOIN LATERAL (
    SELECT date_trunc('day', %(now)s::timestamptz, 'UTC') - n %% 2 * interval '1 day' + n * interval '1 second' AS at
) d;

INSERT INTO alerts_rule (id, account_id, kind, amount, agent_id, channel, created_at, told_window, told_at, is_armed)
SELECT gen_random_uuid(), a.id, k.kind, k.amount - 0.02 + a.number %% 100 * 0.01, NULL, 'both', %(now)s, '', NULL, true
FROM unnest(%(accounts)s::uuid[]) WITH ORDINALITY a(id, number)
    CROSS JOIN (VALUES ('daily_spend', %(day)s), ('monthly_spend', %(month)s), ('balance_below', 5)) k(kind, amount);
