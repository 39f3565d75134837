-- Writes one ledger entry and the balance it leaves: the only statements that write money. For functions that have opened
-- the account (o) and know that it may be. p_cost (> 0) is taken from granted first; else p_granted and p_paid, signed.
CREATE FUNCTION billing_write_1(
    o billing_opened_1, p_id uuid, p_kind text, p_key text, p_cost numeric, p_granted numeric, p_paid numeric,
    p_actor text, p_reason text
) RETURNS billing_ledgerentry LANGUAGE plpgsql AS $$
DECLARE
    granted_after numeric;
    paid_after numeric;
    next_seq bigint;
    entry billing_ledgerentry;
BEGIN
    IF p_cost IS NOT NULL THEN
        p_granted := -least(p_cost, o.granted);
        p_paid := -p_cost - p_granted;
    END IF;
    granted_after := o.granted + p_granted;
    paid_after := o.paid + p_paid;
    UPDATE billing_balance b SET
        granted = granted_after, paid = paid_after, seq = b.seq + 1, last_recorded_at = o.recorded_at, last_day = o.day,
        depleted_at = CASE WHEN granted_after + paid_after < 0.01 THEN coalesce(b.depleted_at, o.recorded_at) END,
        refused_at = CASE WHEN p_kind <> 'charge' AND p_granted + p_paid < 0 THEN b.refused_at END
    WHERE b.account_id = o.account RETURNING b.seq INTO next_seq;
    INSERT INTO billing_ledgerentry (id, account_id, seq, kind, key, granted, paid, granted_after, paid_after,
                                     actor, reason, recorded_at, day)
    VALUES (p_id, o.account, next_seq, p_kind, p_key, p_granted, p_paid, granted_after, paid_after,
            p_actor, p_reason, o.recorded_at, o.day)
    RETURNING * INTO entry;
    RETURN entry;
END $$;
