"""Closing an account, as far as money goes: what stands in its way, what happens then, and what is refused after it.

Whether an account is closed (`Account.closed_at`) is written under its Balance lock; what begins something new reads
it under that lock, so nothing slips through beside the closing.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.urls import reverse

from accounts.errors import Problem
from accounts.models import Account
from accounts.sweeps import while_there_is_time
from billing import gateways, ledger, payment_methods, selectors
from billing.errors import NoBalance, SpendingFrozen
from billing.models import AutoTopup, Dispute, Hold, PaymentMethod, Refund, TopUp
from billing.money import CENT, ZERO, usd
from billing.selectors import Funds

log = logging.getLogger(__name__)
DECIDED = (Dispute.WON, Dispute.LOST, "warning_closed", "")


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Something that must be settled before an account can be closed, and the next step towards it."""

    title: str
    body: str
    cta: str = ""
    href: str = ""


def hindrances(account_id: UUID, *, now: datetime) -> list[Hindrance]:
    """What money leaves to be settled; empty where nothing does. Under the Balance lock it stays so."""
    funds = selectors.balance_of(account_id)
    found = [*_of_funds(funds), *_of_holds(account_id, now=now), *_of_topups(account_id)]
    return [*found, *_of_refunds(account_id), *_of_disputes(account_id)]


def _of_funds(funds: Funds) -> list[Hindrance]:
    if funds.staff_froze_at:
        return [Hindrance("We froze spending on this account", "Only we can lift that. Please write to us.")]
    if funds.paid < 0:
        owed = f"A refund or a dispute took back more than was left. Add at least {usd(-funds.paid)} first."
        title = f"Your paid funds are {usd(-funds.paid)} below zero"
        return [Hindrance(title, owed, "Add funds", reverse("add_funds"))]
    if funds.paid >= CENT:
        body = (
            "Take a top-up of the last 24 hours back yourself, from its receipt. For all others ask us for a refund: "
            "please write to us. What is left below one cent cannot be refunded and does not matter."
        )
        return [Hindrance(f"{usd(funds.paid)} of paid funds are left", body, "Receipts", reverse("receipts"))]
    return []


def _of_holds(account_id: UUID, *, now: datetime) -> list[Hindrance]:
    rows = Hold.objects.filter(account_id=account_id, state=Hold.State.OPEN, expires_at__gt=now)
    amounts = list(rows.values_list("amount", flat=True))
    if not amounts:
        return []
    body = (
        "Calls, chats or ingestion are running. Wait until they end; what is not used comes back by itself."
    )
    return [Hindrance(f"{usd(sum(amounts, ZERO))} is reserved for work that has begun", body, "Overview",
                      reverse("overview"))]  # fmt: skip


def _of_topups(account_id: UUID) -> list[Hindrance]:
    rows = TopUp.objects.filter(account_id=account_id, next_look_at__isnull=False).order_by("created_at")
    return [
        Hindrance(f"A top-up of {usd(row.amount)} is not finished", _wait_for(row), "See the top-up",
                  reverse("topup", args=[row.public_id]))
        for row in rows
    ]  # fmt: skip


def _wait_for(topup: TopUp) -> str:
    if topup.status == TopUp.Status.REQUIRES_ACTION:
        return "It waits for you. Confirm it, or leave it: unconfirmed it ends by itself within a day."
    return "Wait until we hear from the payment service what became of it."


def _of_refunds(account_id: UUID) -> list[Hindrance]:
    rows = Refund.objects.filter(account_id=account_id, next_look_at__isnull=False).select_related("topup")
    body = "Wait until your bank has it: if it fails, the money comes back to this account."
    return [
        Hindrance(f"A refund of {usd(row.amount)} is on its way", body, "See the receipt",
                  reverse("receipt", args=[row.topup.public_id]))
        for row in rows.order_by("created_at")
    ]  # fmt: skip


def _of_disputes(account_id: UUID) -> list[Hindrance]:
    rows = Dispute.objects.filter(topup__account_id=account_id).exclude(status__in=DECIDED)
    body = "Wait until the bank has decided, or write to us if you want to give it up."
    return [
        Hindrance(f"A payment of {usd(row.amount)} is disputed", body, "See the receipt",
                  reverse("receipt", args=[row.topup.public_id]))
        for row in rows.select_related("topup").order_by("created_at")
    ]  # fmt: skip


def close(account_id: UUID, *, now: datetime | None = None) -> None:
    """Freeze for good and turn auto-topup off, in the transaction that closes it. Its cards: `detach_cards`.

    Without `now` the freeze is stamped by the clock after the lock, so that no charge is later than it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_close_1(%s, %s)", [account_id, now])
        if not cursor.fetchone()[0]:
            raise NoBalance
    AutoTopup.objects.filter(pk=account_id).update(enabled=False, next_attempt_at=None)


def detach_cards(*, now: datetime) -> None:
    """A step of the sweep: cards of closed accounts are removed at the processor, then here."""
    live = PaymentMethod.objects.filter(
        account__closed_at__isnull=False, mode=gateways.mode(), removed_at=None
    )
    for card in while_there_is_time(live.order_by("account__closed_at", "pk")):
        try:
            payment_methods.remove(card.account_id, card.gateway_id, now=now)
        except gateways.GatewayError as error:  # the next pass tries again
            log.warning("A card of a closed account was not removed: %s", error)


def is_closed(account_id: UUID) -> bool:
    return Account.objects.filter(pk=account_id, closed_at__isnull=False).exists()


def lock_if_open(account_id: UUID) -> None:
    """Take the Balance lock for something that begins. Raises NoBalance once the account is closed."""
    ledger.lock(account_id)
    if is_closed(account_id):
        raise NoBalance


def why_frozen(account_id: UUID) -> Problem:
    """The refusal where the gate found an account frozen: to the API a closed one does not exist."""
    return NoBalance() if is_closed(account_id) else SpendingFrozen()
