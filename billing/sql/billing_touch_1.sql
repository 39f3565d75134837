-- Moves the account's ledger clock for a record that costs nothing, so that time still orders all its records.
CREATE FUNCTION billing_touch_1(p_account uuid, p_at timestamptz, p_day date) RETURNS void LANGUAGE sql AS $$
    UPDATE billing_balance SET last_recorded_at = p_at, last_day = p_day WHERE account_id = p_account
$$;
