-- Records one priced usage event: deducts it through billing's gate and writes Charge and DailySpend, or does nothing.
-- p_on_short: 'refuse' (all or nothing), 'record' (take what is free, the rest is uncollected), 'capture' (record, after
-- ending p_hold; never stopped by a freeze).
-- p_card is the version of the rate card that p_price was made with (NULL: frozen rates of a hold).
-- status: recorded, replayed, reused, stale, frozen, short, no_agent, too_many_agents, no_account, no_hold, other_ending.
-- Filled: on recorded and replayed all columns; on short `balance` and `free`.
CREATE FUNCTION usage_record_1(
    p_account uuid, p_id uuid, p_event text, p_hash bytea, p_type text,
    p_agent uuid, p_agent_name text, p_agent_key text, p_agent_new uuid, p_agent_limit int,
    p_model text, p_input bigint, p_output bigint, p_retrieval bigint, p_seconds bigint, p_answered boolean,
    p_pages bigint, p_chunks bigint, p_content bytea,
    p_rates jsonb, p_price numeric, p_card bigint, p_occurred timestamptz,
    p_api_key uuid, p_request text, p_hold uuid, p_on_short text, p_note text, p_now timestamptz,
    OUT status text, OUT charge_id uuid, OUT cost numeric, OUT uncollected numeric, OUT balance numeric, OUT free numeric
) LANGUAGE plpgsql AS $$
DECLARE
    o billing_opened_1;
    entry billing_ledgerentry;
    hold record;
    seen record;
BEGIN
    o := billing_open_1(p_account, p_now);
    IF NOT o.known THEN
        status := 'no_account';
        RETURN;
    END IF;
    SELECT r.version, c.id, c.request_hash, c.cost, c.uncollected, c.balance_after, a.id AS agent INTO seen
    FROM usage_ratecard r
        LEFT JOIN usage_charge c ON c.account_id = p_account AND c.event_id = p_event
        LEFT JOIN usage_agent a ON a.account_id = p_account AND a.name_key = p_agent_key;
    IF p_card IS NOT NULL AND p_card IS DISTINCT FROM seen.version THEN
        status := 'stale';
        RETURN;
    END IF;
    IF seen.id IS NOT NULL THEN
        status := CASE WHEN seen.request_hash = p_hash THEN 'replayed' ELSE 'reused' END;
        charge_id := seen.id;
        cost := seen.cost;
        uncollected := seen.uncollected;
        balance := seen.balance_after;
        RETURN;
    END IF;
    -- An IF with a query inside costs a query even where its first half says no: hence one in the other below.
    IF p_agent IS NOT NULL THEN
        IF NOT EXISTS (SELECT 1 FROM usage_agent a WHERE a.id = p_agent AND a.account_id = p_account) THEN
            status := 'no_agent';
            RETURN;
        END IF;
    ELSIF p_agent_key IS NOT NULL AND seen.agent IS NULL THEN
        IF (SELECT count(*) FROM usage_agent a WHERE a.account_id = p_account) >= p_agent_limit THEN
            status := 'too_many_agents';
            RETURN;
        END IF;
    END IF;
    free := o.free;
    IF p_on_short = 'capture' THEN
        hold := billing_end_hold_1(p_account, p_hold, 'captured', o.recorded_at);
        IF hold.status <> 'ended' THEN
            status := CASE WHEN hold.status = 'not_found' THEN 'no_hold' ELSE 'other_ending' END;
            RETURN;
        END IF;
        free := hold.free;
    ELSIF o.frozen THEN
        status := 'frozen';
        RETURN;
    END IF;
    IF p_content IS NOT NULL THEN
        IF EXISTS (
            SELECT 1 FROM usage_charge c WHERE c.account_id = p_account AND c.content_sha256 = p_content
                AND c.reverses IS NULL
                AND NOT EXISTS (
                    SELECT 1 FROM usage_charge r WHERE r.account_id = c.account_id AND r.reverses = c.id)) THEN
            p_price := 0;     -- the same content was ingested before, and is charged once
            p_rates := '{}';
        END IF;
    END IF;
    IF p_on_short = 'refuse' AND p_price > free THEN
        PERFORM billing_refuse_1(p_account, o.recorded_at, p_price);
        status := 'short';
        balance := o.granted + o.paid;
        RETURN;
    END IF;
    p_agent := coalesce(p_agent, seen.agent);
    IF p_agent IS NULL AND p_agent_key IS NOT NULL THEN
        p_agent := usage_agent_1(p_account, NULL, p_agent_name, p_agent_key, p_agent_new, p_agent_limit);
    END IF;
    cost := least(p_price, free);
    uncollected := p_price - cost;
    IF cost > 0 THEN
        entry := billing_write_1(o, p_id, 'charge', p_id::text, cost, NULL, NULL, 'usage', '');
        balance := entry.granted_after + entry.paid_after;
    ELSE
        PERFORM billing_touch_1(p_account, o.recorded_at, o.day);
        balance := o.granted + o.paid;
    END IF;
    INSERT INTO usage_charge (id, account_id, event_id, request_hash, type, agent_id, model, input_tokens, output_tokens,
        retrieval_queries, seconds, answered, pages, chunks, content_sha256, rates, cost, uncollected, balance_after,
        occurred_at, recorded_at, day, api_key_id, request_id, hold_id)
    VALUES (p_id, p_account, p_event, p_hash, p_type, p_agent, p_model, p_input, p_output,
        p_retrieval, p_seconds, p_answered, p_pages, p_chunks, p_content, p_rates, cost, uncollected, balance,
        coalesce(p_occurred, o.recorded_at), o.recorded_at, o.day, p_api_key, p_request, p_hold);
    PERFORM usage_daily_1(p_account, o.day, p_type, p_agent, p_model, 1,
        p_input, p_output, p_retrieval, p_seconds, p_pages, p_chunks, cost, uncollected);
    IF p_note <> '' THEN
        INSERT INTO usage_chargenote (charge_id, account_id, text) VALUES (p_id, p_account, p_note);
    END IF;
    charge_id := p_id;
    free := greatest(0, free - cost);
    status := 'recorded';
END $$;
