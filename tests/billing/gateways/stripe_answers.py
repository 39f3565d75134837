"""What Stripe answers and tells: its objects with the fields that it sends, as of the pinned version."""

import json
import time
from typing import Any

from billing.gateways import signatures
from billing.gateways.stripe_events import PINNED
from billing.installation import installation_id

Fields = dict[str, Any]
SECRET = "whsec_of_the_tests"
VISA = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034, "funding": "credit"}


def charge(**changes: Any) -> Fields:
    return {
        "id": "ch_1", "object": "charge", "amount": 2500, "amount_refunded": 0, "currency": "usd",
        "payment_intent": "pi_1", "payment_method": "pm_1", "paid": True, "refunded": False,
        "payment_method_details": {"type": "card", "card": VISA}, "fraud_details": {},
        "receipt_url": "https://pay.stripe.com/receipts/1", "status": "succeeded", "metadata": {},
    } | changes  # fmt: skip


def intent(**changes: Any) -> Fields:
    """A PaymentIntent that succeeded, its charge not expanded, as events carry it."""
    return {
        "id": "pi_1", "object": "payment_intent", "amount": 2500, "amount_received": 2500, "currency": "usd",
        "customer": "cus_1", "payment_method": "pm_1", "status": "succeeded", "latest_charge": "ch_1",
        "created": int(time.time()), "last_payment_error": None, "livemode": False, "next_action": None,
        "metadata": {"topup": "top_1", "installation": installation_id()},
    } | changes  # fmt: skip


def declined(code: str = "card_declined", decline_code: str | None = "insufficient_funds") -> Fields:
    """What travels in a 402, and in the intent's `last_payment_error`."""
    said: Fields = {
        "type": "card_error", "code": code, "message": "Your card has insufficient funds.", "charge": "ch_1",
        "payment_method": {"id": "pm_1", "object": "payment_method", "type": "card", "card": VISA},
    }  # fmt: skip
    return said | ({"decline_code": decline_code} if decline_code else {})


def unpaid(error: Fields | None = None, **changes: Any) -> Fields:
    error = error or declined()
    changes = {"status": "requires_payment_method", "last_payment_error": error, **changes}
    return intent(amount_received=0, payment_method=None, **changes)


def method(**changes: Any) -> Fields:
    return {
        "id": "pm_1", "object": "payment_method", "type": "card", "card": VISA, "customer": "cus_1",
        "created": 1_790_000_000, "metadata": {}, "billing_details": {},
    } | changes  # fmt: skip


def session(**changes: Any) -> Fields:
    return {
        "id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "open", "customer": "cus_1",
        "url": "https://checkout.stripe.com/c/pay/cs_1", "client_reference_id": "top_1", "payment_intent": None,
        "metadata": {"topup": "top_1", "installation": installation_id()},
    } | changes  # fmt: skip


def refund(**changes: Any) -> Fields:
    return {
        "id": "re_1", "object": "refund", "amount": 1000, "charge": "ch_1", "payment_intent": "pi_1",
        "status": "succeeded", "currency": "usd", "reason": None,
        "metadata": {"refund": "ref_1", "installation": installation_id()},
    } | changes  # fmt: skip


def dispute(**changes: Any) -> Fields:
    return {
        "id": "du_1", "object": "dispute", "amount": 2500, "charge": "ch_1", "payment_intent": "pi_1",
        "status": "needs_response", "reason": "fraudulent", "currency": "usd", "metadata": {},
    } | changes  # fmt: skip


def warning(**changes: Any) -> Fields:
    return {
        "id": "issfr_1", "object": "radar.early_fraud_warning", "actionable": True, "charge": "ch_1",
        "payment_intent": "pi_1", "fraud_type": "made_with_stolen_card", "livemode": False,
    } | changes  # fmt: skip


def listed(*rows: Fields, more: bool = False, url: str = "/v1/payment_intents") -> Fields:
    return {"object": "list", "data": list(rows), "has_more": more, "url": url}


def error(**fields: Any) -> Fields:
    return {"error": {"type": "invalid_request_error", "message": "Something is wrong with it.", **fields}}


def event(type_: str, subject: Fields, **changes: Any) -> Fields:
    return {
        "id": "evt_1", "object": "event", "type": type_, "api_version": PINNED, "created": 1_790_000_000,
        "data": {"object": subject}, "livemode": False, "pending_webhooks": 1, "request": {"id": None},
    } | changes  # fmt: skip


def signed(content: Fields, *, secret: str = SECRET, at: float | None = None) -> tuple[bytes, str]:
    """The body as it travels, and its header."""
    body = json.dumps(content).encode()
    return body, signatures.sign(body, secret, at=int(time.time() if at is None else at))
