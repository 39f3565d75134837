"""Receipts: one for every top-up that was paid, its number being the `top_…` id, and what has gone back of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.models import BillingDetails, Dispute, Mode, Refund, TopUp
from billing.money import ZERO

BY_HAND = "Bank transfer or other direct payment"
RECEIVED = (TopUp.Status.SUCCEEDED, TopUp.Status.PROCESSING)
REFUND_NOTES: dict[str, str] = {
    Refund.Status.CREATED: "On its way to you",
    Refund.Status.PENDING: "On its way to you",
    Refund.Status.FAILED: "Did not go through: the money is back on your balance",
}
DISPUTE_WON = "Decided: the payment stands, and the money is back on your balance"


@dataclass(frozen=True, slots=True)
class Return:
    """Something that went back of a top-up (`amount` is negative), or that tried to and is not gone."""

    number: str
    what: str
    at: datetime
    amount: Decimal
    note: str
    is_gone: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    topup: TopUp
    buyer: BillingDetails
    method: str
    returns: list[Return]

    @property
    def amount(self) -> Decimal:
        amount: Decimal = self.topup.received or self.topup.amount
        return amount

    @property
    def is_paid(self) -> bool:
        return self.topup.status == TopUp.Status.SUCCEEDED

    @property
    def is_rehearsal(self) -> bool:
        return self.topup.mode in (Mode.SANDBOX, Mode.STRIPE_TEST)

    @property
    def left(self) -> Decimal:
        """What was paid and has not gone back."""
        return self.amount + sum((back.amount for back in self.returns if back.is_gone), ZERO)


def details_of(account_id: UUID) -> BillingDetails:
    """What the account wants printed; an unsaved row where it never said."""
    found = BillingDetails.objects.filter(pk=account_id).first()
    return found or BillingDetails(account_id=account_id)


def method_of(topup: TopUp) -> str:
    """`Visa •••• 4242`."""
    return BY_HAND if topup.mode == Mode.MANUAL else topup.card_name


def of_topup(topup: TopUp) -> Receipt | None:
    """The receipt of a top-up; None while nothing was received, or if nothing ever was."""
    if topup.status not in RECEIVED:
        return None
    returns = [*_refunds(topup), *_disputes(topup)]
    returns.sort(key=lambda back: back.at)
    return Receipt(topup, details_of(topup.account_id), method_of(topup), returns)


def _refunds(topup: TopUp) -> list[Return]:
    return [
        Return(
            row.public_id, "Refund", row.created_at, -row.amount, REFUND_NOTES.get(row.status, ""),
            row.status != Refund.Status.FAILED,
        )
        for row in topup.refunds.all()
    ]  # fmt: skip


def _disputes(topup: TopUp) -> list[Return]:
    """Those that took money; an inquiry takes none."""
    return [
        Return(
            row.id, "Dispute", row.created_at, -row.taken, DISPUTE_WON if row.status == Dispute.WON else "",
            row.status != Dispute.WON,
        )
        for row in topup.disputes.filter(taken__gt=0)
    ]  # fmt: skip
