"""Disputes: the card holder's bank takes a payment back, and the balance with it, until the dispute is won.

An inquiry (`warning_…`) only asks and moves no money. An early fraud warning moves none either: staff may refund
before a dispute comes of it.
"""

from datetime import datetime

from django.db import transaction

from billing import auto_topup, claims, gateways, ledger, notices
from billing.models import AutoTopup, Dispute, TopUp
from billing.money import from_cents, usd


def record(dispute: gateways.Dispute, topup: TopUp, *, now: datetime) -> Dispute:
    """Make our row say what the processor says, in any order of events, and move the money once."""
    with transaction.atomic():
        ledger.lock(topup.account_id)
        topup = TopUp.objects.select_for_update().get(pk=topup.pk)
        row, _ = Dispute.objects.select_for_update().get_or_create(
            pk=dispute.id,
            defaults={
                "topup": topup, "mode": topup.mode, "amount": from_cents(dispute.amount), "created_at": now,
            },
        )  # fmt: skip
        if dispute.status != row.status and _stage(dispute.status) >= _stage(row.status):
            _advance(row, dispute.status, topup, now=now)
    return row


def _stage(status: str) -> int:
    """Late news never lead back: asked, asked no more, disputed, lost, won (a bank may still revoke a loss)."""
    ends = {"": 0, "warning_closed": 2, Dispute.LOST: 4, Dispute.WON: 5}
    return ends.get(status, 1 if status.startswith(Dispute.INQUIRY) else 3)


def _advance(row: Dispute, status: str, topup: TopUp, *, now: datetime) -> None:
    moved_money, row.status = row.moves_money, status
    row.save(update_fields=["status"])
    if row.moves_money and not moved_money:
        auto_topup.stop(topup.account_id, AutoTopup.Stopped.DISPUTED, now=now, topup=topup)
    if status == Dispute.WON:
        claims.give_back(row, topup)
    claims.take(topup)
    row.refresh_from_db()
    _tell(row, topup, now=now)


def _tell(row: Dispute, topup: TopUp, *, now: datetime) -> None:
    what = f"of {usd(row.amount)} on the top-up {topup.public_id} ({row.id})"
    if row.status == Dispute.WON:
        word, text = "won", f"The dispute {what} was won: {usd(row.taken)} went back to the balance."
    elif row.status == Dispute.LOST:
        word, text = "lost", f"The dispute {what} was lost: {usd(row.taken)} stays taken from the balance."
    elif row.moves_money:
        word = "opened"
        text = f"A dispute {what} took {usd(row.taken)} from the balance. Answer it at the processor in time."
    else:
        word = "inquiry"
        text = (
            f"The bank asks about a payment {what}. No money has moved; answer it at the processor in time."
        )
    notices.tell_staff(f"dispute:{row.id}:{word}", text, topup=topup, now=now)


def warn(warning: gateways.FraudWarning, topup: TopUp, *, now: datetime) -> None:
    """The card network suspects a payment: staff look, and refund it where it was not its card's holder."""
    text = (
        f"The card network warns of fraud ({warning.kind or 'no reason given'}) on the top-up {topup.public_id} of "
        f"{usd(topup.credited)}. No money has moved. A refund now may prevent a dispute."
    )
    notices.tell_staff(f"fraud:{warning.id}", text, topup=topup, now=now)
