-- What closing an account does to its money, under its Balance lock: spending is frozen by staff, so that nobody inside
-- lifts it, and holds that expired are released, so that none is captured any more. Repeatable; false: no Balance.
CREATE FUNCTION billing_close_1(p_account uuid, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    o billing_opened_1;
BEGIN
    o := billing_open_1(p_account, p_now);
    IF NOT o.known THEN
        RETURN false;
    END IF;
    UPDATE billing_balance b SET staff_froze_at = coalesce(b.staff_froze_at, p_now, clock_timestamp())
    WHERE b.account_id = p_account;
    UPDATE billing_hold h SET state = 'released' WHERE h.account_id = p_account AND h.state = 'expired';
    RETURN true;
END $$;
