"""When a balance was depleted, from the ledger: the Balance itself remembers only what is so now."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F

from billing.models import LedgerEntry
from billing.money import CENT


@dataclass(frozen=True, slots=True)
class Depletion:
    """From the posting that took the balance below one cent to the one that lifted it; None: not lifted yet."""

    since: datetime
    until: datetime | None


def lasting_at(account_id: UUID, at: datetime) -> Depletion | None:
    """The depletion that a moment fell into."""
    entries = LedgerEntry.objects.filter(account_id=account_id).alias(
        left=F("granted_after") + F("paid_after")
    )
    last = entries.filter(recorded_at__lte=at).order_by("-seq").first()
    if last is None or last.balance_after >= CENT:
        return None
    enough = entries.filter(left__gte=CENT)
    before = enough.filter(seq__lt=last.seq).order_by("-seq").first()
    after = enough.filter(seq__gt=last.seq).order_by("seq").first()
    first = entries.filter(seq=before.seq + 1 if before else 1).get()
    return Depletion(first.recorded_at, after.recorded_at if after else None)
