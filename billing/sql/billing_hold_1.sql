-- Reserves p_amount for p_lifetime. status: held, replayed, reused, frozen, short, no_account.
-- Only 'held' and 'replayed' fill the hold's columns; `granted`, `paid` and `free` are what is there after it.
CREATE FUNCTION billing_hold_1(
    p_account uuid, p_id uuid, p_key text, p_hash bytea, p_amount numeric, p_purpose text, p_terms jsonb,
    p_lifetime interval, p_api_key uuid, p_now timestamptz,
    OUT status text, OUT hold_id uuid, OUT state text, OUT amount numeric, OUT expires_at timestamptz,
    OUT granted numeric, OUT paid numeric, OUT free numeric
) LANGUAGE plpgsql AS $$
DECLARE
    o billing_opened_1;
    seen billing_hold;
    clock timestamptz;
BEGIN
    o := billing_open_1(p_account, p_now);
    IF NOT o.known THEN
        status := 'no_account';
        RETURN;
    END IF;
    granted := o.granted;
    paid := o.paid;
    free := o.free;
    SELECT * INTO seen FROM billing_hold h WHERE h.account_id = p_account AND h.key = p_key;
    IF FOUND THEN
        status := CASE WHEN seen.request_hash = p_hash THEN 'replayed' ELSE 'reused' END;
        hold_id := seen.id;
        state := seen.state;
        amount := seen.amount;
        expires_at := seen.expires_at;
        RETURN;
    END IF;
    IF o.frozen THEN
        status := 'frozen';
        RETURN;
    END IF;
    clock := coalesce(p_now, clock_timestamp());
    IF p_amount > o.free THEN
        PERFORM billing_refuse_1(p_account, clock, p_amount);
        status := 'short';
        RETURN;
    END IF;
    expires_at := clock + p_lifetime;
    INSERT INTO billing_hold (id, account_id, key, request_hash, amount, state, purpose, terms, api_key_id,
                              created_at, expires_at)
    VALUES (p_id, p_account, p_key, p_hash, p_amount, 'open', p_purpose, p_terms, p_api_key, clock, expires_at);
    UPDATE billing_balance b SET held = b.held + p_amount, refused_at = NULL,
        next_hold_expiry = least(b.next_hold_expiry, billing_hold_1.expires_at)
    WHERE b.account_id = p_account;
    status := 'held';
    hold_id := p_id;
    state := 'open';
    amount := p_amount;
    free := o.free - p_amount;
END $$;
