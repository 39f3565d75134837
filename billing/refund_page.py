"""How refunds and disputes of one top-up are told to its customer."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import dateformat

from billing.models import Dispute, Mode, Refund, TopUp
from billing.money import usd

DAYS = "5 to 10 days"  # until a refund shows on a card
STATUS = Refund.Status


def returns_of(topup: TopUp) -> list[tuple[str, str]]:
    """What was taken out of a top-up again, or may be, oldest first: pairs of a name and its value."""
    refunds, disputes = list(topup.refunds.all()), list(topup.disputes.all())
    found: list[Refund | Dispute] = [*refunds, *(row for row in disputes if row.moves_money)]
    return [_told(row, topup) for row in sorted(found, key=lambda row: row.created_at)]


def _told(row: Refund | Dispute, topup: TopUp) -> tuple[str, str]:
    if isinstance(row, Refund):
        return f"Refund of {_day(row.created_at, topup)}", f"{usd(row.amount)}, {_refund(row)}"
    return f"Dispute of {_day(row.created_at, topup)}", f"{usd(row.amount)}, {_dispute(row)}"


def _refund(row: Refund) -> str:
    if row.status == STATUS.FAILED:
        return "failed; it is on your balance again"
    if row.mode == Mode.MANUAL:
        return "paid back to you"
    return "paid back to your card" if row.status == STATUS.SUCCEEDED else "on its way to your card"


def _dispute(row: Dispute) -> str:
    if row.status == Dispute.WON:
        return "ended; it is on your balance again"
    if row.status == Dispute.LOST:
        return "ended; your bank paid it back to your card"
    return "being decided by your bank"


def _day(at: datetime, topup: TopUp) -> str:
    return dateformat.format(at.astimezone(ZoneInfo(topup.account.timezone)), "j F Y")


def outcome(row: Refund) -> str:
    """What somebody reads who has just asked for it."""
    card = row.topup.card_name or "where it came from"
    if row.status == STATUS.FAILED:
        refused = f"The refund of {usd(row.amount)} was refused, and the money is on your balance again."
        return f"{refused} Please write to us."
    return f"{usd(row.amount)} goes back to {card}. It shows there within {DAYS}."
