-- Locks the account's Balance (first in the lock order), frees its overdue holds and says what is free, and what time
-- it is on this ledger: strictly later than the last posting, so that time orders an account's movements totally.
-- The clock is read after the lock: now() is the transaction's start, which a lock wait puts before a rival's posting.
CREATE FUNCTION billing_open_1(p_account uuid, p_now timestamptz) RETURNS billing_opened_1 LANGUAGE plpgsql AS $$
DECLARE
    o billing_opened_1;
    b record;
    clock timestamptz;
    overdue numeric;
BEGIN
    SELECT x.granted, x.paid, x.held, x.last_recorded_at, x.last_day, x.next_hold_expiry,
        x.owner_froze_at, x.staff_froze_at, a.timezone INTO b
    FROM billing_balance x JOIN accounts_account a ON a.id = x.account_id
    WHERE x.account_id = p_account FOR NO KEY UPDATE OF x;
    o.account := p_account;
    o.known := FOUND;
    IF NOT o.known THEN
        RETURN o;
    END IF;
    clock := coalesce(p_now, clock_timestamp());
    o.recorded_at := greatest(clock, b.last_recorded_at + interval '1 microsecond');
    o.day := greatest((o.recorded_at AT TIME ZONE b.timezone)::date, b.last_day);
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
    o.granted := b.granted;
    o.paid := b.paid;
    o.held := b.held;
    o.free := CASE WHEN b.paid < 0 THEN 0 ELSE greatest(0, b.granted + b.paid - b.held) END;
    o.frozen := b.owner_froze_at IS NOT NULL OR b.staff_froze_at IS NOT NULL;
    RETURN o;
END $$;
