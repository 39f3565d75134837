-- Opens an account's Balance at zero, depleted. Repeatable.
CREATE FUNCTION billing_birth_1(p_account uuid, p_now timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO billing_balance (account_id, granted, paid, held, seq, depleted_at)
    VALUES (p_account, 0, 0, 0, 0, coalesce(p_now, clock_timestamp()))
    ON CONFLICT DO NOTHING
$$;
