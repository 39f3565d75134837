"""StripeGateway does at a replica of Stripe what every gateway does.

The world has no Checkout, takes no `return_url` and never fails a refund later: what needs those is skipped,
and proved by the OpenAPI check and the sandbox.
"""

import pytest

from billing import gateways
from billing.gateways import Page
from tests.billing.gateways.conformance import *  # noqa: F403  the suite
from tests.billing.gateways.conformance import Bench
from tests.stripe_world.world import WEBHOOK_SECRET, World, sign

pytestmark = pytest.mark.django_db


class WorldBench:
    features: set[str] = set()
    secret = WEBHOOK_SECRET

    def __init__(self, world: World) -> None:
        self.world = world
        self.gateway = gateways.gateway()

    def card(self, customer: str, kind: str) -> str:
        return self.world.card(customer, kind)

    def loose_card(self, kind: str) -> str:
        return self.world.loose_card(kind)

    def answer_challenge(self, payment_id: str, *, confirmed: bool) -> None:
        raise AssertionError("the world has no bank's page")

    def pay_on_page(self, page: Page, kind: str) -> None:
        raise AssertionError("the world has no Checkout")

    def events(self) -> list[tuple[bytes, str]]:
        return [(body, sign(body)) for body in self.world.events()]


@pytest.fixture
def bench(world: World) -> Bench:
    return WorldBench(world)
