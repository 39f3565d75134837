"""Disputes: the card holder's bank takes a payment back, and the balance with it, until the dispute is won."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from billing import gateways, ledger
from billing.models import Dispute, LedgerEntry, TopUp
from billing.money import from_cents

WON, LOST = "won", "lost"


def record(dispute: gateways.Dispute, topup: TopUp, *, now: datetime | None = None) -> Dispute:
    """Make our row say what the processor says, in any order of events, and move the money once.

    Takes at most what the top-up brought in and other disputes have left. Inquiries (`warning_…`) move nothing.
    """
    with transaction.atomic():
        ledger.lock(topup.account_id)
        topup = TopUp.objects.select_for_update().get(pk=topup.pk)
        row, _ = Dispute.objects.select_for_update().get_or_create(
            pk=dispute.id,
            defaults={
                "topup": topup, "mode": topup.mode, "amount": from_cents(dispute.amount),
                "status": dispute.status, "created_at": now or timezone.now(),
            },
        )  # fmt: skip
        if row.status not in (WON, LOST):  # the last word has been spoken
            row.status = dispute.status
        _move(row, topup, now=now)
        row.save()
    return row


def _move(row: Dispute, topup: TopUp, *, now: datetime | None) -> None:
    actor, key = f"gateway {topup.mode}", row.id
    if row.status == WON:
        if row.taken:
            kind = LedgerEntry.Kind.DISPUTE_WON
            ledger.give_back(topup.account_id, kind, row.taken, key=key, actor=actor, now=now)
    elif not row.status.startswith("warning_") and not row.taken:
        row.taken = min(row.amount, left(topup))
        if row.taken:
            kind = LedgerEntry.Kind.DISPUTE
            ledger.take_back(topup.account_id, kind, row.taken, key=key, actor=actor, now=now)


def left(topup: TopUp) -> Decimal:
    """What a top-up brought in and no dispute has taken, in dollars."""
    taken = topup.disputes.exclude(status=WON).aggregate(total=Sum("taken"))["total"]
    return topup.credited - (taken or Decimal(0))
