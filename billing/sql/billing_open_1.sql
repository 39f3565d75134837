-- Locks the account's Balance (first in the lock order), frees its overdue holds and says what is free, and what time
-- it is on this ledger: strictly later than the last posting, so that time orders an account's movements totally.
-- The clock is read after the lock: now() is the transaction's start, which a lock wait puts before a rival's posting.
CREATE FUNCTION billing_open_1(
    p_account uuid, p_now timestamptz,
    OUT known boolean, OUT granted numeric, OUT paid numeric, OUT held numeric, OUT free numeric,
    OUT frozen boolean, OUT recorded_at timestamptz, OUT day date
) LANGUAGE plpgsql AS $$
DECLARE
    b billing_balance;
    clock timestamptz;
    overdue numeric;
BEGIN
    SELECT * INTO b FROM billing_balance x WHERE x.account_id = p_account FOR NO KEY UPDATE;
    known := FOUND;
    IF NOT known THEN
        RETURN;
    END IF;
    clock := coalesce(p_now, clock_timestamp());
    recorded_at := greatest(clock, b.last_recorded_at + interval '1 microsecond');
    day := greatest(
        (recorded_at AT TIME ZONE (SELECT a.timezone FROM accounts_account a WHERE a.id = p_account))::date, b.last_day);
    IF b.next_hold_expiry <= clock THEN
        WITH gone AS (
            UPDATE billing_hold h SET state = 'expired', ended_at = h.expires_at
            WHERE h.account_id = p_account AND h.state = 'open' AND h.expires_at <= clock RETURNING h.amount
        ) SELECT coalesce(sum(gone.amount), 0) INTO overdue FROM gone;
        UPDATE billing_balance x SET held = x.held - overdue, next_hold_expiry = (
            SELECT min(h.expires_at) FROM billing_hold h
            WHERE h.account_id = p_account AND h.state = 'open' AND h.expires_at > clock)
        WHERE x.account_id = p_account RETURNING x.held INTO b.held;
    END IF;
    granted := b.granted;
    paid := b.paid;
    held := b.held;
    free := CASE WHEN b.paid < 0 THEN 0 ELSE greatest(0, b.granted + b.paid - b.held) END;
    frozen := b.owner_froze_at IS NOT NULL OR b.staff_froze_at IS NOT NULL;
END $$;
