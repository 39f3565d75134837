-- Freezes or unfreezes spending, by the owner or by staff: two facts, either of them stops usage. A closed account stays
-- frozen: its closing is read after the lock, under which it was written.
-- status: done, closed, no_account.
CREATE FUNCTION billing_freeze_2(p_account uuid, p_by text, p_freeze boolean, p_now timestamptz)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    o billing_opened_1;
    clock timestamptz := coalesce(p_now, clock_timestamp());
BEGIN
    o := billing_open_1(p_account, p_now);
    IF NOT o.known THEN
        RETURN 'no_account';
    END IF;
    IF EXISTS (SELECT FROM accounts_account a WHERE a.id = p_account AND a.closed_at IS NOT NULL) THEN
        RETURN 'closed';
    END IF;
    UPDATE billing_balance b SET
        owner_froze_at = CASE WHEN p_by <> 'owner' THEN b.owner_froze_at WHEN p_freeze THEN coalesce(b.owner_froze_at, clock) END,
        staff_froze_at = CASE WHEN p_by <> 'staff' THEN b.staff_froze_at WHEN p_freeze THEN coalesce(b.staff_froze_at, clock) END
    WHERE b.account_id = p_account;
    UPDATE billing_balance b SET unfrozen_at = clock
    WHERE b.account_id = p_account AND o.frozen AND b.owner_froze_at IS NULL AND b.staff_froze_at IS NULL;
    RETURN 'done';
END $$;
