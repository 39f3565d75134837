"""Noticing at once that accounts may be due for auto-topup, a moment after their charges and outside of the requests.

One query about all that moved within a second (accounts/afterwards.py). A crossing that this misses is found by the
sweep.
"""

from django.utils import timezone

from accounts.afterwards import Causes
from accounts.nudges import nudge
from billing import auto_due

QUIET = 5.0  # seconds: where a limit holds it back, every charge would ask again


def look(moved: Causes) -> None:
    """Money moved, or a hold: ask for a decision where auto-topup is on and may be due."""
    from billing.tasks import attempt_auto_topup  # the tasks import what listens here

    for account_id in auto_due.who_may_be_due(now=timezone.now(), among=moved):
        nudge(attempt_auto_topup, str(account_id), quiet=QUIET, caused_by=moved[account_id])
