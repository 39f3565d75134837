"""Stripe's events: verified as they arrive, read when they are acted on.

A body is trusted in the shape of the API version that the package pins. An event of another version is an error
of the endpoint's set-up: it is logged, and its object fetched anew by id, in the shape that we know.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import stripe

from billing.gateways import (
    BadSignature,
    Dispute,
    Event,
    ForeignEvent,
    FraudWarning,
    GatewayError,
    Payment,
    Refund,
    Status,
    signatures,
)
from billing.gateways.stripe_errors import translated
from billing.gateways.stripe_objects import (
    as_card,
    as_dispute,
    as_page,
    as_payment,
    as_refund,
    as_warning,
    part,
)
from billing.models import Mode

if TYPE_CHECKING:
    from billing.gateways.stripe import StripeGateway

PINNED = stripe.api_version
KINDS = {  # the object of an event, by the beginning of the event's type
    "payment_intent.": "payment_intent",
    "refund.": "refund",
    "charge.dispute.": "dispute",
    "radar.early_fraud_warning.": "radar.early_fraud_warning",
    "payment_method.": "payment_method",
    "checkout.session.": "checkout.session",
}
log = logging.getLogger(__name__)


def verified(body: bytes, signature: str, secrets: Sequence[str]) -> Event:
    """What arrived, if one of the endpoint's secrets signed it; its object is left to `read`."""
    failure = BadSignature("No webhook secret is configured.")
    for secret in secrets:
        try:
            signatures.verify(body, signature, secret, now=time.time())
        except BadSignature as error:
            failure = error
        else:
            return signatures.envelope(body)
    raise failure


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def read(body: bytes, gateway: "StripeGateway") -> Event:
    """A verified event and what it tells of. Raises ForeignEvent, and Unavailable where it must ask."""
    event = gateway.client.construct_event_without_verification(body)
    _refuse_other_mode(event, gateway.mode)
    known = Event(event.id, event.type, _moment(event.created), None)
    kind = next((kind for start, kind in KINDS.items() if event.type.startswith(start)), None)
    if kind is None:
        return known
    source: Any = event.data.object
    if part(event, "api_version") != PINNED:
        source = _fetched(kind, source.id, event, gateway)
    return _told(known, kind, source, gateway)


def _refuse_other_mode(event: stripe.Event, mode: Mode) -> None:
    if event.livemode != (mode is Mode.STRIPE_LIVE):
        theirs = "live" if event.livemode else "test"
        raise ForeignEvent(f"{event.id} is of Stripe's {theirs} mode, but this configuration is {mode}.")


def _fetched(kind: str, id_: str, event: stripe.Event, gateway: "StripeGateway") -> Any:
    log.error(
        "Event %s has API version %s, this program speaks %s: set the webhook endpoint to that version. "
        "Its object %s is fetched anew.", event.id, part(event, "api_version"), PINNED, id_,
    )  # fmt: skip
    v1 = gateway.v1
    fetch: dict[str, Callable[[str], Any]] = {
        "payment_intent": v1.payment_intents.retrieve,
        "refund": v1.refunds.retrieve,
        "dispute": v1.disputes.retrieve,
        "radar.early_fraud_warning": v1.radar.early_fraud_warnings.retrieve,
        "payment_method": v1.payment_methods.retrieve,
        "checkout.session": v1.checkout.sessions.retrieve,
    }
    with translated():
        return fetch[kind](id_)


def _told(known: Event, kind: str, source: Any, gateway: "StripeGateway") -> Event:
    installation = part(source, "metadata", "installation")
    if kind == "payment_intent":
        payment = _with_charge(as_payment(source), gateway)
        return replace(known, object=payment, reference=payment.reference, installation=payment.installation)
    if kind == "payment_method":
        return replace(known, object=as_card(source) if part(source, "card") else None)
    if kind == "checkout.session":
        reference = part(source, "client_reference_id")
        return replace(known, object=as_page(source), reference=reference, installation=installation)
    if not part(source, "payment_intent"):  # of something that we cannot have made
        return known
    told = _OF_A_PAYMENT[kind](source)
    return replace(
        known, object=told, reference=part(source, "metadata", "refund"), installation=installation
    )


_OF_A_PAYMENT: dict[str, Callable[[Any], Refund | Dispute | FraudWarning]] = {
    "refund": as_refund,
    "dispute": as_dispute,
    "radar.early_fraud_warning": as_warning,
}


def _with_charge(payment: Payment, gateway: "StripeGateway") -> Payment:
    """An event's body names neither card nor receipt: ask for them, once; credit also while nobody answers."""
    if payment.status is not Status.SUCCEEDED or payment.brand:
        return payment
    try:
        return gateway.payment(payment.id, retries=0)
    except GatewayError as error:
        log.warning("%s is taken from its event, without its card and receipt: %s", payment.id, error)
        return payment
