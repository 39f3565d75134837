"""What the platform hears of top-ups. Derived from their rows, so a lost nudge or a crash loses nothing."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, Min, OuterRef, QuerySet

from accounts.json import timestamp
from accounts.sweeps import while_there_is_time
from alerts import webhooks
from alerts.models import Delivery
from billing.models import LedgerEntry, TopUp

WINDOW = timedelta(days=3)  # what ended longer ago is no news
SECONDS = 5.0  # of a sweep
TYPES = {
    TopUp.Status.SUCCEEDED: webhooks.Type.TOPUP_SUCCEEDED,
    TopUp.Status.FAILED: webhooks.Type.TOPUP_FAILED,
}


def topups_ended(account_id: UUID, *, now: datetime) -> None:
    """Queue `topup.succeeded` and `topup.failed` for what ended lately, each once. A canceled one is no failure."""
    if not webhooks.listening(now=now).exists():
        return
    for topup in _ended_lately(now=now).filter(account=account_id).order_by("ended_at"):
        status = TopUp.Status(topup.status)
        data = _succeeded(topup) if status == TopUp.Status.SUCCEEDED else _failed(topup)
        key = f"topup:{topup.public_id}:{status}"
        webhooks.queue(account_id, key=key, type=TYPES[status], data=data, now=topup.ended_at or now)


def tell_of_topups(*, now: datetime) -> None:
    """For every account with one that no endpoint was told of: a failed top-up moves no money, so nothing else asks
    for it. A step of the sweep."""
    oldest = webhooks.listening(now=now).aggregate(at=Min("created_at"))["at"]
    if oldest is None:
        return
    told = Delivery.objects.filter(
        account=OuterRef("account"), type__in=list(TYPES.values()), created_at=OuterRef("ended_at")
    )
    untold = _ended_lately(now=now).filter(~Exists(told), ended_at__gte=oldest)
    accounts = untold.values_list("account", flat=True).distinct()
    for account_id in while_there_is_time(accounts, seconds=SECONDS):
        topups_ended(account_id, now=now)


def _ended_lately(*, now: datetime) -> QuerySet[TopUp]:
    return TopUp.objects.filter(status__in=list(TYPES), ended_at__gt=now - WINDOW, ended_at__lte=now)


def _succeeded(topup: TopUp) -> dict[str, object]:
    """As `POST /billing/v3/topup` answers; the balance is the one right after the credit."""
    credit = LedgerEntry.objects.get(account=topup.account_id, kind=LedgerEntry.Kind.TOPUP, key=str(topup.id))
    return _shown(topup) | {"balance": webhooks.exact(credit.granted_after + credit.paid_after)}


def _failed(topup: TopUp) -> dict[str, object]:
    """`reason` is the code of a declined card, or of what else happened; `detail` is its sentence."""
    reason = topup.decline_code or topup.failure_code
    return _shown(topup) | {"reason": reason, "detail": topup.failure_message}


def _shown(topup: TopUp) -> dict[str, object]:
    return {
        "id": topup.public_id,
        "status": topup.status,
        "origin": topup.origin,
        "amount": f"{topup.received or topup.amount:.2f}",
        "created_at": timestamp(topup.created_at),
    }
