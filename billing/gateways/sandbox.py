"""SandboxGateway: a processor in our own tables, with Stripe's test cards, for rehearsals without real money.

Its amounts are cents. Its methods commit on their own, like calls over a network: never call them inside a
money transaction.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from billing.gateways import (
    Card,
    Event,
    Page,
    Payment,
    ReferenceReused,
    Refund,
    Rejected,
    Status,
    sandbox_bank,
    sandbox_cards,
    sandbox_events,
    signatures,
)
from billing.models import (
    Mode,
    SandboxCard,
    SandboxCustomer,
    SandboxKey,
    SandboxPage,
    SandboxPayment,
    SandboxRefund,
)

SMALLEST = 50  # cents, as at Stripe


class SandboxGateway:
    mode = Mode.SANDBOX
    label = "the sandbox"

    def __init__(self, *, clock: Callable[[], datetime] = timezone.now) -> None:
        self.clock = clock

    # --- customers and cards --------------------------------------------------------------------------------

    def create_customer(self, *, reference: str, email: str) -> str:
        def make() -> str:
            return SandboxCustomer.objects.create(id=sandbox_bank.new_id("cus"), email=email).id

        return once(f"customer:{reference}", {"email": email}, make)

    def cards(self, customer: str) -> list[Card]:
        rows = SandboxCard.objects.filter(customer_id=customer).order_by("-created_at", "-id")
        return [sandbox_bank.as_card(row) for row in rows]

    @transaction.atomic
    def remove_card(self, card: str) -> None:
        row = SandboxCard.objects.select_for_update().filter(pk=card, customer__isnull=False).first()
        if row is None:
            raise no_such("PaymentMethod", card)
        row.customer_id = None
        row.save()
        sandbox_bank.tell("payment_method.detached", sandbox_bank.as_card(row), now=self.clock())

    # --- paying ---------------------------------------------------------------------------------------------

    def checkout(
        self, *, reference: str, customer: str, amount: int, currency: str, description: str,
        success_url: str, cancel_url: str, save_card: bool, expires_at: datetime,
    ) -> Page:  # fmt: skip
        wanted: dict[str, Any] = {
            "customer_id": customer, "amount": amount, "currency": currency, "description": description,
            "success_url": success_url, "cancel_url": cancel_url, "save_card": save_card,
        }  # fmt: skip

        def make() -> str:
            known_customer(customer)
            return new_page(**wanted, reference=reference, expires_at=expires_at)

        page = once(f"checkout:{reference}", wanted | {"expires_at": expires_at.isoformat()}, make)
        return Page(page, page_url(page))

    def card_setup(
        self, *, reference: str, customer: str, currency: str, success_url: str, cancel_url: str
    ) -> Page:
        known_customer(customer)
        page = new_page(
            customer_id=customer, reference=reference, currency=currency,
            success_url=success_url, cancel_url=cancel_url,
        )  # fmt: skip
        return Page(page, page_url(page))

    def charge(
        self, *, reference: str, customer: str, card: str, amount: int, currency: str, description: str,
        off_session: bool, return_url: str,
    ) -> Payment:  # fmt: skip
        wanted = {
            "customer": customer, "card": card, "amount": amount, "currency": currency,
            "description": description, "off_session": off_session, "return_url": return_url,
        }  # fmt: skip

        def make() -> str:
            if amount < SMALLEST:
                raise Rejected("Amount must be at least $0.50 usd", "amount_too_small")
            row = SandboxPayment(
                id=sandbox_bank.new_id("pi"), customer=known_customer(customer),
                card=self._source(customer, card), reference=reference, amount=amount,
                currency=currency, return_url=return_url, created_at=self.clock(),
            )  # fmt: skip
            sandbox_bank.attempt(row, off_session=off_session, now=row.created_at)
            return row.id

        return self.payment(once(f"charge:{reference}", wanted, make))

    def confirm(self, *, reference: str, payment_id: str, card: str, return_url: str) -> Payment:
        def make() -> str:
            row = locked_payment(payment_id)
            if row.status not in (Status.FAILED, Status.REQUIRES_ACTION):
                raise Rejected(f"This payment is {row.status}.", "payment_intent_unexpected_state")
            row.card, row.return_url = self._source(row.customer_id, card), return_url
            sandbox_bank.attempt(row, off_session=False, now=self.clock())
            return row.id

        wanted = {"payment": payment_id, "card": card, "return_url": return_url}
        return self.payment(once(f"confirm:{reference}", wanted, make))

    def payment(self, payment_id: str) -> Payment:
        row = SandboxPayment.objects.select_related("card").filter(pk=payment_id).first()
        if row is None:
            raise no_such("payment_intent", payment_id)
        return sandbox_bank.as_payment(row)

    def find_payment(self, *, customer: str, reference: str) -> Payment | None:
        rows = SandboxPayment.objects.filter(customer_id=customer, reference=reference)
        row = rows.select_related("card").order_by("-created_at").first()
        return sandbox_bank.as_payment(row) if row else None

    def payments(self, *, since: datetime, until: datetime) -> Iterator[Payment]:
        rows = SandboxPayment.objects.filter(created_at__gte=since, created_at__lt=until)
        newest_first = rows.select_related("card").prefetch_related("refunds").order_by("-created_at")
        return map(sandbox_bank.as_payment, newest_first.iterator(chunk_size=500))

    @transaction.atomic
    def cancel(self, payment_id: str) -> Payment:
        row = locked_payment(payment_id)
        if row.status not in (Status.SUCCEEDED, Status.PROCESSING, Status.CANCELED):
            row.status = Status.CANCELED
            row.save()
            sandbox_bank.tell_payment("canceled", row, now=self.clock())
        return sandbox_bank.as_payment(row)

    def close_page(self, page_id: str) -> None:
        if not SandboxPage.objects.filter(pk=page_id).exists():
            raise no_such("checkout.session", page_id)
        sandbox_bank.expire(page_id, now=self.clock())

    def _source(self, customer: str, card: str) -> SandboxCard:
        """The customer's saved card, or a new one behind a test token."""
        saved = SandboxCard.objects.filter(pk=card, customer_id=customer).first()
        if saved is not None:
            return saved
        if sandbox_cards.by_token(card) is None:
            raise no_such("PaymentMethod", card)
        return SandboxCard.objects.create(id=sandbox_bank.new_id("pm"), kind=card, created_at=self.clock())

    # --- refunds --------------------------------------------------------------------------------------------

    def refund(self, *, reference: str, payment_id: str, amount: int) -> Refund:
        def make() -> str:
            row = locked_payment(payment_id)
            return sandbox_bank.pay_back(row, amount, reference=reference, now=self.clock()).id

        made = once(f"refund:{reference}", {"payment": payment_id, "amount": amount}, make)
        row = SandboxRefund.objects.select_related("payment__card").get(pk=made)
        first = sandbox_bank.first_answer(sandbox_bank.kind_of(row.payment.card))
        return replace(sandbox_bank.as_refund(row), status=first)

    def refunds(self, payment_id: str) -> list[Refund]:
        rows = SandboxRefund.objects.filter(payment_id=payment_id)
        return [sandbox_bank.as_refund(row) for row in rows.order_by("-created_at", "-id")]

    # --- events ---------------------------------------------------------------------------------------------

    def parse_event(self, body: bytes, signature: str) -> Event:
        secret = sandbox_events.webhook_secret()
        signatures.verify(body, signature, secret, now=self.clock().timestamp())
        return signatures.envelope(body)

    def read_event(self, body: bytes) -> Event:
        return sandbox_events.read(body)


def once(key: str, request: dict[str, Any], make: Callable[[], str]) -> str:
    """The id that `make` made for this key, now or before. A call that raises leaves nothing, not even its key."""
    with transaction.atomic():
        seen, is_new = SandboxKey.objects.get_or_create(key=key, defaults={"request": request})
        if is_new:
            seen.made = make()
            seen.save()
        elif seen.request != request:
            raise ReferenceReused(f"{key} was used for another request.")
    return seen.made


def known_customer(customer: str) -> SandboxCustomer:
    row = SandboxCustomer.objects.filter(pk=customer).first()
    if row is None:
        raise no_such("customer", customer)
    return row


def locked_payment(payment_id: str) -> SandboxPayment:
    row = SandboxPayment.objects.select_for_update().filter(pk=payment_id).first()
    if row is None:
        raise no_such("payment_intent", payment_id)
    return row


def new_page(**fields: Any) -> str:
    return SandboxPage.objects.create(id=sandbox_bank.new_id("cs"), **fields).id


def page_url(page_id: str) -> str:
    return settings.SITE_URL + reverse("sandbox_checkout", args=[page_id])


def no_such(what: str, id_: str) -> Rejected:
    return Rejected(f"No such {what}: '{id_}'", "resource_missing")
