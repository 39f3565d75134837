-- What an account has now, overdue holds already subtracted, and whether p_api_key is live and may ask about it. A
-- function, because this is asked before every message: PostgreSQL keeps its plan. No row where there is no Balance.
CREATE FUNCTION billing_funds_1(p_account uuid, p_api_key uuid)
RETURNS TABLE (
    is_key_live boolean, granted numeric, paid numeric, held numeric, depleted_at timestamptz, refused_at timestamptz,
    refused_amount numeric, owner_froze_at timestamptz, staff_froze_at timestamptz, last_day date,
    unfrozen_at timestamptz
) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT k.id IS NOT NULL AND (k.account_id IS NULL OR w.closed_at IS NULL AND w.id = p_account), b.granted, b.paid,
        b.held - CASE WHEN b.held = 0 THEN 0 ELSE coalesce((
            SELECT sum(h.amount) FROM billing_hold h
            WHERE h.account_id = b.account_id AND h.state = 'open' AND h.expires_at <= clock_timestamp()), 0) END,
        b.depleted_at, b.refused_at, b.refused_amount, b.owner_froze_at, b.staff_froze_at, b.last_day, b.unfrozen_at
    FROM billing_balance b
        LEFT JOIN accounts_apikey k ON k.id = p_api_key AND k.revoked_at IS NULL
        LEFT JOIN accounts_account w ON w.id = k.account_id
    WHERE b.account_id = p_account;
END $$;
