"""Reconciliation: the processor's payments and refunds beside our top-ups and refunds, both ways.

Their side is listed by time, ours is asked for one by one where the list did not show it, so no edge of a time
window can hide or invent a difference. What differs is read again on both sides before it is told. A payment that
was never credited is settled here, as every other road would have done, and told all the same.
"""

import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts import ids
from accounts.models import Account
from billing import books, gateways, installation, notices, settling, topup_sweep
from billing.books import Difference, Ours
from billing.gateways import Payment, Rejected
from billing.models import Mode, Reconciliation, Refund, StaffNotice, TopUp
from billing.money import from_cents, usd

WINDOW = timedelta(days=3)
SLACK = timedelta(days=1)  # a payment may be made so long before or after what we compare it with
BEGINNING = datetime(2011, 1, 1, tzinfo=UTC)  # no processor of ours is older
BATCH = 200
NOTICES = 20  # of one run; the rest is told in one sentence
log = logging.getLogger(__name__)


def reconcile(*, since: datetime | None = None, full: bool = False, now: datetime) -> Reconciliation:
    """Compare what happened since then (three days, or since the last run) and all that is open or in question.

    Raises gateways.GatewayError and installation.WrongMode; then nothing is recorded.
    """
    if wrong := installation.mismatch():
        raise installation.WrongMode(wrong)
    since = BEGINNING if full else since or min(now - WINDOW, _last_until(default=now))
    run = Run(now=now)
    run.look_at_theirs(since - SLACK)
    run.look_at_ours(since)
    return run.record(since)


def reconcile_by_night(*, now: datetime) -> None:
    """When nothing could be compared, staff are told, and the next night looks further back."""
    try:
        reconcile(now=now)
    except (gateways.GatewayError, installation.WrongMode) as error:
        log.exception("Nothing was reconciled")
        text = f"The nightly comparison with the payment processor did not happen. {type(error).__name__}: {error}"
        notices.tell_staff(f"reconcile:not_done:{now:%Y-%m-%d}", text, now=now)


def _last() -> Reconciliation | None:
    return Reconciliation.objects.filter(mode=gateways.mode()).first()


def _last_until(*, default: datetime) -> datetime:
    last = _last()
    return last.until if last else default


class Run:
    """One comparison, as far as it has come."""

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

    def look_at_ours(self, since: datetime) -> None:
        """What the list of payments did not show, and what was in question before."""
        wanted = list(_ours(since, now=self.now) - self.topups)
        for start in range(0, len(wanted), BATCH):
            for ours in books.read(wanted[start : start + BATCH]).values():
                self._compare(ours, self._payment_of(ours.topup))
        unseen = [known for known in _in_question("payment") if known not in self.payments]
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
        if any(books.differences(ours, payment)):  # look again: both sides move while they are read
            again = self._payment(payment.id) if payment else None
            self.found += books.differences(books.read([ours.topup.pk])[ours.topup.pk], again)

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

    @transaction.atomic
    def record(self, since: datetime) -> Reconciliation:
        """Keep the result, and tell staff each difference once."""
        for difference in self.found[:NOTICES]:
            topup = TopUp.objects.filter(pk=ids.parse("top", difference.topup)).first()
            account_id = ids.parse("acct", difference.account)
            notices.tell_staff(
                difference.key, difference.text, account_id=account_id, topup=topup, now=self.now
            )
        if more := len(self.found[NOTICES:]):
            text = f"Reconciliation found {more} more differences than were told one by one."
            notices.tell_staff(f"reconcile:more:{self.now:%Y-%m-%d}", text, now=self.now)
        return Reconciliation.objects.create(
            ran_at=self.now, mode=self.gateway.mode, since=since, until=self.now, topups=len(self.topups),
            payments=len(self.payments),
            differences=[asdict(difference) | {"key": difference.key} for difference in self.found],
        )  # fmt: skip


def _ours(since: datetime, *, now: datetime) -> set[UUID]:
    """Top-ups that ended since then, were refunded since then, are open for a while, or were in question before."""
    mode = gateways.mode()
    rows = TopUp.objects.filter(
        Q(mode__in=(mode, Mode.MANUAL), ended_at__gte=since, ended_at__lt=now, status=TopUp.Status.SUCCEEDED)
        | Q(mode=mode, next_look_at__isnull=False, created_at__lt=now - topup_sweep.STUCK)
    )
    refunded = Refund.objects.filter(mode=mode, created_at__gte=since).values_list("topup_id", flat=True)
    left = {topup_id for known in _in_question("topup") if (topup_id := ids.parse("top", known))}
    return {*rows.values_list("pk", flat=True), *refunded, *left}


def _in_question(side: str) -> list[str]:
    """What the last run left open: it stays in question, however old, until staff are done with its notice."""
    last = _last()
    rows = [row for row in last.differences if not row["repaired"]] if last else []
    done = _looked_after([row["key"] for row in rows])
    return [row[side] for row in rows if row[side] and row["key"] not in done]


def _looked_after(keys: list[str]) -> set[str]:
    done = StaffNotice.objects.filter(key__in=keys, done_at__isnull=False)
    return set(done.values_list("key", flat=True))


# --- For customers --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """When everything of an account was last found to agree (None: not yet), and whether something is looked at."""

    agreed_at: datetime | None
    in_question: bool


def for_customers(account_id: UUID) -> Standing:
    """What members may know: only what concerns their own account."""
    own = ids.public("acct", account_id)
    runs = Reconciliation.objects.filter(mode=gateways.mode(), ran_at__gte=_opened_at(account_id))
    last = runs.first()
    mine = [row for row in last.differences if row["account"] == own and not row["repaired"]] if last else []
    keys = {row["key"] for row in mine}
    clean = runs.exclude(differences__contains=[{"account": own, "repaired": False}]).first()
    return Standing(clean.ran_at if clean else None, bool(keys - _looked_after(list(keys))))


def _opened_at(account_id: UUID) -> datetime:
    return Account.objects.values_list("created_at", flat=True).get(pk=account_id)
