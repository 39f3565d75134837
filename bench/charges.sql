-- A past of %(count)s charges for one account, as usage_record would have left it: charge and ledger entry in one order,
-- strictly rising in time up to now, paid from the balance that is there. The roll-up is made from them afterwards.
CREATE TEMP TABLE past ON COMMIT DROP AS
WITH kinds AS (
    SELECT row_number() OVER (ORDER BY i.meter) - 1 AS kind, replace(i.meter, '.input', '') AS model,
        i.rate AS rate_in, o.rate AS rate_out
    FROM usage_price i JOIN usage_price o ON o.meter = replace(i.meter, '.input', '.output')
    WHERE i.meter LIKE '%%.input'
), agents AS (
    SELECT row_number() OVER (ORDER BY name_key) - 1 AS agent, id FROM usage_agent WHERE account_id = %(account)s
), events AS (
    SELECT n, 100 + n * 37 %% 3900 AS input, 50 + n * 53 %% 1450 AS output, k.model, k.rate_in, k.rate_out, a.id AS agent_id,
        clock_timestamp() - interval '1 minute' - (%(count)s - n) * (interval '%(days)s days' / %(count)s) AS at
    FROM generate_series(1, %(count)s) n
        JOIN kinds k ON k.kind = n %% 7
        JOIN agents a ON a.agent = n %% (SELECT count(*) FROM agents)
), priced AS (
    SELECT *, uuidv7(at - clock_timestamp()) AS id,
        round((input * rate_in + output * rate_out) * 0.000001, 9)::numeric(20,9) AS cost FROM events
)
SELECT *, sum(cost) OVER (ORDER BY n) AS spent FROM priced;

INSERT INTO usage_charge (id, account_id, event_id, request_hash, type, agent_id, model, input_tokens, output_tokens,
    retrieval_queries, seconds, answered, pages, chunks, content_sha256, rates, cost, uncollected, balance_after,
    occurred_at, recorded_at, day, api_key_id, request_id, hold_id)
SELECT p.id, %(account)s, 'event-' || n, sha256(n::text::bytea), 'chat', agent_id, model, input, output,
    0, 0, NULL, 0, 0, NULL, jsonb_build_object(model || '.input', rate_in::text, model || '.output', rate_out::text),
    cost, 0, b.granted + b.paid - spent, at, at, (at AT TIME ZONE 'UTC')::date, NULL, 'req_' || n, NULL
FROM past p, billing_balance b WHERE b.account_id = %(account)s ORDER BY n;

INSERT INTO billing_ledgerentry (id, account_id, seq, kind, key, granted, paid, granted_after, paid_after,
    actor, reason, recorded_at, day)
SELECT p.id, %(account)s, b.seq + n, 'charge', p.id::text, 0, -cost, 0, b.paid - spent,
    'usage', '', at, (at AT TIME ZONE 'UTC')::date
FROM past p, billing_balance b WHERE b.account_id = %(account)s ORDER BY n;

UPDATE billing_balance b SET paid = b.paid - p.spent, seq = b.seq + p.n, last_recorded_at = p.at,
    last_day = (p.at AT TIME ZONE 'UTC')::date
FROM past p WHERE b.account_id = %(account)s AND p.n = %(count)s;
