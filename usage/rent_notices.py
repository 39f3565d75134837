"""Noticing at once that a credit may pay an unpaid rent, a moment after money moved and outside of the requests.

One query says which accounts have an unpaid number (accounts/afterwards.py); nearly always it is none. What this misses
is found by the sweep.
"""

from django.db.models import Min
from django.utils import timezone

from accounts.afterwards import Causes
from accounts.nudges import nudge
from billing import selectors
from usage import rents

QUIET = 5.0  # seconds before this process asks about the same account again


def look(moved: Causes) -> None:
    """Money moved: ask for the unpaid rents to be tried where the funds cover one."""
    waiting = rents.unpaid(now=timezone.now()).filter(account_id__in=moved).order_by()
    first = dict(
        waiting.values("account_id").annotate(first=Min("paid_until")).values_list("account_id", "first")
    )
    if not first:
        return
    from usage.tasks import renew_rents  # the tasks import what listens here

    for account_id, funds in selectors.balances_of(first).items():
        if not funds.frozen and rents.price_at(first[account_id]) <= funds.available:
            nudge(renew_rents, str(account_id), quiet=QUIET, caused_by=moved[account_id])
