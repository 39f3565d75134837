"""Noticing at once that accounts may have news, a moment after their money moved and outside of the requests.

Most charges change nothing: one query about all that moved within a second says so (accounts/afterwards.py). A crossing
that this misses is found by the sweep.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from accounts.afterwards import Causes
from accounts.nudges import nudge
from billing.money import CENT
from usage import rate_card

REMEMBERED = 50_000  # accounts
LATELY = timedelta(minutes=1)
_asked_about: dict[UUID, str] = {}  # an agent may go on asking while it is refused

# rule_near: a rule may have to tell or be armed. news: what else may be news, empty for nothing.
GLANCE = """
    SELECT * FROM (
        SELECT b.account_id, EXISTS (SELECT FROM alerts_rule r WHERE r.account_id = b.account_id AND CASE r.kind
                WHEN 'balance_below' THEN CASE WHEN r.is_armed THEN b.granted + b.paid < r.amount
                    AND r.told_window <> b.last_day::text ELSE b.granted + b.paid >= r.amount END
                WHEN 'monthly_spend' THEN r.told_window <> to_char(b.last_day, 'YYYY-MM')
                ELSE r.told_window <> b.last_day::text END) AS rule_near,
            concat_ws(' ', b.depleted_at, b.refused_at, b.owner_froze_at, b.staff_froze_at,
                CASE WHEN b.unfrozen_at > %(lately)s THEN b.unfrozen_at END,
                CASE WHEN b.paid < 0 THEN 'below zero' END,
                CASE WHEN b.granted + b.paid < %(minute)s THEN 'short' END,
                (SELECT string_agg(w.state, ',' ORDER BY w.subject) FROM alerts_watched w
                    WHERE w.account_id = b.account_id AND (w.state LIKE 'grace%%'
                        OR w.state IN ('depleted', 'suspended', 'paused balance', 'paused frozen'))),
                (SELECT max(t.ended_at) FROM billing_topup t
                    WHERE t.account_id = b.account_id AND t.ended_at > %(lately)s),
                (SELECT max(greatest(c.launched_at, c.paused_by_owner_at, c.resumed_at, c.finished_at))
                    FROM usage_campaign c WHERE c.account_id = b.account_id
                    AND greatest(c.launched_at, c.paused_by_owner_at, c.resumed_at, c.finished_at) > %(lately)s)
            ) AS news
        FROM billing_balance b WHERE b.account_id = ANY(%(accounts)s)
    ) found WHERE rule_near OR news <> ''"""


def look(moved: Causes) -> None:
    """Something moved: ask for an evaluation where there may be something to tell, once about the same."""
    from alerts.tasks import evaluate_account  # the tasks import what listens here

    found = _glance(moved)
    for account_id, caused_by in moved.items():
        rule_near, news = found.get(account_id, (False, ""))
        if rule_near or news != _asked_about.get(account_id, ""):
            nudge(evaluate_account, str(account_id), caused_by=caused_by)
            _remember(account_id, news)


def _glance(moved: Causes) -> dict[UUID, tuple[bool, str]]:
    now = timezone.now()
    minute = rate_card.current().rate("voice.minute", now)
    asked: dict[str, Any] = {"accounts": list(moved), "lately": now - LATELY, "minute": max(minute, CENT)}
    with connection.cursor() as cursor:
        cursor.execute(GLANCE, asked)
        return {account_id: (rule_near, news) for account_id, rule_near, news in cursor.fetchall()}


def _remember(account_id: UUID, news: str) -> None:
    if len(_asked_about) >= REMEMBERED:
        _asked_about.clear()
    if news:
        _asked_about[account_id] = news
    else:
        _asked_about.pop(account_id, None)
