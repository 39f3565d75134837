"""The only place that knows a payment processor: what billing needs from one, in integer cents.

Every implementation passes one conformance suite (tests/billing/gateways/); `gateway()` answers the configured
one. A decline is a value (`Payment` with status failed), never an exception. Errors tell what to do:
`Unavailable` means that the outcome is unknown and that the same call, with the same reference, is repeated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

from django.conf import settings

from billing.models import Mode


class Status(StrEnum):
    OPEN = "open"  # made, nothing tried yet
    REQUIRES_ACTION = "requires_action"  # the card holder must confirm: send them to action_url
    PROCESSING = "processing"  # a slow method: an event will tell
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # no money moved: see code, decline_code, message
    CANCELED = "canceled"


HARD_DECLINES = frozenset(
    {
        *("lost_card", "stolen_card", "pickup_card", "restricted_card", "fraudulent", "expired_card"),
        *("card_not_supported", "currency_not_supported", "invalid_account", "stop_payment_order"),
        *("revocation_of_authorization", "revocation_of_all_authorizations", "incorrect_number"),
        *("invalid_expiry_month", "invalid_expiry_year", "authentication_required"),
    }
)


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as the processor sees it now. `reference` is our top-up's id, from its metadata."""

    id: str
    status: Status
    amount: int  # asked for
    received: int  # arrived: credit this, never `amount`
    currency: str
    customer: str | None
    card: str | None
    reference: str | None
    installation: str | None
    code: str = ""  # card_declined, expired_card, authentication_required, …
    decline_code: str = ""  # insufficient_funds, lost_card, …
    message: str = ""  # fit for the card holder's eyes
    action_url: str = ""
    receipt_url: str = ""
    brand: str = ""
    last4: str = ""
    refunded: int = 0  # cents that went back to the card, as far as the processor knows

    @property
    def retryable(self) -> bool:
        """Whether the same card may work later without its holder doing anything."""
        return self.status is Status.FAILED and HARD_DECLINES.isdisjoint({self.code, self.decline_code})


@dataclass(frozen=True, slots=True)
class Card:
    id: str
    customer: str | None  # null once removed
    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True, slots=True)
class Refund:
    id: str
    payment_id: str
    amount: int
    status: str  # pending, requires_action, succeeded, failed, canceled
    reference: str | None  # our refund's id; null when made at the processor's own dashboard


@dataclass(frozen=True, slots=True)
class Dispute:
    id: str
    payment_id: str
    amount: int
    status: str  # needs_response, under_review, won, lost; warning_… moves no money


@dataclass(frozen=True, slots=True)
class FraudWarning:
    """The card network suspects a payment. No money moves; a dispute often follows."""

    id: str
    payment_id: str
    kind: str  # Stripe's fraud_type


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the processor: send the browser to `url`."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class Event:
    """What the processor tells by webhook. `object` is null for types that we do not act on."""

    id: str
    type: str  # Stripe's name
    created_at: datetime
    object: Payment | Card | Refund | Dispute | FraudWarning | Page | None
    reference: str | None = None
    installation: str | None = None


class GatewayError(Exception):
    """The processor did not do what was asked."""


class Unavailable(GatewayError):
    """Nobody knows whether it happened (network, timeout, 5xx, 429, 409). Repeat with the same reference."""


class Rejected(GatewayError):
    """Refused, and nothing happened (unknown card, refund too large). Repeating will not help."""

    def __init__(self, message: str, code: str = "", param: str = "") -> None:
        super().__init__(message)
        self.code = code  # resource_missing, amount_too_small, …
        self.param = param  # what it is about, where told: customer, payment_method, …


class Misconfigured(GatewayError):
    """Our credentials do not work: the operator must act."""


class ReferenceReused(GatewayError):
    """The same reference with another request: a mistake of ours. What the first request did stands."""


class BadSignature(GatewayError):
    """An event that the processor did not sign, or too long ago."""


class ForeignEvent(GatewayError):
    """Signed, and yet not to be acted on: an event of another mode. A person must look."""


class Gateway(Protocol):
    """Amounts in cents. `reference` is ours and makes a call repeatable: the same again, the same answer."""

    mode: Mode
    label: str  # as customers know it: "Continues on <label>'s payment page"

    def create_customer(self, *, reference: str, email: str) -> str:
        """Key `customer:{reference}`."""
        ...

    def checkout(
        self, *, reference: str, customer: str, amount: int, currency: str, description: str,
        success_url: str, cancel_url: str, save_card: bool, expires_at: datetime,
    ) -> Page:  # fmt: skip
        """The processor's page for one payment by a new card or another method. Key `checkout:{reference}`."""
        ...

    def card_setup(
        self, *, reference: str, customer: str, currency: str, success_url: str, cancel_url: str
    ) -> Page:
        """The processor's page that saves a card for later and takes no money."""
        ...

    def charge(
        self, *, reference: str, customer: str, card: str, amount: int, currency: str, description: str,
        off_session: bool, return_url: str,
    ) -> Payment:  # fmt: skip
        """Charge a saved card. Key `charge:{reference}`.

        Off session, a card whose holder must confirm fails with `authentication_required`; `confirm` goes on
        with the same payment.
        """
        ...

    def confirm(self, *, reference: str, payment_id: str, card: str, return_url: str) -> Payment:
        """The holder is here: confirm the same payment. Key `confirm:{reference}`."""
        ...

    def payment(self, payment_id: str) -> Payment: ...

    def find_payment(self, *, customer: str, reference: str) -> Payment | None:
        """The newest payment with this reference, however long ago its key was used."""
        ...

    def cancel(self, payment_id: str) -> Payment:
        """Cancel a payment that has not succeeded; answers what it is now, also when it was too late."""
        ...

    def close_page(self, page_id: str) -> None:
        """Nobody can pay on this page any more. Repeatable."""
        ...

    def cards(self, customer: str) -> list[Card]:
        """Newest first."""
        ...

    def remove_card(self, card: str) -> None: ...

    def refund(self, *, reference: str, payment_id: str, amount: int) -> Refund:
        """Key `refund:{reference}`."""
        ...

    def refunds(self, payment_id: str) -> list[Refund]:
        """Every refund of a payment, ours and those made at the processor, newest first."""
        ...

    def payments(self, *, since: datetime, until: datetime) -> Iterator[Payment]:
        """Every payment made in the time, newest first, of this installation and of others."""
        ...

    def parse_event(self, body: bytes, signature: str) -> Event:
        """An event as it arrives; what it tells of may be left to `read_event`. Raises BadSignature."""
        ...

    def read_event(self, body: bytes) -> Event:
        """An event whose signature was verified when it arrived. Raises ForeignEvent, and Unavailable."""
        ...


def is_sandbox() -> bool:
    """Whether no real money moves, because no processor is configured."""
    return not settings.STRIPE_SECRET_KEY


def mode() -> Mode:
    """The mode of payments made from now on."""
    if is_sandbox():
        return Mode.SANDBOX
    is_live = settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))
    return Mode.STRIPE_LIVE if is_live else Mode.STRIPE_TEST


def gateway() -> Gateway:
    """The configured processor."""
    from billing.gateways.sandbox import SandboxGateway  # it implements what is defined above

    if is_sandbox():
        return SandboxGateway()
    secrets = tuple(settings.STRIPE_WEBHOOK_SECRET)
    return _stripe(settings.STRIPE_SECRET_KEY, secrets, mode(), settings.STRIPE_API_BASE)


@lru_cache(maxsize=1)
def _stripe(secret_key: str, webhook_secrets: tuple[str, ...], mode: Mode, api_base: str) -> Gateway:
    """One client, and so one pool of connections, for the life of the process."""
    from billing.gateways.stripe import StripeGateway  # it implements what is defined above

    return StripeGateway(secret_key=secret_key, webhook_secrets=webhook_secrets, mode=mode, api_base=api_base)
