"""The far side of the sandbox: what the card holder, the bank and the processor's own staff do there.

The gateway calls it for charges, the sandbox's pages for what happens on them. Amounts in cents.
"""

import secrets
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from billing.gateways import (
    Card,
    Dispute,
    FraudWarning,
    Page,
    Payment,
    Refund,
    Rejected,
    Status,
    is_sandbox,
    sandbox_cards,
)
from billing.gateways.sandbox_events import deliver_waiting, emit
from billing.models import (
    Installation,
    SandboxCard,
    SandboxDispute,
    SandboxPage,
    SandboxPayment,
    SandboxRefund,
)

EXPIRY = (12, 2034)  # of every test card
NOT_CONFIRMED = ("payment_intent_authentication_failure", "", "The payment was not confirmed with the bank.")
MUST_CONFIRM = (
    "authentication_required",
    "authentication_required",
    "Your card was declined. This payment must be confirmed with your bank.",
)


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def kind_of(card: SandboxCard) -> sandbox_cards.TestCard:
    kind = sandbox_cards.by_token(card.kind)
    assert kind is not None  # only known kinds are stored
    return kind


def as_card(card: SandboxCard) -> Card:
    kind = kind_of(card)
    return Card(card.id, card.customer_id, kind.brand, kind.last4, *EXPIRY)


def as_payment(row: SandboxPayment) -> Payment:
    kind, status = kind_of(row.card), Status(row.status)
    waiting = status is Status.REQUIRES_ACTION
    return Payment(
        id=row.id, status=status, amount=row.amount, received=row.received, currency=row.currency,
        customer=row.customer_id, card=row.card_id, reference=row.reference, installation=installation(),
        code=row.code, decline_code=row.decline_code, message=row.message,
        action_url=settings.SITE_URL + reverse("sandbox_confirm", args=[row.id]) if waiting else "",
        brand=kind.brand, last4=kind.last4, refunded=refunded(row),
    )  # fmt: skip


def refunded(row: SandboxPayment) -> int:
    gone = [refund.amount for refund in row.refunds.all() if refund.status not in ("failed", "canceled")]
    return sum(gone)


def installation() -> str:
    return str(Installation.objects.values_list("id", flat=True).get())


def tell(type_: str, subject: object, *, reference: str | None = None, now: datetime) -> None:
    """Write an event. Only what we made carries our metadata: not disputes, nor refunds made by hand."""
    ours = installation() if reference else None
    emit(new_id("evt"), type_, subject, reference=reference, installation=ours, now=now)


def tell_payment(type_: str, row: SandboxPayment, *, now: datetime) -> None:
    tell(f"payment_intent.{type_}", as_payment(row), reference=row.reference, now=now)


# --- cards --------------------------------------------------------------------------------------------------


def attach(customer: str, token: str, *, authenticated: bool = False, now: datetime) -> SandboxCard:
    """Save a test card for a customer. Raises Rejected for cards that a bank would not let be saved."""
    kind = sandbox_cards.by_token(token)
    if kind is None:
        raise Rejected(f"No such PaymentMethod: '{token}'", "resource_missing")
    if not kind.attachable:
        code, _, message = kind.decline or ("", "", "This cannot be saved for later.")
        raise Rejected(message, code)
    card = SandboxCard.objects.create(
        id=new_id("pm"), kind=token, authenticated=authenticated, created_at=now
    )
    return keep(card, customer, now=now)


@transaction.atomic
def save_by_token(customer: str, token: str, *, now: datetime) -> Card:
    """For commands and demo data: what the card holder would do on the page that saves a card."""
    return as_card(attach(customer, token, now=now))


def keep(card: SandboxCard, customer: str, *, now: datetime) -> SandboxCard:
    card.customer_id = customer
    card.save()
    tell("payment_method.attached", as_card(card), now=now)
    return card


# --- payments -----------------------------------------------------------------------------------------------


def attempt(row: SandboxPayment, *, off_session: bool, now: datetime) -> None:
    """The bank looks at a payment for the first time."""
    kind = kind_of(row.card)
    if not kind.confirm or (kind.confirm == "setup" and row.card.authenticated):
        finish(row, now=now)
    elif off_session:
        fail(row, *MUST_CONFIRM, now=now)
    else:
        row.status = Status.REQUIRES_ACTION
        row.code = row.decline_code = row.message = ""
        row.save()
        tell_payment("requires_action", row, now=now)


def finish(row: SandboxPayment, *, now: datetime) -> None:
    """The bank decides."""
    kind = kind_of(row.card)
    if kind.decline:
        fail(row, *kind.decline, now=now)
    elif kind.arrives_after:
        row.status, row.arrives_at = Status.PROCESSING, now + kind.arrives_after
        row.save()
        tell_payment("processing", row, now=now)
    else:
        succeed(row, now=now)


def succeed(row: SandboxPayment, *, now: datetime) -> None:
    row.status, row.received, row.arrives_at = Status.SUCCEEDED, row.amount, None
    row.code = row.decline_code = row.message = ""
    row.save()
    tell_payment("succeeded", row, now=now)
    if kind_of(row.card).disputed:
        open_dispute(row, now=now)


def fail(row: SandboxPayment, code: str, decline_code: str, message: str, *, now: datetime) -> None:
    row.status, row.code, row.decline_code, row.message = Status.FAILED, code, decline_code, message
    row.save()
    tell_payment("payment_failed", row, now=now)


@transaction.atomic
def answer_challenge(payment_id: str, *, confirmed: bool, now: datetime) -> SandboxPayment:
    """The card holder confirms, or refuses, on the bank's page."""
    row = SandboxPayment.objects.select_for_update().get(pk=payment_id)
    if row.status != Status.REQUIRES_ACTION:
        return row
    if not confirmed:
        fail(row, *NOT_CONFIRMED, now=now)
        return row
    row.card.authenticated = True
    row.card.save()
    finish(row, now=now)
    complete(row, now=now)
    return row


@transaction.atomic
def bring_in_debits(*, now: datetime) -> None:
    """Bank debits whose time has come arrive."""
    due = SandboxPayment.objects.filter(arrives_at__lte=now).select_for_update(skip_locked=True)
    for row in due:
        succeed(row, now=now)


# --- pages --------------------------------------------------------------------------------------------------


@transaction.atomic
def pay_on_page(page_id: str, kind: sandbox_cards.TestCard, *, now: datetime) -> SandboxPayment:
    """Somebody pays on the hosted page. A decline leaves the page open for another card."""
    page = _open_page(page_id, now=now)
    assert page.amount is not None  # else it only saves a card
    row = page.payments.first()
    card = SandboxCard.objects.create(id=new_id("pm"), kind=kind.token, created_at=now)
    if row is None:
        row = SandboxPayment(
            id=new_id("pi"), customer=page.customer, page=page, reference=page.reference, created_at=now,
            amount=page.amount, currency=page.currency, return_url=page.success_url,
        )  # fmt: skip
    row.card = card
    attempt(row, off_session=False, now=now)
    complete(row, now=now)
    return row


def complete(row: SandboxPayment, *, now: datetime) -> None:
    """Close the page that a payment was made on, and save its card where that was asked for."""
    if row.page is None or row.status not in (Status.SUCCEEDED, Status.PROCESSING):
        return
    row.page.state = SandboxPage.State.COMPLETE
    row.page.save()
    if row.page.save_card and kind_of(row.card).attachable:
        row.card.authenticated = True
        keep(row.card, row.customer_id, now=now)
    tell_page("completed", row.page, now=now)


def tell_page(type_: str, page: SandboxPage, *, now: datetime) -> None:
    tell(f"checkout.session.{type_}", Page(page.id, ""), reference=page.reference, now=now)


@transaction.atomic
def save_on_page(page_id: str, kind: sandbox_cards.TestCard, *, now: datetime) -> SandboxPage:
    """Somebody saves a card on the hosted page; one that wants confirmation is kept aside until it has it."""
    page = _open_page(page_id, now=now)
    if kind.confirm:
        page.challenged_card = SandboxCard.objects.create(id=new_id("pm"), kind=kind.token, created_at=now)
    else:
        attach(page.customer_id, kind.token, authenticated=True, now=now)
        page.state = SandboxPage.State.COMPLETE
    page.save()
    return page


@transaction.atomic
def answer_setup(page_id: str, *, confirmed: bool, now: datetime) -> SandboxPage:
    page = SandboxPage.objects.select_for_update().get(pk=page_id)
    card, page.challenged_card = page.challenged_card, None
    if card is not None and confirmed:
        card.authenticated = True
        keep(card, page.customer_id, now=now)
        page.state = SandboxPage.State.COMPLETE
    page.save()
    return page


def _open_page(page_id: str, *, now: datetime) -> SandboxPage:
    page = SandboxPage.objects.select_for_update().get(pk=page_id)
    if page.state != SandboxPage.State.OPEN or (page.expires_at and page.expires_at <= now):
        raise Rejected("This page is closed. Nothing was paid on it just now.", "page_closed")
    return page


@transaction.atomic
def expire(page_id: str, *, now: datetime) -> None:
    page = SandboxPage.objects.select_for_update().get(pk=page_id)
    if page.state == SandboxPage.State.OPEN:
        page.state = SandboxPage.State.EXPIRED
        page.save()
        tell_page("expired", page, now=now)


def expire_pages(*, now: datetime) -> None:
    """Pages nobody paid on in time close."""
    overdue = SandboxPage.objects.filter(state=SandboxPage.State.OPEN, expires_at__lte=now)
    for page_id in list(overdue.values_list("pk", flat=True)):
        expire(page_id, now=now)


def deliver_sandbox_events(*, now: datetime) -> None:
    """A step of the sweep: what is due happens, and its events reach our webhook."""
    if is_sandbox():
        bring_in_debits(now=now)
        expire_pages(now=now)
        deliver_waiting(now=now)


# --- refunds ------------------------------------------------------------------------------------------------


def pay_back(row: SandboxPayment, amount: int, *, reference: str, now: datetime) -> SandboxRefund:
    """Refund a part of a payment, whose row is locked. Raises Rejected."""
    if not 0 < amount <= row.received - refunded(row):
        raise Rejected("The refund is larger than what is left of the payment.", "charge_already_refunded")
    behaviour = kind_of(row.card)
    refund = SandboxRefund.objects.create(
        id=new_id("re"), payment=row, reference=reference, amount=amount,
        status=first_answer(behaviour), created_at=now,
    )  # fmt: skip
    tell_refund("created", refund, now=now)
    if behaviour.refund == "failed":
        end_refund(refund, "failed", now=now)
    elif behaviour.refund == "pending":
        end_refund(refund, "succeeded", now=now)
    return refund


@transaction.atomic
def refund_by_hand(payment_id: str, amount: int | None = None, *, now: datetime) -> SandboxRefund:
    """At the processor's own dashboard: a part, or all that is left. We learn of it by its events. Raises Rejected."""
    row = SandboxPayment.objects.select_for_update().get(pk=payment_id)
    left = row.received - refunded(row)
    return pay_back(row, left if amount is None else amount, reference="", now=now)


def end_refund(refund: SandboxRefund, status: str, *, now: datetime) -> None:
    """What became of it at the card holder's bank: succeeded, failed or canceled."""
    refund.status = status
    refund.save()
    tell_refund("failed" if status == "failed" else "updated", refund, now=now)


def tell_refund(type_: str, row: SandboxRefund, *, now: datetime) -> None:
    tell(f"refund.{type_}", as_refund(row), reference=row.reference or None, now=now)


def first_answer(kind: sandbox_cards.TestCard) -> str:
    """A refund's status when it is asked for; an event tells what becomes of it."""
    return "pending" if kind.refund == "pending" else "succeeded"


def as_refund(row: SandboxRefund) -> Refund:
    return Refund(row.id, row.payment_id, row.amount, row.status, row.reference or None)


# --- disputes -----------------------------------------------------------------------------------------------


def warn_of_fraud(row: SandboxPayment, *, kind: str = "made_with_stolen_card", now: datetime) -> None:
    """An early fraud warning of the card network."""
    tell("radar.early_fraud_warning.created", FraudWarning(new_id("issfr"), row.id, kind), now=now)


@transaction.atomic
def open_dispute(row: SandboxPayment, *, status: str = "needs_response", now: datetime) -> SandboxDispute:
    dispute = SandboxDispute.objects.create(id=new_id("du"), payment=row, amount=row.received, status=status)
    tell("charge.dispute.created", as_dispute(dispute), now=now)
    return dispute


@transaction.atomic
def close_dispute(dispute: SandboxDispute, *, won: bool, now: datetime) -> None:
    dispute.status = "won" if won else "lost"
    dispute.save()
    tell("charge.dispute.closed", as_dispute(dispute), now=now)


def as_dispute(row: SandboxDispute) -> Dispute:
    return Dispute(row.id, row.payment_id, row.amount, row.status)
