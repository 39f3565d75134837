"""Saved cards: who an account is at the processor, and what it may be charged on.

The processor is asked first, outside any transaction; our rows follow. A card once removed stays removed, in
whatever order events arrive.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.urls import reverse

from accounts import ids
from accounts.models import User
from billing import auto_topup, gateways, ledger
from billing.errors import PaymentMethodNotFound
from billing.gateways import Card, Page, ReferenceReused, Rejected, sandbox_bank
from billing.models import Customer, PaymentMethod

CURRENCY = "usd"
GONE = "resource_missing"  # the processor's word for what it never knew, or has deleted
T = TypeVar("T")
log = logging.getLogger(__name__)


def of_account(account_id: UUID) -> QuerySet[PaymentMethod]:
    """The account's cards, the default first, then the newest."""
    live = PaymentMethod.objects.filter(account_id=account_id, mode=gateways.mode(), removed_at=None)
    return live.order_by("-is_default", "-created_at")


def find(account_id: UUID, gateway_id: str) -> PaymentMethod:
    """The account's card. Raises PaymentMethodNotFound, also for somebody else's."""
    found = of_account(account_id).filter(gateway_id=gateway_id).first() if "\0" not in gateway_id else None
    if found is None:
        raise PaymentMethodNotFound("Use the id of a card saved on this account.")
    return found


def customer_of(account_id: UUID) -> str:
    """Who the account is at the processor; asks it to make a customer the first time."""
    row, _ = Customer.objects.get_or_create(account_id=account_id, mode=gateways.mode())
    if row.gateway_id is None:
        row.gateway_id = _make_customer(row)
        Customer.objects.filter(pk=row.pk, gateway_id=None).update(gateway_id=row.gateway_id)
    return row.gateway_id


def _make_customer(row: Customer) -> str:
    """Under the row's number; a lost answer and a changed email address since then take the next one."""
    reference, email = f"{ids.public('acct', row.account_id)}:{row.number}", _owner_email(row.account_id)
    try:
        return gateways.gateway().create_customer(reference=reference, email=email)
    except ReferenceReused:
        row.number += 1
        row.save(update_fields=["number"])
        return _make_customer(row)


def _owner_email(account_id: UUID) -> str:
    owners = User.objects.filter(account_id=account_id, role=User.Role.OWNER, is_active=True)
    return owners.order_by("created_at").values_list("email", flat=True)[0]


def _ask(account_id: UUID, ask: Callable[[str], T], *, now: datetime) -> T:
    """Ask about the account's customer; one that the processor has deleted is made anew first."""
    customer = customer_of(account_id)
    try:
        return ask(customer)
    except Rejected as refusal:
        if not learn(refusal, customer=customer, now=now):
            raise
    return ask(customer_of(account_id))


def learn(refusal: Rejected, *, customer: str, card: str = "", now: datetime) -> bool:
    """Forget the customer or the card that the processor says it does not know. False: it says something else."""
    if refusal.code != GONE:
        return False
    if refusal.param == "customer":
        _leave(customer, now=now)
    elif card:
        forget(card, now=now)
    return refusal.param == "customer" or bool(card)


def _leave(customer: str, *, now: datetime) -> None:
    """The processor has deleted a customer, and its cards with it: the next one takes a number of its own."""
    known = Customer.objects.filter(mode=gateways.mode(), gateway_id=customer)
    if known.update(gateway_id=None, number=F("number") + 1):
        log.error("The processor no longer knows the customer %s.", customer)
    cards = PaymentMethod.objects.filter(mode=gateways.mode(), customer=customer, removed_at=None)
    for card in list(cards.values_list("gateway_id", flat=True)):
        forget(card, now=now)


def explain(refusal: Rejected) -> str:
    """A refusal in the customer's words."""
    if refusal.code != GONE:
        return str(refusal)
    if refusal.param == "customer":
        return "The payment service has deleted what it had saved for you, cards too. Please pay with a new card."
    return "The payment service no longer knows this card. Please add it again, or pay with another."


def setup_page(account_id: UUID, *, now: datetime) -> Page:
    """The processor's page that saves a card."""
    back = settings.SITE_URL + reverse("payment_methods")
    return _ask(
        account_id,
        lambda customer: gateways.gateway().card_setup(
            reference=ids.public("acct", account_id), customer=customer, currency=CURRENCY,
            success_url=f"{back}?returned=1", cancel_url=back,
        ),
        now=now,
    )  # fmt: skip


def refresh(account_id: UUID, *, now: datetime) -> None:
    """Fetch the account's cards from the processor: after a page of theirs, faster than the event."""
    for card in reversed(_ask(account_id, gateways.gateway().cards, now=now)):
        remember(card, now=now)


def remember(card: Card, *, now: datetime) -> PaymentMethod | None:
    """A card was saved or changed at the processor; the first one is the default. None: not a customer of ours."""
    with transaction.atomic():
        owners = Customer.objects.select_for_update().filter(mode=gateways.mode())
        owner = owners.filter(gateway_id=card.customer).first() if card.customer else None
        if owner is None:
            return None
        row, is_new = PaymentMethod.objects.update_or_create(
            gateway_id=card.id, defaults=_shown(card),
            create_defaults=_shown(card) | {
                "account_id": owner.account_id, "mode": owner.mode, "customer": card.customer, "created_at": now,
            },
        )  # fmt: skip
        if is_new:
            _need_a_default(owner.account_id)
    return row


def was_removed(card: Card) -> bool:
    """Whether a card that an event calls new is gone again: of its removal we may have heard first, and in vain."""
    unknown = not PaymentMethod.objects.filter(gateway_id=card.id).exists()
    ours = Customer.objects.filter(mode=gateways.mode(), gateway_id=card.customer)
    if not (unknown and card.customer and ours.exists()):
        return False
    try:
        return all(saved.id != card.id for saved in gateways.gateway().cards(card.customer))
    except Rejected as refusal:
        if refusal.code != GONE:
            raise
        return True


def _shown(card: Card) -> dict[str, object]:
    return {
        "brand": card.brand, "last4": card.last4, "exp_month": card.exp_month, "exp_year": card.exp_year
    }  # fmt: skip


def forget(gateway_id: str, *, now: datetime) -> None:
    """A card was removed, here or at the processor: the newest other one is the default, auto-topup by it stops."""
    with transaction.atomic():
        row = PaymentMethod.objects.filter(gateway_id=gateway_id, removed_at=None).first()
        if row is None:
            return
        ledger.lock(row.account_id)  # auto-topup decides under it
        _lock(row.account_id)
        PaymentMethod.objects.filter(pk=row.pk).update(removed_at=now, is_default=False)
        _need_a_default(row.account_id)
        auto_topup.card_removed(row.account_id, gateway_id, now=now)


def make_default(account_id: UUID, gateway_id: str) -> PaymentMethod:
    with transaction.atomic():
        _lock(account_id)
        card = find(account_id, gateway_id)
        of_account(account_id).filter(is_default=True).update(is_default=False)
        of_account(account_id).filter(pk=card.pk).update(is_default=True)
    return card


def remove(account_id: UUID, gateway_id: str, *, now: datetime) -> PaymentMethod:
    """Remove a card at the processor, then here. Raises the gateway's Unavailable: then nothing was removed."""
    card = find(account_id, gateway_id)
    try:
        gateways.gateway().remove_card(gateway_id)
    except Rejected as refusal:
        if refusal.code != GONE:  # else: gone already, which is what was wanted
            raise
    forget(gateway_id, now=now)
    return card


def add_sandbox_card(account_id: UUID, token: str, *, now: datetime) -> str:
    """Save one of the sandbox's test cards (`pm_card_visa`, …) and answer its id."""
    card = sandbox_bank.save_by_token(customer_of(account_id), token, now=now)
    remember(card, now=now)
    return card.id


def _lock(account_id: UUID) -> None:
    """One at a time changes which card is the default."""
    list(Customer.objects.select_for_update().filter(account_id=account_id, mode=gateways.mode()))


def _need_a_default(account_id: UUID) -> None:
    first = of_account(account_id).first()
    if first is not None and not first.is_default:
        PaymentMethod.objects.filter(pk=first.pk).update(is_default=True)
