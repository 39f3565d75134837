"""What the tests of paying begin with: saved cards, orders, signed events, and gateways that fail."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier
from typing import Any, TypeVar

from django.db import connection
from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from billing import payment_methods, topups
from billing.gateways import Page, Payment, Unavailable, sandbox_events, signatures
from billing.gateways.sandbox import SandboxGateway
from billing.models import LedgerEntry, SandboxEvent, TopUp

WEBHOOK = "/billing/webhooks/stripe"
T = TypeVar("T")


def clock() -> datetime:
    return datetime.now(UTC)


def save_card(user: User, token: str = "pm_card_visa") -> str:
    return payment_methods.add_sandbox_card(user.account_id, token, now=clock())


def begin(user: User, *, now: datetime | None = None, **changes: Any) -> TopUp:
    """The committed row of a top-up that the processor was not asked about yet."""
    wanted = {"amount": Decimal("25.00"), "origin": TopUp.Origin.PAGE, "actor": user.public_id, **changes}
    return topups.begin(user.account_id, topups.Order(**wanted), now=now or clock())[0]


def credits(user: User) -> list[Decimal]:
    """What top-ups have brought to the account, in order."""
    entries = LedgerEntry.objects.filter(account_id=user.account_id, kind=LedgerEntry.Kind.TOPUP)
    return list(entries.order_by("seq").values_list("paid", flat=True))


def events(type_: str = "") -> list[bytes]:
    """The bodies of the events the sandbox has written, oldest first."""
    rows = SandboxEvent.objects.filter(body__contains=f'"{type_}').order_by("created_at", "pk")
    return [row.body.encode() for row in rows]


def deliver(body: bytes, *, signature: str | None = None, client: Client | None = None) -> HttpResponse:
    """POST an event to our webhook, signed as the processor would unless told otherwise."""
    if signature is None:
        secret = sandbox_events.webhook_secret()
        signature = signatures.sign(body, secret, at=int(clock().timestamp()))
    browser = client or Client(raise_request_exception=False)
    return browser.post(
        WEBHOOK, body, content_type="application/json", headers={"Stripe-Signature": signature}
    )


class Silent(SandboxGateway):
    """Nothing arrives there, and no answer comes back."""

    def charge(self, **_: Any) -> Payment:
        raise Unavailable("timed out")

    def checkout(self, **_: Any) -> Page:
        raise Unavailable("timed out")


class LosesAnswers(SandboxGateway):
    """Does what it is asked, but its answer gets lost."""

    def charge(self, **wanted: Any) -> Payment:
        super().charge(**wanted)
        raise Unavailable("the connection broke")


class ForgetsKeys(SandboxGateway):
    """A processor that must never be asked again: its keys are gone."""

    def charge(self, **_: Any) -> Payment:
        raise AssertionError("a second payment")


def in_parallel(times: int, act: Callable[[int], T]) -> list[T]:
    """Run `act(0…times-1)` at the same moment, each on a connection of its own. Needs a real, committed database."""
    gate = Barrier(times)

    def run(number: int) -> T:
        try:
            gate.wait(timeout=30)
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))
