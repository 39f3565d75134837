-- Ends a hold as 'captured' or 'released' and frees what it reserved. The same ending again replays.
-- An expired hold may still be captured (the work was done) or released (nothing left to free).
-- status: ended, replayed, other_ending, not_found, no_account.
CREATE FUNCTION billing_end_hold_1(
    p_account uuid, p_hold uuid, p_ending text, p_now timestamptz,
    OUT status text, OUT state text, OUT amount numeric, OUT expires_at timestamptz, OUT free numeric
) LANGUAGE plpgsql AS $$
DECLARE
    o billing_opened_1;
    h billing_hold;
BEGIN
    o := billing_open_1(p_account, p_now);
    IF NOT o.known THEN
        status := 'no_account';
        RETURN;
    END IF;
    SELECT * INTO h FROM billing_hold x WHERE x.id = p_hold AND x.account_id = p_account FOR UPDATE;
    IF NOT FOUND THEN
        status := 'not_found';
        RETURN;
    END IF;
    state := h.state;
    amount := h.amount;
    expires_at := h.expires_at;
    free := o.free;
    IF h.state IN ('captured', 'released') THEN
        status := CASE WHEN h.state = p_ending THEN 'replayed' ELSE 'other_ending' END;
        RETURN;
    END IF;
    UPDATE billing_hold x SET state = p_ending, ended_at = coalesce(p_now, clock_timestamp()) WHERE x.id = p_hold;
    state := p_ending;
    IF h.state = 'open' THEN
        UPDATE billing_balance b SET held = b.held - h.amount WHERE b.account_id = p_account;
        free := CASE WHEN o.paid < 0 THEN 0 ELSE greatest(0, o.granted + o.paid - (o.held - h.amount)) END;
    END IF;
    status := 'ended';
END $$;
