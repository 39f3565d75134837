"""What the platform hears of top-ups. Derived from their rows, so a lost nudge or a crash loses nothing."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from accounts.json import timestamp
from alerts import webhooks
from billing.models import LedgerEntry, TopUp

WINDOW = timedelta(days=3)  # what ended longer ago is no news
TYPES = {
    TopUp.Status.SUCCEEDED: webhooks.Type.TOPUP_SUCCEEDED,
    TopUp.Status.FAILED: webhooks.Type.TOPUP_FAILED,
}


def topups_ended(account_id: UUID, *, now: datetime) -> None:
    """Queue `topup.succeeded` and `topup.failed` for what ended lately, each once. A canceled one is no failure."""
    if not webhooks.listening(now=now).exists():
        return
    lately = Q(status__in=TYPES, ended_at__gt=now - WINDOW, ended_at__lte=now)
    for topup in TopUp.objects.filter(lately, account=account_id).order_by("ended_at"):
        status = TopUp.Status(topup.status)
        data = _succeeded(topup) if status == TopUp.Status.SUCCEEDED else _failed(topup)
        key = f"topup:{topup.public_id}:{status}"
        webhooks.queue(account_id, key=key, type=TYPES[status], data=data, now=topup.ended_at or now)


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
