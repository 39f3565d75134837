"""Events of a replica of Stripe that are old, foreign, forged, in another currency or of live mode."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from billing import topups
from billing.installation import installation_id, pinned_mode
from billing.models import EventReceipt, Mode, Refund, TopUp
from tests.billing.paying import begin, credits
from tests.stripe_world.product import Product
from tests.stripe_world.world import World, sign

pytestmark = pytest.mark.django_db
Forger = Callable[[bytes, str], tuple[bytes, str]]


def quarantined() -> list[str]:
    kept = EventReceipt.objects.filter(state="quarantined")
    return list(kept.order_by("type").values_list("type", flat=True))


def pay_there(product: Product, **changes: Any) -> None:
    """A payment that somebody else's program makes in the same Stripe account."""
    wanted = {"amount": 2500, "currency": "usd", "customer": product.customer, "confirm": True, **changes}
    product.world.v1.payment_intents.create(wanted)  # type: ignore[arg-type]


def test_it_reads_events_of_another_version_anew(product: Product) -> None:
    """The world's own version is older than our package's: nothing in its bodies is believed but their ids."""
    payment = topups._ask(begin(product.ada, card=product.save_card(), origin=TopUp.Origin.API))
    product.world.v1.refunds.create({"payment_intent": payment.id, "amount": 1000})
    older = [
        body.replace(b'"amount_received": 2500', b'"amount_received": 9900').replace(
            b'"amount": 1000', b'"amount": 100'
        )
        for body in product.world.events(as_they_are=True)
    ]
    assert {"payment_intent.succeeded", "refund.created"} <= set(product.relay(older))
    assert (credits(product.ada), Refund.objects.get().amount) == ([Decimal(25)], Decimal(10))
    assert not EventReceipt.objects.exclude(state__in=("processed", "ignored")).exists()
    product.prove()


def test_it_leaves_what_is_not_ours(product: Product) -> None:
    """Somebody else's payments in the same Stripe account are counted; a claim on a top-up we do not know is kept."""
    card, theirs = product.save_card(), {"topup": "top_0", "installation": "another"}
    for metadata in ({}, theirs, theirs | {"installation": installation_id()}):
        pay_there(product, payment_method=card, metadata=metadata)
    product.relay()
    assert quarantined() == ["payment_intent.created", "payment_intent.succeeded"]
    assert (credits(product.ada), product.balance) == ([], Decimal(1))


@pytest.mark.parametrize("forge", [
    lambda body, signature: (body.replace(b"2500", b"9900"), signature),
    lambda body, signature: (body, ""),
    lambda body, signature: (body, signature.replace("v1=", "v0=")),
    lambda body, signature: (body, sign(body, "whsec_of_somebody_else")),
])  # fmt: skip
def test_it_refuses_what_stripe_did_not_sign(product: Product, forge: Forger) -> None:
    topups._ask(begin(product.ada, card=product.save_card(), origin=TopUp.Origin.API))
    [body] = [told for told in product.world.events() if b'"payment_intent.succeeded"' in told]
    forged, signature = forge(body, sign(body))
    assert product.post(forged, signature=signature) == 400
    assert credits(product.ada) == []


def test_it_credits_nothing_in_another_currency(product: Product) -> None:
    card = product.save_card()
    row = begin(product.ada, card=card, origin=TopUp.Origin.API)
    ours = {"topup": row.public_id, "installation": installation_id()}
    pay_there(product, payment_method=card, currency="eur", metadata=ours)
    product.relay()
    assert "payment_intent.succeeded" in quarantined()
    assert (credits(product.ada), product.balance) == ([], Decimal(1))


def test_it_credits_nothing_of_live_mode(product: Product, server: str) -> None:
    """The key is a test key: a live event is kept for staff, whoever signed it."""
    live = World(server, livemode=True)
    live.v1.payment_intents.create({"amount": 2500, "currency": "usd"})
    product.relay(live.events())
    live.close()
    assert quarantined() == ["payment_intent.created"]


def test_it_credits_from_the_event_alone(product: Product, settings: Settings) -> None:
    """Nobody answers at Stripe's address while the event comes: card and receipt are missing, not the money."""
    row = begin(product.ada, card=product.save_card(), origin=TopUp.Origin.API)
    topups._ask(row)
    told = product.world.events()
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    product.relay(body for body in told if b'"payment_intent.succeeded"' in body)
    assert (credits(product.ada), pinned_mode()) == ([Decimal(25)], Mode.STRIPE_TEST)
