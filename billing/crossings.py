"""Noticing at once that an account may be due for auto-topup, after each of its charges and at next to no cost.

While auto-topup is off nothing is asked and nothing published; while it is on, one query by primary keys. A crossing
that this misses is found by the sweep.
"""

import time
from uuid import UUID

from django.utils import timezone

from accounts.nudges import nudge
from billing import auto_due

OFF_FOR = (
    30.0  # seconds during which "off" is believed: the form forgets it in its own process, the sweep in all
)
REMEMBERED = 50_000  # accounts
COUNTDOWN = 1  # second: one task for all the charges within it
_off_until: dict[UUID, float] = {}  # time.monotonic()


def notice(account_id: UUID) -> None:
    """Money moved, or a hold: ask for a decision if auto-topup is on and may be due."""
    clock = time.monotonic()
    if _off_until.get(account_id, 0.0) > clock:
        return
    worth_it = auto_due.may_be_due(account_id, now=timezone.now())
    if worth_it is None:
        _remember_off(account_id, clock + OFF_FOR)
    elif worth_it:
        from billing.tasks import attempt_auto_topup  # the tasks import what listens here

        nudge(attempt_auto_topup, str(account_id), countdown=COUNTDOWN)


def forget(account_id: UUID) -> None:
    """Auto-topup was saved: look again."""
    _off_until.pop(account_id, None)


def _remember_off(account_id: UUID, until: float) -> None:
    if len(_off_until) >= REMEMBERED:
        _off_until.clear()
    _off_until[account_id] = until
