-- Whether the account has a paid balance: a top-up came in, and neither refunds nor disputes have taken all of it back
-- (billing/claims.py says what is left of a top-up). An open dispute has its money until it is won; an inquiry has none.
CREATE FUNCTION billing_has_paid_1(p_account uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT 1 FROM billing_topup t
        WHERE t.account_id = p_account AND t.status = 'succeeded' AND t.received > (
            SELECT coalesce(sum(c.taken), 0) FROM (
                SELECT r.taken FROM billing_refund r WHERE r.topup_id = t.id AND r.status <> 'failed'
                UNION ALL
                SELECT d.taken FROM billing_dispute d
                WHERE d.topup_id = t.id AND d.status <> 'won' AND NOT starts_with(d.status, 'warning_')
            ) c));
END $$;
