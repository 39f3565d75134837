-- Notes that a request did not fit: the first refusal since funds were last enough, and the newest amount asked for.
CREATE FUNCTION billing_refuse_1(p_account uuid, p_at timestamptz, p_required numeric) RETURNS void LANGUAGE sql AS $$
    UPDATE billing_balance SET refused_at = coalesce(refused_at, p_at), refused_amount = p_required
    WHERE account_id = p_account
$$;
