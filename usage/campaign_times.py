"""Since when a campaign runs: so that the platform does not make up for the calls of a pause, all at once."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import F, Q

from billing.models import LedgerEntry
from billing.money import CENT
from billing.selectors import Funds
from usage.models import Campaign


def running_since(campaign: Campaign, allowed_since: datetime | None) -> datetime | None:
    """Of one that runs: when it last began to. `allowed_since` is what the function of that name found."""
    due = due_since(campaign)
    return max(due, allowed_since) if due and allowed_since else due


def due_since(campaign: Campaign) -> datetime | None:
    """Since when its own facts let it run; None before the launch."""
    moments = (campaign.launched_at, campaign.scheduled_at, campaign.resumed_at)
    return max(moment for moment in moments if moment) if campaign.launched_at else None


def allowed_since(account_id: UUID, funds: Funds, *, voice_minute: Decimal) -> datetime | None:
    """Since when freeze and balance have let an account's campaigns run, where they do now.

    From the ledger: the newest credit that lifted the balance over a minute of a call. None for no such thing.
    """
    entries = LedgerEntry.objects.filter(account_id=account_id).exclude(kind=LedgerEntry.Kind.CHARGE)
    credits = entries.annotate(
        change=F("granted") + F("paid"),
        before=F("granted_after") + F("paid_after") - F("granted") - F("paid"),
        paid_before=F("paid_after") - F("paid"),
    ).filter(change__gt=0)
    lifting = credits.filter(Q(before__lt=max(CENT, voice_minute)) | Q(paid_before__lt=0))
    lifted_at = lifting.order_by("-recorded_at").values_list("recorded_at", flat=True).first()
    return max((at for at in (funds.unfrozen_at, lifted_at) if at), default=None)
