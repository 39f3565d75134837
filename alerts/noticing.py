"""Noticing at once that an account may have news, after each movement of its money and at next to no cost.

Most charges change nothing: one query by keys says so, and where the balance is comfortable and no rule watches the
spending it is not even asked after every charge. A crossing that this misses is found by the sweep.
"""

import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar
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

GLANCE = "SELECT * FROM alerts_glance_1(%s, %s, %s, %s)"


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
    with connection.cursor() as cursor:
        cursor.execute(GLANCE, [account_id, now - LATELY, max(minute, CENT), COMFORT])
        row: tuple[bool, str, bool] | None = cursor.fetchone()
    return row or (False, "", True)


def _remember(memory: dict[UUID, T], account_id: UUID, what: T) -> None:
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[account_id] = what
