"""The conformance suite against Stripe itself, in test mode: STRIPE_TEST_KEY=sk_test_… pytest -m live

Collected only where that key is set (conftest.py). Nobody pays on a hosted page or answers a challenge there, so
those tests are left out. Events are read from Stripe and signed here, as it would sign them.
"""

import os
import time

import pytest
import stripe

from billing.gateways import Gateway, Page
from billing.gateways.stripe import StripeGateway
from billing.models import Mode
from tests.billing.gateways import stripe_answers as answers
from tests.billing.gateways.conformance import *  # noqa: F403  the suite
from tests.billing.gateways.conformance import Bench

pytestmark = [pytest.mark.django_db, pytest.mark.live]
API = "https://api.stripe.com"
KINDS = {
    "ok": "pm_card_visa",
    "fails_when_charged": "pm_card_chargeCustomerFail",
    "needs_confirmation": "pm_card_authenticationRequired",
    "insufficient": "pm_card_visa_chargeDeclinedInsufficientFunds",
    "lost": "pm_card_visa_chargeDeclinedLostCard",
    "expired": "pm_card_chargeDeclinedExpiredCard",
    "disputed": "pm_card_createDispute",
    "refund_fails": "pm_card_refundFail",
}


class LiveBench:
    features = {"smallest_amount"}
    secret = answers.SECRET

    def __init__(self, key: str) -> None:
        self.gateway: Gateway = StripeGateway(
            secret_key=key, webhook_secrets=[self.secret], mode=Mode.STRIPE_TEST, api_base=API
        )
        self.v1 = stripe.StripeClient(key).v1
        self.began = int(time.time())
        self.seen: set[str] = set()

    def card(self, customer: str, kind: str) -> str:
        return self.v1.payment_methods.attach(KINDS[kind], {"customer": customer}).id

    def loose_card(self, kind: str) -> str:
        return KINDS[kind]

    def answer_challenge(self, payment_id: str, *, confirmed: bool) -> None:
        raise NotImplementedError("Only a person can, on the bank's page.")

    def pay_on_page(self, page: Page, kind: str) -> None:
        raise NotImplementedError("Only a person can, on Stripe's page.")

    def events(self) -> list[tuple[bytes, str]]:
        time.sleep(3)
        listed = self.v1.events.list({"created": {"gte": self.began}, "limit": 100}).data
        new = [event for event in reversed(listed) if event.id not in self.seen]
        self.seen |= {event.id for event in new}
        return [answers.signed(event.to_dict(for_json=True)) for event in new]


@pytest.fixture
def bench() -> Bench:
    key = os.environ["STRIPE_TEST_KEY"]
    assert key.startswith(("sk_test_", "rk_test_")), (
        "STRIPE_TEST_KEY must be a test key: real cards are no toys."
    )
    return LiveBench(key)
