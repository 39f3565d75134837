"""One top-up beside its payment: everything in which our books and the processor's differ. It changes nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from accounts import ids
from billing import gateways
from billing.gateways import Payment
from billing.models import Customer, LedgerEntry, Mode, Refund, TopUp
from billing.money import from_cents, usd
from billing.payment_methods import CURRENCY

Status = TopUp.Status


@dataclass(frozen=True, slots=True)
class Difference:
    """What does not agree, with both sides in `text`. Ids are public ones, empty where unknown."""

    kind: str
    text: str
    account: str = ""
    topup: str = ""
    payment: str = ""
    repaired: bool = False  # it was so, and this run put it right

    @property
    def key(self) -> str:
        """The same difference has the same key in every run."""
        return f"reconcile:{self.kind}:{self.topup}:{self.payment}"


@dataclass(frozen=True, slots=True)
class Ours:
    """A top-up (its refunds with it) and what its ledger entry brought to the balance; None: it has none."""

    topup: TopUp
    posted: Decimal | None


def read(topup_ids: Iterable[UUID]) -> dict[UUID, Ours]:
    """Our side of these top-ups, as it is now."""
    topups = TopUp.objects.filter(pk__in=list(topup_ids)).prefetch_related("refunds").in_bulk()
    entries = LedgerEntry.objects.filter(
        kind=LedgerEntry.Kind.TOPUP, account_id__in={topup.account_id for topup in topups.values()},
        key__in=[str(pk) for pk in topups],
    )  # fmt: skip
    posted = {entry.key: entry.paid + entry.granted for entry in entries}
    return {pk: Ours(topup, posted.get(str(pk))) for pk, topup in topups.items()}


def differences(ours: Ours, payment: Payment | None) -> Iterator[Difference]:
    """A succeeded top-up, its ledger entry and its payment (None: the processor knows none)."""
    topup = ours.topup
    yield from _in_the_ledger(ours)
    if topup.mode == Mode.MANUAL or topup.status != Status.SUCCEEDED:
        return
    if payment is None:
        text = f"We credited {usd(topup.credited)}; the processor knows no payment {topup.payment_id}."
        yield of(topup, "missing", text)
    elif payment.id != topup.payment_id:
        yield from _second(topup, payment)
    else:
        yield from _of_the_payment(topup, payment)
        if refunds_differ(topup, payment):
            yield of(topup, "refunds", refunds_told(topup, payment))


def _in_the_ledger(ours: Ours) -> Iterator[Difference]:
    topup = ours.topup
    expected = topup.received if topup.status == Status.SUCCEEDED else None
    if ours.posted != expected:
        should = "nothing" if expected is None else usd(expected)
        has = "no entry" if ours.posted is None else usd(ours.posted)
        yield of(topup, "ledger", f"The top-up brought in {should}; the ledger has {has} for it.")


def _second(topup: TopUp, payment: Payment) -> Iterator[Difference]:
    """Paid twice, unless the second has gone back to the card."""
    if payment.status is gateways.Status.SUCCEEDED and payment.received > payment.refunded:
        text = (
            f"Charged twice: {topup.payment_id} brought {usd(topup.credited)} and was credited; "
            f"{payment.id} brought {usd(from_cents(payment.received))} more and was not. Refund it at the processor."
        )
        yield of(topup, "second_payment", text, payment=payment.id)


def _of_the_payment(topup: TopUp, payment: Payment) -> Iterator[Difference]:
    if payment.status is not gateways.Status.SUCCEEDED:
        text = f"We credited {usd(topup.credited)}; at the processor {payment.id} is {payment.status}."
        yield of(topup, "not_paid", text)
        return
    for kind, word, theirs, we_have in (
        ("received", "received", usd(from_cents(payment.received)), usd(topup.credited)),
        ("asked", "was asked for", usd(from_cents(payment.amount)), usd(topup.amount)),
        ("currency", "was paid in", payment.currency, CURRENCY),
        ("customer", "took it from", payment.customer or "nobody", topup.customer),
    ):
        if theirs != we_have:
            text = (
                f"{kind.capitalize()}: the processor {word} {theirs} ({payment.id}); our books say {we_have}."
            )
            yield of(topup, kind, text)


def refunds_differ(topup: TopUp, payment: Payment) -> bool:
    """What is on its way may or may not have reached the processor."""
    settled, open_ = _refunded(topup)
    return not settled <= from_cents(payment.refunded) <= settled + open_


def refunds_told(topup: TopUp, payment: Payment) -> str:
    settled, open_ = _refunded(topup)
    way = f" and {usd(open_)} on its way" if open_ else ""
    theirs = usd(from_cents(payment.refunded))
    return f"The processor refunded {theirs} of {payment.id}; our refunds are {usd(settled)}{way}."


def _refunded(topup: TopUp) -> tuple[Decimal, Decimal]:
    """Dollars of our refunds: done, and on their way."""
    rows = list(topup.refunds.all())
    done = sum((row.amount for row in rows if row.status == Refund.Status.SUCCEEDED), Decimal(0))
    return done, sum((row.amount for row in rows if row.status in Refund.OPEN), Decimal(0))


def unknown(payment: Payment) -> Iterator[Difference]:
    """A payment of this installation for a top-up that we do not have, unless it has gone back to the card."""
    if payment.status is gateways.Status.SUCCEEDED and payment.received > payment.refunded:
        owner = Customer.objects.filter(gateway_id=payment.customer or "").first()
        text = f"The processor received {usd(from_cents(payment.received))} by {payment.id} for "
        text += f"{payment.reference or 'no top-up'}, which we do not have; nothing was credited."
        account = ids.public("acct", owner.account_id) if owner else ""
        yield Difference("unknown_topup", text, account=account, payment=payment.id)


def of(topup: TopUp, kind: str, text: str, *, payment: str = "", repaired: bool = False) -> Difference:
    account = ids.public("acct", topup.account_id)
    return Difference(kind, text, account, topup.public_id, payment or topup.payment_id or "", repaired)
