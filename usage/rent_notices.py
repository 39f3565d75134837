"""Noticing at once that a credit may pay an unpaid rent, after each movement of money and at next to no cost.

An account without an unpaid number is asked about once in five minutes. What this misses is found by the sweep.
"""

import time
from uuid import UUID

from django.utils import timezone

from accounts.nudges import nudge
from billing import selectors
from usage import phone_numbers, rents

# For how many seconds each process believes what it saw.
PAID_FOR, SHORT_FOR, ASKED_FOR = 300.0, 1.0, 5.0
REMEMBERED = 50_000  # accounts
COUNTDOWN = 1  # second: the task sees all the movements within it
_quiet_until: dict[UUID, float] = {}  # time.monotonic()


def notice(account_id: UUID) -> None:
    """Money moved: ask for the unpaid rents to be tried if the funds cover one."""
    clock = time.monotonic()
    if _quiet_until.get(account_id, 0.0) > clock:
        return
    now = timezone.now()
    first = (
        phone_numbers.rented(account_id).order_by("paid_until").values_list("paid_until", flat=True).first()
    )
    if first is None:
        quiet = PAID_FOR
    elif first > now:
        quiet = min(PAID_FOR, (first - now).total_seconds())
    elif rents.price_at(first) > selectors.balance_of(account_id).available:
        quiet = SHORT_FOR
    else:
        from usage.tasks import renew_rents  # the tasks import what listens here

        nudge(renew_rents, str(account_id), countdown=COUNTDOWN)
        quiet = ASKED_FOR  # while spending is frozen, every movement would ask again
    _be_quiet(account_id, clock + quiet)


def _be_quiet(account_id: UUID, until: float) -> None:
    if len(_quiet_until) >= REMEMBERED:
        _quiet_until.clear()
    _quiet_until[account_id] = until
