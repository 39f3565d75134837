"""Noticing at once that an account may have news, after each movement of its money and at next to no cost.

Most charges change nothing: one query by keys says so, and where the balance is comfortable and no rule watches the
spending it is not even asked after every charge. A crossing that this misses is found by the sweep.
"""

import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection
from django.utils import timezone

from accounts.nudges import nudge
from billing.money import CENT
from usage import rate_card

T = TypeVar("T", float, str)
# For how many seconds each process believes what it saw.
FAR_FOR, ASKED_FOR = 30.0, 1.0
COMFORT = Decimal(5)  # dollars above every bound: no usual charge takes so much at once
REMEMBERED = 50_000  # accounts
COUNTDOWN = 1  # second: the task sees all the movements within it
LATELY = timedelta(minutes=1)
_quiet_until: dict[UUID, float] = {}  # time.monotonic()
_asked_about: dict[UUID, str] = {}

# Whether a rule may have to tell or be armed; what else may be news, empty for nothing; and whether all bounds are far.
GLANCE = """
    SELECT EXISTS (SELECT FROM alerts_rule r WHERE r.account_id = b.account_id AND CASE r.kind
            WHEN 'balance_below' THEN CASE WHEN r.is_armed THEN b.granted + b.paid < r.amount
                AND r.told_window <> b.last_day::text ELSE b.granted + b.paid >= r.amount END
            WHEN 'monthly_spend' THEN r.told_window <> to_char(b.last_day, 'YYYY-MM')
            ELSE r.told_window <> b.last_day::text END),
        concat_ws(' ', b.depleted_at, b.refused_at, b.owner_froze_at, b.staff_froze_at,
            CASE WHEN b.unfrozen_at > %(lately)s THEN b.unfrozen_at END,
            CASE WHEN b.paid < 0 THEN 'below zero' END, CASE WHEN b.granted + b.paid < %(minute)s THEN 'short' END,
            (SELECT string_agg(w.state, ',' ORDER BY w.subject) FROM alerts_watched w WHERE w.account_id = b.account_id
                AND (
                    w.state LIKE 'grace%%' OR w.state IN ('depleted', 'suspended', 'paused balance', 'paused frozen'))),
            (SELECT max(t.ended_at) FROM billing_topup t WHERE t.account_id = b.account_id AND t.ended_at > %(lately)s),
            (SELECT max(greatest(c.launched_at, c.paused_by_owner_at, c.resumed_at, c.finished_at))
                FROM usage_campaign c WHERE c.account_id = b.account_id
                AND greatest(c.launched_at, c.paused_by_owner_at, c.resumed_at, c.finished_at) > %(lately)s)),
        b.granted + b.paid >= %(comfort)s + greatest(%(minute)s, (
            SELECT max(r.amount) FROM alerts_rule r WHERE r.account_id = b.account_id AND r.kind = 'balance_below'))
    FROM billing_balance b WHERE b.account_id = %(account)s"""


def notice(account_id: UUID) -> None:
    """Something moved: ask for an evaluation if there may be something to tell, once about the same."""
    clock = time.monotonic()
    if _quiet_until.get(account_id, 0.0) > clock:
        return
    is_rule_near, news, is_far = _glance(account_id, now=timezone.now())
    if is_rule_near or news != _asked_about.get(account_id, ""):
        from alerts.tasks import evaluate_account  # the tasks import what listens here

        nudge(evaluate_account, str(account_id), countdown=COUNTDOWN)
        _remember(_asked_about, account_id, news)
    if is_rule_near or news:
        _remember(
            _quiet_until, account_id, clock + ASKED_FOR
        )  # an agent may go on asking while it is refused
    elif is_far:
        _remember(_quiet_until, account_id, clock + FAR_FOR)


def _glance(account_id: UUID, *, now: datetime) -> tuple[bool, str, bool]:
    minute: Decimal = rate_card.current().rate("voice.minute", now)
    asked: dict[str, Any] = {
        "account": account_id, "lately": now - LATELY, "minute": max(minute, CENT), "comfort": COMFORT,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(GLANCE, asked)
        row = cursor.fetchone()
    return row or (False, "", True)


def _remember(memory: dict[UUID, T], account_id: UUID, what: T) -> None:
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[account_id] = what
