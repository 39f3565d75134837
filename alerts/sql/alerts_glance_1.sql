-- Whether an account may have news, by keys: asked after charges, so a function whose plan is kept. Changes nothing.
-- rule_near: a rule may have to tell or be armed. news: what else may be news, empty for nothing. far: the balance is
-- p_comfort above every bound. No row where there is no Balance.
CREATE FUNCTION alerts_glance_1(p_account uuid, p_lately timestamptz, p_minute numeric, p_comfort numeric)
RETURNS TABLE (rule_near boolean, news text, far boolean) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT EXISTS (SELECT FROM alerts_rule r WHERE r.account_id = b.account_id AND CASE r.kind
            WHEN 'balance_below' THEN CASE WHEN r.is_armed THEN b.granted + b.paid < r.amount
                AND r.told_window <> b.last_day::text ELSE b.granted + b.paid >= r.amount END
            WHEN 'monthly_spend' THEN r.told_window <> to_char(b.last_day, 'YYYY-MM')
            ELSE r.told_window <> b.last_day::text END),
        concat_ws(' ', b.depleted_at, b.refused_at, b.owner_froze_at, b.staff_froze_at,
            CASE WHEN b.unfrozen_at > p_lately THEN b.unfrozen_at END,
            CASE WHEN b.paid < 0 THEN 'below zero' END, CASE WHEN b.granted + b.paid < p_minute THEN 'short' END,
            (SELECT string_agg(w.state, ',' ORDER BY w.subject) FROM alerts_watched w WHERE w.account_id = b.account_id
                AND (w.state LIKE 'grace%' OR w.state IN ('depleted', 'suspended', 'paused balance', 'paused frozen'))),
            (SELECT max(t.ended_at) FROM billing_topup t WHERE t.account_id = b.account_id AND t.ended_at > p_lately),
            (SELECT max(greatest(c.launched_at, c.paused_by_owner_at, c.resumed_at, c.finished_at))
                FROM usage_campaign c WHERE c.account_id = b.account_id
                AND greatest(c.launched_at, c.paused_by_owner_at, c.resumed_at, c.finished_at) > p_lately)),
        b.granted + b.paid >= p_comfort + greatest(p_minute, (
            SELECT max(r.amount) FROM alerts_rule r WHERE r.account_id = b.account_id AND r.kind = 'balance_below'))
    FROM billing_balance b WHERE b.account_id = p_account;
END $$;
