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
    o billing_opened_1;
    e billing_ledgerentry;
BEGIN
    o := billing_open_1(p_account, p_now);
    IF NOT o.known THEN
        status := 'no_account';
        RETURN;
    END IF;
    SELECT * INTO e FROM billing_ledgerentry x
    WHERE x.account_id = p_account AND x.kind = p_kind AND x.key = p_key;
    IF FOUND THEN
        status := CASE WHEN p_cost IS NOT NULL AND -p_cost = e.granted + e.paid
                         OR p_cost IS NULL AND p_granted = e.granted AND p_paid = e.paid
                       THEN 'replayed' ELSE 'conflict' END;
    ELSIF p_cost > o.free THEN
        status := 'short';
        RETURN;
    ELSE
        e := billing_write_1(o, p_id, p_kind, p_key, p_cost, p_granted, p_paid, p_actor, p_reason);
        status := 'posted';
    END IF;
    entry_id := e.id;
    granted_after := e.granted_after;
    paid_after := e.paid_after;
    recorded_at := e.recorded_at;
    day := e.day;
END $$;
