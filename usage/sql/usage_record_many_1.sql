-- Records many plain events of one account at once, exactly as usage_record_2 ('refuse') would one after the other, or
-- writes nothing and says so. Plain: the account is open and not frozen, its paid funds are not below zero, every event
-- is new, names no agent or one that exists, ingests no content that is charged once, and all of them fit together.
-- Whatever is not plain is for usage_record_2, one by one.
-- p_events: [{id, event, hash, type, agent, agent_key, model, input, output, retrieval, seconds, answered, pages, chunks,
-- rates, price, occurred, note}]. p_card is the version of the rate card that the prices were made with, or NULL.
-- is_recorded; `balance` and `free` as they were before the first.
CREATE FUNCTION usage_record_many_1(
    p_account uuid, p_events jsonb, p_card bigint, p_api_key uuid, p_request text, p_now timestamptz,
    OUT is_recorded boolean, OUT balance numeric, OUT free numeric
) LANGUAGE plpgsql AS $$
DECLARE
    o billing_opened_1;
    planned usage_planned_1[];
    seen record;
    costs record;
BEGIN
    is_recorded := false;
    o := billing_open_1(p_account, p_now);
    IF NOT o.known OR o.frozen OR o.paid < 0 THEN
        RETURN;
    END IF;
    SELECT array_agg(ROW(e.place - 1, e.id, e.event, decode(e.hash, 'hex'), e.type, coalesce(i.id, k.id), e.model, e.input, e.output,
            e.retrieval, e.seconds, e.answered, e.pages, e.chunks, e.rates, e.price,
            e.through, e.occurred, e.note)::usage_planned_1 ORDER BY e.place) AS events,
        sum(e.price) AS price, count(DISTINCT e.event) = count(*) AS are_different,
        bool_and(coalesce(i.id, k.id) IS NOT NULL OR e.agent IS NULL AND e.agent_key IS NULL) AS are_agents_known,
        bool_or(c.id IS NOT NULL) AS are_some_recorded, p_card IS NULL OR min(r.version) = p_card AS is_card_current
    INTO seen
    FROM (
        SELECT x.*, sum(x.price) OVER (ORDER BY x.place) AS through
        FROM ROWS FROM (jsonb_to_recordset(p_events) AS (
            id uuid, event text, hash text, type text, agent uuid, agent_key text, model text, input bigint,
            output bigint, retrieval bigint, seconds bigint, answered boolean, pages bigint, chunks bigint,
            rates jsonb, price numeric, occurred timestamptz, note text)
        ) WITH ORDINALITY AS x (
            id, event, hash, type, agent, agent_key, model, input, output, retrieval, seconds, answered, pages, chunks,
            rates, price, occurred, note, place)
    ) e
        CROSS JOIN usage_ratecard r
        LEFT JOIN usage_agent i ON i.id = e.agent AND i.account_id = p_account
        LEFT JOIN usage_agent k ON k.account_id = p_account AND k.name_key = e.agent_key AND e.agent IS NULL
        LEFT JOIN usage_charge c ON c.account_id = p_account AND c.event_id = e.event;
    IF seen.price > o.free OR seen.are_some_recorded
        OR NOT (seen.are_different AND seen.are_agents_known AND seen.is_card_current) THEN
        RETURN;
    END IF;
    planned := seen.events;
    SELECT array_agg(p.id) AS ids, array_agg(p.place) AS places, array_agg(p.price) AS prices INTO costs
    FROM unnest(planned) p WHERE p.price > 0;
    IF costs.ids IS NULL THEN
        PERFORM billing_touch_1(
            p_account, o.recorded_at + (cardinality(planned) - 1) * interval '1 microsecond', o.day);
    ELSE
        PERFORM billing_write_many_1(o, costs.ids, costs.places, costs.prices, cardinality(planned) - 1);
    END IF;
    INSERT INTO usage_charge (id, account_id, event_id, request_hash, type, agent_id, model, input_tokens, output_tokens,
        retrieval_queries, seconds, answered, pages, chunks, rates, cost, uncollected, balance_after,
        occurred_at, recorded_at, day, api_key_id, request_id)
    SELECT p.id, p_account, p.event, p.hash, p.type, p.agent, p.model, p.input, p.output,
        p.retrieval, p.seconds, p.answered, p.pages, p.chunks, p.rates, p.price, 0, o.granted + o.paid - p.through,
        coalesce(p.occurred, at.recorded), at.recorded, o.day, p_api_key, p_request
    FROM unnest(planned) p,
        LATERAL (SELECT o.recorded_at + p.place * interval '1 microsecond' AS recorded) at;
    PERFORM usage_daily_1(p_account, o.day, p.type, p.agent, p.model, count(*), sum(p.input)::bigint,
        sum(p.output)::bigint, sum(p.retrieval)::bigint, sum(p.seconds)::bigint, sum(p.pages)::bigint,
        sum(p.chunks)::bigint, sum(p.price), 0)
    FROM unnest(planned) p GROUP BY p.type, p.agent, p.model;
    INSERT INTO usage_chargenote (charge_id, account_id, text)
    SELECT p.id, p_account, p.note FROM unnest(planned) p WHERE p.note <> '';
    is_recorded := true;
    balance := o.granted + o.paid;
    free := o.free;
END $$;
