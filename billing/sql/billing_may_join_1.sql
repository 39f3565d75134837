-- Whether a hold may stand beside the account's open ones of the same purpose: with a paid balance always, else only alone.
CREATE FUNCTION billing_may_join_1(p_account uuid, p_purpose text, p_hold uuid, p_clock timestamptz)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN billing_has_paid_1(p_account) OR NOT EXISTS (
        SELECT 1 FROM billing_hold h
        WHERE h.account_id = p_account AND h.state = 'open' AND h.expires_at > p_clock
            AND h.purpose = p_purpose AND h.id <> p_hold);
END $$;
