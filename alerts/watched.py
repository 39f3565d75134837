"""What was last known about the things of an account, kept under a lock of its own: two evaluations never overlap.

A memory, never a source. What is remembered is committed together with what was told about it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from accounts.models import Account
from alerts.models import Watched
from billing import selectors
from billing.selectors import Funds

WATCH = "watch"  # the subject whose row is the lock; its `since` is when watching began
UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One evaluation of an account: what it has now, and what was known. What began before `began` is no news."""

    account: Account
    funds: Funds
    now: datetime
    began: datetime
    known: dict[str, Watched] = field(repr=False)

    def state(self, subject: object) -> str:
        """The last known one, or UNKNOWN."""
        row = self.known.get(str(subject))
        return row.state if row else UNKNOWN

    def since(self, subject: object) -> datetime | None:
        row = self.known.get(str(subject))
        return row.since if row else None

    def is_news(self, subject: object, state: str, *, since: datetime) -> bool:
        """Whether it was not known yet; from now on it is."""
        before = self.known.get(str(subject))
        if before is not None and (before.state, before.since) == (state, since):
            return False
        self.known[str(subject)], _ = Watched.objects.update_or_create(
            account=self.account, subject=str(subject), defaults={"state": state, "since": since}
        )
        return True


def begin(account_id: UUID, *, now: datetime) -> None:
    """From its birth on, what happens to an account is told. Repeatable."""
    Watched.objects.get_or_create(
        account_id=account_id, subject=WATCH, defaults={"state": "on", "since": now}
    )


def look(account: Account, *, now: datetime) -> Look:
    """Take the account's lock, then read. Inside a transaction. Raises NoBalance."""
    begin(account.pk, now=account.opened_at or now)
    watch = Watched.objects.select_for_update().get(account=account, subject=WATCH)
    rows = {row.subject: row for row in Watched.objects.filter(account=account)}
    return Look(account, selectors.balance_of(account.pk), now, watch.since, rows)
