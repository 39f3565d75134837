-- Sets a hold's total amount and its life from when it was made; an expired hold reopens if the total fits.
-- status: extended, replayed (already this total and open), short, frozen, other_ending, not_found, no_account.
CREATE FUNCTION billing_extend_1(
    p_account uuid, p_hold uuid, p_amount numeric, p_terms jsonb, p_lifetime interval, p_now timestamptz,
    OUT status text, OUT state text, OUT amount numeric, OUT expires_at timestamptz,
    OUT granted numeric, OUT paid numeric, OUT free numeric
) LANGUAGE plpgsql AS $$
DECLARE
    o billing_opened_1;
    h billing_hold;
    mine numeric;
    clock timestamptz;
BEGIN
    o := billing_open_1(p_account, p_now);
    IF NOT o.known THEN
        status := 'no_account';
        RETURN;
    END IF;
    SELECT * INTO h FROM billing_hold x WHERE x.id = p_hold AND x.account_id = p_account FOR UPDATE;
    granted := o.granted;
    paid := o.paid;
    free := o.free;
    IF NOT FOUND THEN
        status := 'not_found';
        RETURN;
    END IF;
    state := h.state;
    amount := h.amount;
    expires_at := h.expires_at;
    IF h.state IN ('captured', 'released') THEN
        status := 'other_ending';
        RETURN;
    END IF;
    IF h.state = 'open' AND h.terms = p_terms THEN
        status := 'replayed';
        RETURN;
    END IF;
    IF o.frozen THEN
        status := 'frozen';
        RETURN;
    END IF;
    clock := coalesce(p_now, clock_timestamp());
    IF h.created_at + interval '24 hours' <= clock THEN
        status := 'other_ending';     -- no hold lives longer than a day, however often it is extended
        RETURN;
    END IF;
    mine := CASE WHEN h.state = 'open' THEN h.amount ELSE 0 END;
    -- What this hold may grow to: everything but what others hold. While paid is below zero nothing new fits.
    free := CASE WHEN o.paid < 0 THEN 0 ELSE greatest(0, o.granted + o.paid - (o.held - mine)) END;
    IF p_amount > free THEN
        PERFORM billing_refuse_1(p_account, clock, p_amount);
        status := 'short';
        RETURN;
    END IF;
    amount := p_amount;
    state := 'open';
    expires_at := least(
        greatest(h.created_at + p_lifetime, clock + interval '120 seconds'), h.created_at + interval '24 hours');
    UPDATE billing_hold x SET amount = p_amount, terms = p_terms, state = 'open', ended_at = NULL,
        expires_at = billing_extend_1.expires_at
    WHERE x.id = p_hold;
    UPDATE billing_balance b SET held = b.held - mine + p_amount, refused_at = NULL,
        next_hold_expiry = least(b.next_hold_expiry, billing_extend_1.expires_at)
    WHERE b.account_id = p_account;
    free := free - p_amount;
    status := 'extended';
END $$;
