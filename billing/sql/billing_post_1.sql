-- The posting gate: writes one ledger entry and the balance it leaves, under the lock of the Balance row.
-- Either p_cost (> 0: a charge or a debit that is split granted first and must fit what is free) or p_granted and
-- p_paid (signed). Repeating kind and key answers 'replayed' with the first entry, or 'conflict' for other amounts.
-- status: posted, replayed, conflict, short, no_account.
CREATE FUNCTION billing_post_1(
    p_account uuid, p_id uuid, p_kind text, p_key text, p_cost numeric, p_granted numeric, p_paid numeric,
    p_actor text, p_reason text, p_now timestamptz,
    OUT status text, OUT entry_id uuid, OUT granted_after numeric, OUT paid_after numeric,
    OUT recorded_at timestamptz, OUT day date
) LANGUAGE plpgsql AS $$
DECLARE
    o record;
    seen billing_ledgerentry;
    next_seq bigint;
BEGIN
    SELECT * INTO o FROM billing_open_1(p_account, p_now);
    IF NOT o.known THEN
        status := 'no_account';
        RETURN;
    END IF;
    SELECT * INTO seen FROM billing_ledgerentry e
    WHERE e.account_id = p_account AND e.kind = p_kind AND e.key = p_key;
    IF FOUND THEN
        status := CASE WHEN p_cost IS NOT NULL AND -p_cost = seen.granted + seen.paid
                         OR p_cost IS NULL AND p_granted = seen.granted AND p_paid = seen.paid
                       THEN 'replayed' ELSE 'conflict' END;
        entry_id := seen.id;
        granted_after := seen.granted_after;
        paid_after := seen.paid_after;
        recorded_at := seen.recorded_at;
        day := seen.day;
        RETURN;
    END IF;
    IF p_cost IS NOT NULL THEN
        IF p_cost > o.free THEN
            status := 'short';
            RETURN;
        END IF;
        p_granted := -least(p_cost, o.granted);
        p_paid := -p_cost - p_granted;
    END IF;
    granted_after := o.granted + p_granted;
    paid_after := o.paid + p_paid;
    UPDATE billing_balance b SET
        granted = granted_after, paid = paid_after, seq = b.seq + 1, last_recorded_at = o.recorded_at, last_day = o.day,
        depleted_at = CASE WHEN granted_after + paid_after < 0.01 THEN coalesce(b.depleted_at, o.recorded_at) END,
        refused_at = CASE WHEN p_kind <> 'charge' AND p_granted + p_paid < 0 THEN b.refused_at END
    WHERE b.account_id = p_account RETURNING b.seq INTO next_seq;
    INSERT INTO billing_ledgerentry (id, account_id, seq, kind, key, granted, paid, granted_after, paid_after,
                                     actor, reason, recorded_at, day)
    VALUES (p_id, p_account, next_seq, p_kind, p_key, p_granted, p_paid, granted_after, paid_after,
            p_actor, p_reason, o.recorded_at, o.day);
    status := 'posted';
    entry_id := p_id;
    recorded_at := o.recorded_at;
    day := o.day;
END $$;
