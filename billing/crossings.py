"""Noticing at once that an account may be due for auto-topup, after each of its charges and at next to no cost.

While auto-topup is off nothing is asked and nothing published. While it is on, one query by primary keys, and not
after every charge where the balance is far above the threshold. A crossing that this misses is found by the sweep.
"""

import time
from uuid import UUID

from django.utils import timezone

from accounts.nudges import nudge
from billing import auto_due

# For how many seconds each process believes what it saw. The form forgets "off" in its own process.
OFF_FOR, FAR_FOR, ASKED_FOR = 300.0, 10.0, 5.0
REMEMBERED = 50_000  # accounts
COUNTDOWN = 1  # second: the task sees all the charges within it
_quiet_until: dict[UUID, float] = {}  # time.monotonic()


def notice(account_id: UUID) -> None:
    """Money moved, or a hold: ask for a decision if auto-topup is on and may be due."""
    clock = time.monotonic()
    if _quiet_until.get(account_id, 0.0) > clock:
        return
    seen = auto_due.glance(account_id, now=timezone.now())
    if seen is None:
        _be_quiet(account_id, clock + OFF_FOR)
    elif seen.may_be_due:
        from billing.tasks import attempt_auto_topup  # the tasks import what listens here

        nudge(attempt_auto_topup, str(account_id), countdown=COUNTDOWN)
        _be_quiet(account_id, clock + ASKED_FOR)  # where a limit holds it back, every charge would ask again
    elif seen.far:
        _be_quiet(account_id, clock + FAR_FOR)


def forget(account_id: UUID) -> None:
    """Auto-topup was saved: look again."""
    _quiet_until.pop(account_id, None)


def _be_quiet(account_id: UUID, until: float) -> None:
    if len(_quiet_until) >= REMEMBERED:
        _quiet_until.clear()
    _quiet_until[account_id] = until
