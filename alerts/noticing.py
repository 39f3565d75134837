"""Noticing at once that an account may have news, after each movement of its money and at next to no cost.

Most charges change nothing: one query by keys says so, and where the balance is comfortable and no rule watches the
spending it is not even asked after every charge. A crossing that this misses is found by the sweep.
"""

import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from accounts.nudges import nudge
from billing.money import CENT
from usage import rate_card

# For how many seconds each process believes what it saw.
FAR_FOR, ASKED_FOR = 5.0, 1.0
COMFORT = Decimal(5)  # dollars above every bound: no usual charge takes so much at once
REMEMBERED = 50_000  # accounts
COUNTDOWN = 1  # second: the task sees all the movements within it
LATELY = timedelta(minutes=1)
_quiet_until: dict[UUID, float] = {}  # time.monotonic()

# Near: short of something or lately so, near the bound of a balance rule (or past one that waits to be armed), watched
# by a spending rule that has not told in its window, or changed by somebody within the last minute.
NEAR = """
    SELECT b.depleted_at IS NOT NULL OR b.refused_at IS NOT NULL OR b.paid < 0 OR b.granted + b.paid < %(short)s
        OR b.owner_froze_at IS NOT NULL OR b.staff_froze_at IS NOT NULL OR b.unfrozen_at > %(lately)s
        OR EXISTS (SELECT FROM alerts_rule r WHERE r.account_id = b.account_id AND CASE r.kind
            WHEN 'balance_below' THEN r.is_armed <> (b.granted + b.paid >= r.amount * 1.25)
            WHEN 'monthly_spend' THEN r.told_window <> to_char(b.last_day, 'YYYY-MM')
            ELSE r.told_window <> b.last_day::text END)
        OR EXISTS (SELECT FROM alerts_watched w WHERE w.account_id = b.account_id AND (
            w.state IN ('depleted', 'suspended', 'paused balance', 'paused frozen') OR w.state LIKE 'grace%%'))
        OR EXISTS (SELECT FROM billing_topup t WHERE t.account_id = b.account_id AND t.ended_at > %(lately)s)
        OR EXISTS (SELECT FROM usage_campaign c WHERE c.account_id = b.account_id
            AND greatest(c.launched_at, c.paused_by_owner_at, c.resumed_at, c.finished_at) > %(lately)s),
        b.granted + b.paid >= %(comfort)s + greatest(%(short)s, (
            SELECT max(r.amount) * 1.25 FROM alerts_rule r
            WHERE r.account_id = b.account_id AND r.kind = 'balance_below'))
    FROM billing_balance b WHERE b.account_id = %(account)s"""


def notice(account_id: UUID) -> None:
    """Something moved: ask for an evaluation if there may be something to tell."""
    clock = time.monotonic()
    if _quiet_until.get(account_id, 0.0) > clock:
        return
    is_near, is_far = _glance(account_id, now=timezone.now())
    if is_near:
        from alerts.tasks import evaluate_account  # the tasks import what listens here

        nudge(evaluate_account, str(account_id), countdown=COUNTDOWN)
        _be_quiet(account_id, clock + ASKED_FOR)
    elif is_far:
        _be_quiet(account_id, clock + FAR_FOR)


def _glance(account_id: UUID, *, now: datetime) -> tuple[bool, bool]:
    """Whether there may be something to tell; and whether the next charges will hardly change that."""
    minute: Decimal = rate_card.current().rate("voice.minute", now)
    asked: dict[str, Any] = {
        "account": account_id, "lately": now - LATELY, "short": max(minute, CENT) * 2, "comfort": COMFORT,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(NEAR, asked)
        row = cursor.fetchone()
    return row or (False, True)


def _be_quiet(account_id: UUID, until: float) -> None:
    if len(_quiet_until) >= REMEMBERED:
        _quiet_until.clear()
    _quiet_until[account_id] = until
