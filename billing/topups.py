"""Top-ups: from the row, committed before the processor is asked, to the credit that is posted once.

`begin` writes the row, `pay` asks the processor, and whatever it answers goes to `settling.settle`, the only way
money comes in.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts import ids
from billing import (
    auto_topup,
    closing,
    gateways,
    installation,
    ledger,
    letters,
    notices,
    payment_methods,
    topup_limits,
)
from billing.errors import FormReused, IdempotencyKeyReused, PaymentsUnavailable
from billing.gateways import Misconfigured, Page, Payment, ReferenceReused, Rejected, Unavailable
from billing.models import Mode, PaymentMethod, TopUp
from billing.money import to_cents
from billing.settling import FIRST_LOOK, end, settle, still_open

CURRENCY = payment_methods.CURRENCY
DESCRIPTION = "Account credit"
SAME_REQUEST = timedelta(seconds=10)  # without an Idempotency-Key
PAGE_LIFE = timedelta(hours=1)
Status, Origin = TopUp.Status, TopUp.Origin
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants to add. `amount`: dollars, within the limits. `card`: empty for the processor's page."""

    amount: Decimal
    origin: TopUp.Origin
    actor: str
    card: str = ""
    save_card: bool = False
    topup_id: UUID | None = None  # carried by the form: sent twice, it is one payment
    idempotency_key: str | None = None


# --- Beginning ------------------------------------------------------------------------------------------------


def begin(account_id: UUID, order: Order, *, now: datetime) -> tuple[TopUp, bool]:
    """The committed row of an order, and whether it is new; then `pay` it. A repeat answers the first row.

    Raises PaymentMethodNotFound, IdempotencyKeyReused, FormReused, TooManyTopUps, CardTesting,
    PaymentsUnavailable, and Unavailable when the processor must first know the account and does not answer.
    """
    if wrong := installation.mismatch():
        log.error(wrong)
        raise PaymentsUnavailable("Nothing was charged. Please write to us.")
    card = payment_methods.find(account_id, order.card) if order.card else None
    customer = card.customer if card else payment_methods.customer_of(account_id)
    with transaction.atomic(durable=True):  # durable: the row must be there before the processor is asked
        closing.lock_if_open(account_id)
        seen = _repeated(account_id, order, now=now)
        if seen is not None:
            return seen, False
        topup_limits.check(account_id, now=now)
        return insert(account_id, order, customer=customer, card=card, now=now), True


def insert(
    account_id: UUID, order: Order, *, customer: str, card: PaymentMethod | None, now: datetime
) -> TopUp:
    """The row of an order that is allowed, under the Balance lock. Commit it, then `pay`."""
    topup = TopUp(
        id=order.topup_id or ids.uuid7(), account_id=account_id, mode=gateways.mode(), origin=order.origin,
        actor=order.actor, amount=order.amount, card=order.card, customer=customer, description=DESCRIPTION,
        save_card=order.save_card, off_session=order.origin in (Origin.API, Origin.AUTO), created_at=now,
        idempotency_key=order.idempotency_key, brand=card.brand if card else "",
        last4=card.last4 if card else "", next_look_at=now + FIRST_LOOK,
    )  # fmt: skip
    topup.return_url = f"{page_url(topup)}?returned=1"
    topup.save(force_insert=True)
    return topup


def _repeated(account_id: UUID, order: Order, *, now: datetime) -> TopUp | None:
    """The top-up that this order already made, if any. Under the Balance lock."""
    wanted = {"amount": order.amount, "card": order.card}
    if order.topup_id is not None:
        seen = TopUp.objects.filter(pk=order.topup_id).first()
        if seen is not None and (seen.account_id, seen.amount, seen.card) != (account_id, *wanted.values()):
            raise FormReused(
                "This form was sent before for another amount or card. Nothing more was charged."
            )
        return seen
    own = TopUp.objects.filter(account_id=account_id)
    if order.idempotency_key is not None:
        seen = own.filter(idempotency_key=order.idempotency_key).first()
        if seen is not None and (seen.amount, seen.card) != tuple(wanted.values()):
            raise IdempotencyKeyReused("Send a new key for a new top-up. Nothing was charged.")
        return seen
    recent = own.filter(**wanted, created_at__gt=now - SAME_REQUEST)
    return recent.exclude(status__in=(Status.FAILED, Status.CANCELED)).order_by("created_at").last()


# --- Asking the processor -------------------------------------------------------------------------------------


def pay(topup: TopUp, *, again: bool = False, now: datetime | None = None) -> TopUp:
    """Ask the processor and settle its answer. Repeatable within a day: one row, one key, one payment.

    `again`: it may have been sent before, and been paid; then a refusal now does not end it unseen.
    """
    try:
        answer = _ask(topup)
    except (Unavailable, ReferenceReused) as error:
        log.warning("%s: outcome unknown: %s", topup.public_id, error)
        still_open(topup, now=now, status=Status.UNKNOWN)
    except Rejected as refusal:
        if not (again and look(topup, now=now).payment_id):
            _refused(topup, refusal, now=now)
    except Misconfigured as error:
        log.error("%s: the processor does not accept our credentials: %s", topup.public_id, error)
        _tell_staff(error, topup, now=now or timezone.now())
        if again:
            still_open(topup, now=now, status=Status.UNKNOWN)
        else:
            end(
                topup, Status.FAILED, code="misconfigured", message="Payments are not available now.", now=now
            )
    else:
        _take(topup, answer, now=now)
    topup.refresh_from_db()
    return topup


def _ask(topup: TopUp) -> Payment | Page:
    gateway = gateways.gateway()
    frozen: dict[str, Any] = {
        "reference": topup.public_id, "customer": topup.customer, "amount": to_cents(topup.amount),
        "currency": CURRENCY, "description": topup.description,
    }  # fmt: skip
    if topup.card:
        return gateway.charge(
            **frozen, card=topup.card, off_session=topup.off_session, return_url=topup.return_url
        )
    return gateway.checkout(
        **frozen, success_url=topup.return_url, cancel_url=topup.return_url, save_card=topup.save_card,
        expires_at=topup.created_at + PAGE_LIFE,
    )  # fmt: skip


def _refused(topup: TopUp, refusal: Rejected, *, now: datetime | None) -> None:
    said = payment_methods.explain(refusal)
    end(topup, Status.FAILED, code=refusal.code or "rejected", message=said, now=now)
    at = now or timezone.now()
    payment_methods.learn(refusal, customer=topup.customer, card=topup.card, now=at)


def _tell_staff(error: Misconfigured, topup: TopUp, *, now: datetime) -> None:
    """Once a day: whoever wants to pay meets it."""
    text = f"The processor does not accept our credentials, so nobody can pay: {error}"
    notices.tell_staff(f"misconfigured:{now:%Y-%m-%d}", text, topup=topup, now=now)


def _take(topup: TopUp, answer: Payment | Page, *, now: datetime | None) -> None:
    if isinstance(answer, Payment):
        settle(answer, now=now)
    else:
        facts = {"page_id": answer.id, "action_url": answer.url}
        still_open(topup, now=now, status=Status.REQUIRES_ACTION, **facts)


def look(topup: TopUp, *, now: datetime | None = None) -> TopUp:
    """Ask the processor what has become of a top-up, and settle that."""
    gateway = gateways.gateway()
    if topup.payment_id:
        payment: Payment | None = gateway.payment(topup.payment_id)
    else:
        payment = gateway.find_payment(customer=topup.customer, reference=topup.public_id)
    if payment is not None:
        settle(payment, now=now)
    topup.refresh_from_db()
    return topup


def confirm(topup: TopUp, *, now: datetime | None = None) -> TopUp:
    """The card holder is here to confirm an off-session payment: go on with the same payment."""
    mine = TopUp.objects.filter(
        pk=topup.pk, status=Status.REQUIRES_ACTION, confirmations=topup.confirmations
    ).update(confirmations=topup.confirmations + 1)
    if not mine or not topup.payment_id:
        return look(topup, now=now)
    reference = f"{topup.public_id}:{topup.confirmations + 1}"
    try:
        payment = gateways.gateway().confirm(
            reference=reference, payment_id=topup.payment_id, card=topup.card, return_url=topup.return_url
        )
    except Rejected:  # it is past confirming: whatever it is now counts
        return look(topup, now=now)
    settle(payment, now=now)
    topup.refresh_from_db()
    return topup


def withdraw(topup: TopUp, *, why: str = "", now: datetime | None = None) -> TopUp:
    """Cancel a payment that waits for its card holder: at the processor first. If that was too late, it counts."""
    gateway = gateways.gateway()
    if topup.status != Status.REQUIRES_ACTION:
        return topup
    if why:  # written first: whoever hears that it was canceled must know that it was us
        TopUp.objects.filter(pk=topup.pk, status=Status.REQUIRES_ACTION).update(failure_code=why)
    if topup.page_id:
        try:
            gateway.close_page(topup.page_id)
        except Rejected as refusal:  # closed already
            log.info("%s: %s", topup.public_id, refusal)
        if look(topup, now=now).status == Status.REQUIRES_ACTION:
            end(topup, Status.CANCELED, now=now)
    elif topup.payment_id:
        settle(gateway.cancel(topup.payment_id), now=now)
    topup.refresh_from_db()
    return topup


def record_manual(
    account_id: UUID, amount: Decimal, *, actor: str, reason: str, now: datetime | None = None,
    topup_id: UUID | None = None,
) -> TopUp:  # fmt: skip
    """A settled top-up that no processor knows, such as a bank transfer: whole cents, with a reason."""
    at = now or timezone.now()
    with transaction.atomic():
        closing.lock_if_open(account_id)
        topup = TopUp.objects.create(
            id=topup_id or ids.uuid7(), account_id=account_id, mode=Mode.MANUAL, origin=Origin.STAFF,
            actor=actor, reason=reason,
            amount=amount, received=amount, description=DESCRIPTION, status=Status.SUCCEEDED,
            created_at=at, ended_at=at,
        )  # fmt: skip
        ledger.credit_topup(account_id, amount, key=str(topup.id), actor=actor, now=now)
        letters.topup_added(topup, now=at)
        auto_topup.succeeded(topup, now=at)
    return topup


# --- Asking about them ----------------------------------------------------------------------------------------


def page_url(topup: TopUp) -> str:
    """The page of one top-up, absolute: what the processor returns to, and what the API hands out."""
    return settings.SITE_URL + reverse("topup", args=[topup.public_id])


def in_progress(account_id: UUID) -> tuple[bool, str | None]:
    """Whether a top-up is on its way and, if one waits for its card holder, the page to confirm it on."""
    open_ones = TopUp.objects.filter(account_id=account_id, next_look_at__isnull=False)
    found = list(open_ones.order_by("-created_at")[:20])
    waiting = [topup for topup in found if topup.status == Status.REQUIRES_ACTION]
    return bool(found), page_url(waiting[0]) if waiting else None
