"""Which accounts have something untold: asked of all at once by the sweep.

It says again in SQL what alerts/*_facts.py derive one by one. Too often is harmless; what it leaves out nobody
hears of once a nudge is lost, so a test proves that each fact is due until it was told, and then no more.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from alerts.webhook_facts import WINDOW
from usage import rate_card

KNOWN = "LEFT JOIN alerts_watched w ON w.account_id = b.account_id AND w.subject = "
BEGAN = """
    LEFT JOIN alerts_watched g ON g.account_id = b.account_id AND g.subject = 'watch'
    CROSS JOIN LATERAL (SELECT greatest(g.since, %(now)s::timestamptz - %(window)s) AS at) since"""
DUE = f"""
    WITH b AS (
        SELECT b.*, a.timezone, b.owner_froze_at IS NOT NULL OR b.staff_froze_at IS NOT NULL AS is_frozen
        FROM billing_balance b JOIN accounts_account a ON a.id = b.account_id
        WHERE a.opened_at IS NOT NULL AND a.closed_at IS NULL
    ), due AS (
        SELECT b.account_id FROM b {KNOWN} b.account_id::text
        WHERE CASE WHEN b.depleted_at IS NULL THEN w.state = 'depleted'
            ELSE b.seq > 0 AND (w.state, w.since) IS DISTINCT FROM ('depleted', b.depleted_at) END
        UNION ALL
        SELECT b.account_id FROM b {KNOWN} 'refused'
        WHERE b.refused_at IS NOT NULL
            AND w.state IS DISTINCT FROM (b.refused_at AT TIME ZONE b.timezone)::date::text
        UNION ALL
        SELECT b.account_id FROM b JOIN usage_phonenumber n USING (account_id) {KNOWN} n.id::text
            CROSS JOIN LATERAL (
                SELECT least(b.depleted_at, CASE WHEN n.paid_until <= %(now)s THEN n.paid_until END) AS began
            ) t
            CROSS JOIN LATERAL (
                SELECT CASE WHEN NOT b.is_frozen AND t.began IS NOT NULL
                    THEN greatest(t.began, b.unfrozen_at) END AS at
            ) trouble
            CROSS JOIN LATERAL (
                SELECT CASE
                    WHEN trouble.at IS NULL THEN 'active'
                    WHEN trouble.at <= %(now)s::timestamptz - interval '7 days' THEN 'suspended'
                    WHEN trouble.at <= %(now)s::timestamptz - interval '6 days' THEN 'grace 6'
                    WHEN trouble.at <= %(now)s::timestamptz - interval '3 days' THEN 'grace 3'
                    ELSE 'grace 0' END AS stage
            ) s
        WHERE n.released_at IS NULL
            AND (s.stage <> coalesce(w.state, 'active') OR s.stage <> 'active' AND trouble.at <> w.since)
        UNION ALL
        SELECT b.account_id FROM b JOIN usage_campaign c USING (account_id) {KNOWN} c.id::text
        WHERE c.launched_at IS NOT NULL AND (c.finished_at IS NULL OR c.finished_at > %(now)s::timestamptz - %(window)s)
            AND w.state IS DISTINCT FROM CASE
                WHEN c.finished_at IS NOT NULL THEN 'finished'
                WHEN c.paused_by_owner_at IS NOT NULL THEN 'paused owner'
                WHEN c.scheduled_at > %(now)s THEN 'scheduled'
                WHEN b.is_frozen THEN 'paused frozen'
                WHEN b.depleted_at IS NOT NULL OR b.granted + b.paid < %(minute)s OR b.paid < 0 THEN 'paused balance'
                ELSE 'active' END
        UNION ALL
        SELECT b.account_id FROM b JOIN billing_topup t USING (account_id) {KNOWN} t.id::text {BEGAN}
        WHERE t.ended_at > %(now)s::timestamptz - %(window)s AND t.ended_at > since.at
            AND w.state IS DISTINCT FROM t.status
        UNION ALL
        SELECT b.account_id FROM b JOIN billing_topup t USING (account_id) {KNOWN} t.id::text {BEGAN}
        WHERE t.next_look_at IS NOT NULL AND t.status = 'requires_action' AND t.origin = 'auto'
            AND t.created_at > g.since AND w.state IS DISTINCT FROM t.status
        UNION ALL
        SELECT b.account_id FROM b JOIN billing_autotopup a USING (account_id) {KNOWN} 'auto stopped' {BEGAN}
        WHERE a.stopped_at > since.at AND w.since IS DISTINCT FROM a.stopped_at
        UNION ALL
        SELECT b.account_id FROM b JOIN billing_autotopup a USING (account_id) {KNOWN} 'auto count' {BEGAN}
        WHERE a.count_limit_told_on >= (since.at AT TIME ZONE 'UTC')::date
            AND w.state IS DISTINCT FROM a.count_limit_told_on::text
        UNION ALL
        SELECT b.account_id FROM b JOIN billing_autotopup a USING (account_id) {KNOWN} 'auto month' {BEGAN}
        WHERE a.month_limit_told_on >= (since.at AT TIME ZONE 'UTC')::date
            AND w.state IS DISTINCT FROM a.month_limit_told_on::text
        UNION ALL
        SELECT b.account_id FROM b JOIN billing_refund r USING (account_id) {KNOWN} r.id::text {BEGAN}
        WHERE (r.created_at > since.at OR r.ended_at > since.at)
            AND w.state IS DISTINCT FROM CASE WHEN r.status = 'failed' THEN 'failed' ELSE 'made' END
        UNION ALL
        SELECT b.account_id FROM b JOIN billing_topup t USING (account_id) JOIN billing_dispute d ON d.topup_id = t.id
            {KNOWN} left(d.id, 40)
        WHERE d.status <> '' AND NOT d.status LIKE 'warning\\_%%'
            AND w.state IS DISTINCT FROM CASE WHEN d.status IN ('won', 'lost') THEN d.status ELSE 'opened' END
        UNION ALL
        SELECT b.account_id FROM b JOIN usage_flag f USING (account_id) {KNOWN} f.id::text {BEGAN}
        WHERE f.answered_at > since.at AND w.state IS DISTINCT FROM f.outcome
    )
    SELECT account_id FROM due GROUP BY account_id ORDER BY random()"""  # so that one that fails is not always first


def accounts(*, now: datetime) -> list[UUID]:
    """All that have something untold, in no order."""
    minute: Decimal = rate_card.fresh().rate("voice.minute", now)
    asked: dict[str, Any] = {"now": now, "window": WINDOW, "minute": minute}
    with connection.cursor() as cursor:
        cursor.execute(DUE, asked)
        return [found for (found,) in cursor.fetchall()]
