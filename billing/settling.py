"""Settling: how the news of a payment becomes our row's state and, once, the account's money.

The answer, the webhook, the return page and the sweep all call `settle`, in any order and any number of times.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts import ids
from accounts.models import Account
from billing import auto_outcomes, auto_topup, gateways, installation, ledger, letters, notices
from billing.gateways import Payment
from billing.models import Mode, TopUp
from billing.money import from_cents
from billing.payment_methods import CURRENCY

FIRST_LOOK = timedelta(minutes=1)  # of the sweep, doubling up to the last
LAST_LOOK = timedelta(hours=1)
Status = TopUp.Status


class NotOurs(Exception):
    """A payment that claims a top-up of ours but does not fit it. Nothing was credited."""


def settle(payment: Payment, *, now: datetime | None = None) -> TopUp | None:
    """Make our row say what the payment says, and credit what was received, once. None: not a top-up of ours.

    The only place where payments become money. Succeeded beats every other word, whenever it comes. `now` is
    given by tests and demo data only. Raises NotOurs and installation.WrongMode; then nothing was credited.
    """
    topup_id = ids.parse("top", payment.reference or "")
    rows = TopUp.objects.filter(pk=topup_id) if topup_id else TopUp.objects.none()
    account_id = rows.values_list("account_id", flat=True).first()
    if account_id is None:
        return None
    with transaction.atomic():
        ledger.lock(account_id)
        topup = rows.select_for_update().get()
        before = topup.status
        _refuse_foreign(topup, payment)
        if payment.status is gateways.Status.SUCCEEDED:
            _credit(topup, payment, now=now)
        elif topup.is_open:
            _follow(topup, payment, now=now or timezone.now())
        topup.save()
        if topup.status != before:
            _tell(topup, now=now or timezone.now())
    return topup


def _tell(topup: TopUp, *, now: datetime) -> None:
    """What a new state means for auto-topup and which letter it writes, in the transaction that made it."""
    if topup.status == Status.SUCCEEDED:
        letters.topup_added(topup, now=now)
        auto_topup.succeeded(topup, now=now)
        _tell_of_closed(topup, now=now)
    elif topup.origin == TopUp.Origin.AUTO:
        auto_outcomes.followed(topup, now=now)


def _tell_of_closed(topup: TopUp, *, now: datetime) -> None:
    """Money that came after its account was closed belongs to somebody who can no longer sign in."""
    if Account.objects.filter(pk=topup.account_id, closed_at__isnull=False).exists():
        text = f"{topup.public_id} was paid after its account was closed. Refund it; until then nothing is erased."
        notices.tell_staff(f"closed-topup:{topup.pk}", text, topup=topup, now=now)


def _refuse_foreign(topup: TopUp, payment: Payment) -> None:
    if topup.mode != gateways.mode():
        raise NotOurs(f"{topup.public_id} belongs to mode {topup.mode}.")
    if payment.installation != installation.installation_id():
        raise NotOurs(f"The payment {payment.id} belongs to another installation.")
    if payment.customer != topup.customer:
        raise NotOurs(f"{topup.public_id} is not of the customer {payment.customer}.")
    if payment.currency != CURRENCY:
        raise NotOurs(f"The payment {payment.id} is in {payment.currency}.")
    if topup.status == Status.SUCCEEDED and topup.payment_id != payment.id:
        raise NotOurs(f"{topup.public_id} was paid by {topup.payment_id}; {payment.id} is another payment.")


def _credit(topup: TopUp, payment: Payment, *, now: datetime | None) -> None:
    _learn(topup, payment)
    if topup.status == Status.SUCCEEDED:
        return
    if payment.received <= 0:
        raise NotOurs(f"The payment {payment.id} brought in nothing.")
    installation.pin(Mode(topup.mode))
    topup.received = from_cents(payment.received)
    ledger.credit_topup(topup.account_id, topup.received, key=str(topup.id), actor=topup.actor, now=now)
    topup.status, topup.ended_at, topup.next_look_at = Status.SUCCEEDED, now or timezone.now(), None
    topup.action_url = topup.failure_code = topup.decline_code = topup.failure_message = ""
    topup.declined_at = None


def _learn(topup: TopUp, payment: Payment) -> None:
    topup.payment_id = payment.id or topup.payment_id
    topup.brand = payment.brand or topup.brand
    topup.last4 = payment.last4 or topup.last4
    topup.receipt_url = payment.receipt_url or topup.receipt_url


def _follow(topup: TopUp, payment: Payment, *, now: datetime) -> None:
    """An open top-up follows its payment; what is known to be over is never reopened by late news."""
    _learn(topup, payment)
    topup.next_look_at = next_look(topup, now=now)
    is_waiting_page = topup.page_id and topup.status != Status.PROCESSING and payment.status in (
        gateways.Status.FAILED, gateways.Status.REQUIRES_ACTION, gateways.Status.OPEN
    )  # fmt: skip
    if is_waiting_page:  # the page takes another card, and leads to the bank by itself
        return
    if payment.status is gateways.Status.PROCESSING:
        topup.status, topup.action_url = Status.PROCESSING, ""
    elif payment.status is gateways.Status.REQUIRES_ACTION:
        topup.status, topup.action_url = Status.REQUIRES_ACTION, payment.action_url
    elif payment.status is gateways.Status.FAILED and _wants_its_holder(topup, payment):
        topup.status = Status.REQUIRES_ACTION
    elif payment.status in (gateways.Status.FAILED, gateways.Status.CANCELED):
        _finish_unpaid(topup, payment, now=now)


def _wants_its_holder(topup: TopUp, payment: Payment) -> bool:
    return topup.off_session and payment.code == "authentication_required"


def _finish_unpaid(topup: TopUp, payment: Payment, *, now: datetime) -> None:
    declined = payment.status is gateways.Status.FAILED
    topup.declined_at = now if declined else None
    topup.ended_at, topup.next_look_at, topup.action_url = now, None, ""
    if not declined and topup.failure_code in (
        auto_topup.SUPERSEDED,
        auto_outcomes.EXPIRED,
    ):  # canceled by us
        expired = topup.failure_code == auto_outcomes.EXPIRED
        topup.status = Status.FAILED if expired else Status.CANCELED
        topup.failure_message = "The payment was not confirmed in time." if expired else ""
        return
    topup.status = Status.FAILED if declined else Status.CANCELED
    topup.failure_code, topup.decline_code = payment.code, payment.decline_code
    topup.failure_message = payment.message[:400]


def still_open(topup: TopUp, *, now: datetime | None, **changes: object) -> None:
    changes["next_look_at"] = next_look(topup, now=now or timezone.now())
    TopUp.objects.filter(pk=topup.pk, status__in=TopUp.OPEN).update(**changes)


def end(
    topup: TopUp, status: TopUp.Status, *, code: str = "", message: str = "", now: datetime | None = None
) -> None:
    """End a top-up that no payment came of, unless it has ended meanwhile."""
    with transaction.atomic():
        ledger.lock(topup.account_id)
        row = TopUp.objects.select_for_update().get(pk=topup.pk)
        if not row.is_open:
            return
        row.status, row.failure_code, row.failure_message = status, code, message[:400]
        row.ended_at, row.next_look_at, row.action_url = now or timezone.now(), None, ""
        row.save()
        _tell(row, now=row.ended_at)


def next_look(topup: TopUp, *, now: datetime) -> datetime:
    """When the sweep looks again: soon after the beginning, then ever more rarely, hourly at last."""
    return now + min(max(now - topup.created_at, FIRST_LOOK), LAST_LOOK)
