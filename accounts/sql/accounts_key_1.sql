-- Who asks: the key with this digest that is neither revoked nor of a closed account; its id is NULL when there is none.
-- `unstamped`: it was last used before p_stale. A function, so that PostgreSQL plans the join once per connection and not
-- for every request.
CREATE FUNCTION accounts_key_1(
    p_digest bytea, p_stale timestamptz,
    OUT id uuid, OUT account_id uuid, OUT scopes text, OUT timezone text, OUT expires_at timestamptz,
    OUT unstamped boolean
) LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT k.id, k.account_id, array_to_string(k.scopes, ' '), a.timezone, k.expires_at,
        coalesce(k.last_used_at < p_stale, true)
    INTO accounts_key_1.id, accounts_key_1.account_id, scopes, timezone, expires_at, unstamped
    FROM accounts_apikey k LEFT JOIN accounts_account a ON a.id = k.account_id
    WHERE k.digest = p_digest AND k.revoked_at IS NULL AND a.closed_at IS NULL;
END $$;
