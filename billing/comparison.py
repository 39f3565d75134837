"""One comparison of the processor's books with ours: what it reads, puts right and finds.

Their side is listed by time, ours is asked for one by one where the list did not show it, so no edge of a time
window can hide or invent a difference. A payment that was never credited is settled here, as every other road would
have done, and told all the same; so is a refund that nobody told us of.
"""

from contextlib import suppress
from datetime import datetime
from itertools import islice
from uuid import UUID

from accounts import ids
from billing import books, gateways, installation, refunds, settling, topup_sweep
from billing.books import Difference, Ours
from billing.gateways import Payment, Rejected
from billing.models import TopUp
from billing.money import from_cents, usd

BATCH = 200


class Comparison:
    """As far as it has come: what was looked at, and what was found."""

    def __init__(self, *, now: datetime) -> None:
        self.now = now
        self.gateway = gateways.gateway()
        self.installation = installation.installation_id()
        self.payments: set[str] = set()  # looked at, on their side
        self.topups: set[UUID] = set()  # compared with their own payment
        self.found: list[Difference] = []

    def look_at_theirs(self, since: datetime) -> None:
        payments = self.gateway.payments(since=since, until=self.now)
        while batch := list(islice(payments, BATCH)):
            self._match(batch)

    def look_at_ours(self, topup_ids: set[UUID]) -> None:
        """Those whose payment was not in the list."""
        wanted = list(topup_ids - self.topups)
        for start in range(0, len(wanted), BATCH):
            for ours in books.read(wanted[start : start + BATCH]).values():
                self._compare(ours, self._payment_of(ours.topup))

    def look_again_at(self, payment_ids: list[str]) -> None:
        unseen = [known for known in payment_ids if known not in self.payments]
        self._match([payment for known in unseen if (payment := self._payment(known))])

    def _match(self, payments: list[Payment]) -> None:
        mine = {p.id: p for p in payments if p.installation == self.installation}
        self.payments |= mine.keys()
        claimed = {p.id: ids.parse("top", p.reference or "") for p in mine.values()}
        ours = books.read(topup_id for topup_id in claimed.values() if topup_id)
        for payment in mine.values():
            topup_id = claimed[payment.id]
            if topup_id in ours:
                self._compare(ours[topup_id], payment)
            else:
                self.found += books.unknown(payment)

    def _compare(self, ours: Ours, payment: Payment | None) -> None:
        has_come = payment is not None and payment.status is gateways.Status.SUCCEEDED
        if payment and has_come and ours.topup.status != books.Status.SUCCEEDED:
            ours = self._settle(ours.topup, payment)
        if payment is None or payment.id == ours.topup.payment_id:
            self.topups.add(ours.topup.pk)
        if any(books.differences(ours, payment)):
            self._look_closer(ours.topup, payment)

    def _look_closer(self, topup: TopUp, payment: Payment | None) -> None:
        """Both sides move while they are read: what differs is read again before it is told."""
        payment = self._payment(payment.id) if payment else None
        ours = books.read([topup.pk])[topup.pk]
        found = list(books.differences(ours, payment))
        if payment and any(difference.kind == "refunds" for difference in found):
            ours = self._take_refunds_in(ours, payment)
            found = list(books.differences(ours, payment))
        self.found += found

    def _take_refunds_in(self, ours: Ours, payment: Payment) -> Ours:
        """Refunds whose event was lost: told like a credit that was missed."""
        text = books.refunds_told(ours.topup, payment)
        for refund in self.gateway.refunds(payment.id):
            with suppress(settling.NotOurs):  # then the difference stays and is told
                refunds.record(refund, ours.topup, now=self.now)
        after = books.read([ours.topup.pk])[ours.topup.pk]
        if not books.refunds_differ(after.topup, payment):
            text += " Our books follow now."
            self.found.append(books.of(after.topup, "refunds", text, repaired=True))
        return after

    def _settle(self, topup: TopUp, payment: Payment) -> Ours:
        """Credit what was missed. What is young, the sweep would have found by itself: that is not told."""
        amount = usd(from_cents(payment.received))
        was_missed = not topup.is_open or topup.created_at < self.now - topup_sweep.PAGE_OVER
        refusal = ""
        try:
            settling.settle(payment)
        except (settling.NotOurs, installation.WrongMode) as reason:
            refusal = str(reason)
        ours = books.read([topup.pk])[topup.pk]
        text = f"The processor received {amount} by {payment.id}, while our top-up was {topup.status}."
        if ours.topup.status != books.Status.SUCCEEDED:
            text += f" Nothing was credited: {refusal}"
            self.found.append(books.of(topup, "not_credited", text, payment=payment.id))
        elif was_missed and ours.topup.payment_id == payment.id:
            text += " It is credited now."
            self.found.append(books.of(topup, "not_credited", text, payment=payment.id, repaired=True))
        return ours

    def _payment_of(self, topup: TopUp) -> Payment | None:
        if topup.payment_id:
            return self._payment(topup.payment_id)
        if topup.customer:
            return self.gateway.find_payment(customer=topup.customer, reference=topup.public_id)
        return None

    def _payment(self, payment_id: str) -> Payment | None:
        try:
            return self.gateway.payment(payment_id)
        except Rejected as refusal:
            if refusal.code != "resource_missing":
                raise
            return None
