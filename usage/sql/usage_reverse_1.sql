-- Corrects a charge by a charge of its own: everything negated, today, and one entry that restores the split.
-- Its event_id begins with a sign that no caller can send (callers' ids are ASCII).
-- status: reversed, replayed, not_found (also for a reversal), no_account.
CREATE FUNCTION usage_reverse_1(
    p_account uuid, p_charge uuid, p_id uuid, p_actor text, p_reason text, p_now timestamptz,
    OUT status text, OUT charge_id uuid, OUT balance numeric
) LANGUAGE plpgsql AS $$
DECLARE
    o billing_opened_1;
    c usage_charge;
    entry billing_ledgerentry;
BEGIN
    o := billing_open_1(p_account, p_now);
    IF NOT o.known THEN
        status := 'no_account';
        RETURN;
    END IF;
    SELECT r.id, r.balance_after INTO charge_id, balance FROM usage_charge r
    WHERE r.account_id = p_account AND r.reverses = p_charge;
    IF FOUND THEN
        status := 'replayed';
        RETURN;
    END IF;
    SELECT * INTO c FROM usage_charge x WHERE x.id = p_charge AND x.account_id = p_account AND x.reverses IS NULL;
    IF NOT FOUND THEN
        status := 'not_found';
        RETURN;
    END IF;
    IF c.cost > 0 THEN
        SELECT * INTO entry FROM billing_ledgerentry e WHERE e.id = p_charge AND e.account_id = p_account;
        entry := billing_write_1(
            o, p_id, 'reversal', p_id::text, NULL, -entry.granted, -entry.paid, p_actor, p_reason);
        balance := entry.granted_after + entry.paid_after;
    ELSE
        PERFORM billing_touch_1(p_account, o.recorded_at, o.day);
        balance := o.granted + o.paid;
    END IF;
    INSERT INTO usage_charge (id, account_id, event_id, request_hash, type, agent_id, model, input_tokens, output_tokens,
        retrieval_queries, seconds, answered, pages, chunks, content_sha256, rates, cost, uncollected, balance_after,
        occurred_at, recorded_at, day, api_key_id, request_id, hold_id, reverses)
    VALUES (p_id, p_account, '↺' || p_charge, c.request_hash, c.type, c.agent_id, c.model,
        -c.input_tokens, -c.output_tokens, -c.retrieval_queries, -c.seconds, c.answered, -c.pages, -c.chunks,
        NULL, c.rates, -c.cost, -c.uncollected, balance,
        o.recorded_at, o.recorded_at, o.day, NULL, '', NULL, p_charge);
    PERFORM usage_daily_1(p_account, o.day, c.type, c.agent_id, c.model, -1, -c.input_tokens, -c.output_tokens,
        -c.retrieval_queries, -c.seconds, -c.pages, -c.chunks, -c.cost, -c.uncollected);
    charge_id := p_id;
    status := 'reversed';
END $$;
