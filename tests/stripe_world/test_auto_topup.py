"""Auto-topup meets a bank that says no, one that asks, and a card that is gone, at a replica of Stripe."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing import auto_charge, auto_topup, topup_sweep
from billing.models import AutoTopup, PaymentMethod, TopUp
from tests.billing.paying import clock, credits
from tests.stripe_world.product import Product

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def cross(product: Product) -> None:
    """$0.65 of the trial's dollar are spent: $0.35 is below the threshold of $0.50."""
    assert product.say("m-1")[0] == 201


def attempt(product: Product, *, later: timedelta = timedelta(0)) -> TopUp | None:
    return auto_charge.attempt(product.ada.account_id, now=clock() + later)


def standing_order(product: Product) -> AutoTopup:
    found = auto_topup.of(product.ada.account_id)
    assert found is not None
    return found


def test_it_tries_a_soft_decline_again_and_then_stops(product: Product) -> None:
    """After 1, 6 and 24 hours; each attempt is a row, a key and a payment of its own."""
    product.wish(product.save_card("fails_when_charged"))
    cross(product)
    elapsed = timedelta(0)
    for wait in (1, 6, 24):
        assert attempt(product, later=elapsed) is not None
        product.relay()
        assert attempt(product, later=elapsed + wait * HOUR - timedelta(minutes=5)) is None
        elapsed += wait * HOUR + timedelta(minutes=5)
        assert standing_order(product).enabled
    attempt(product, later=elapsed)
    product.relay()
    order = standing_order(product)
    assert (order.enabled, order.stopped_reason) == (False, AutoTopup.Stopped.DECLINED_REPEATEDLY)
    assert [row.status for row in product.auto_rows()] == [TopUp.Status.FAILED] * 4
    assert len(product.world.objects("payment_intents")) == 4
    assert credits(product.ada) == []
    product.prove()


@pytest.mark.parametrize("kind", ["lost", "expired"])
def test_it_stops_at_a_hard_decline(product: Product, kind: str) -> None:
    product.wish(product.hold_card(kind))
    cross(product)
    attempt(product)
    product.relay()
    order = standing_order(product)
    assert (order.enabled, order.stopped_reason) == (False, AutoTopup.Stopped.DECLINED)
    assert attempt(product, later=48 * HOUR) is None
    assert len(product.world.objects("payment_intents")) == 1
    product.prove()


def test_it_waits_for_the_holder_whom_the_bank_asks(product: Product) -> None:
    """No credit, a letter, and no other attempt meanwhile; after 23 hours it is canceled there, then here."""
    product.wish(product.save_card("needs_confirmation"))
    cross(product)
    topup = attempt(product)
    assert topup is not None
    product.relay()
    topup.refresh_from_db()
    assert topup.status == TopUp.Status.REQUIRES_ACTION
    assert any("onfirm" in subject for subject in product.letters())
    assert attempt(product, later=22 * HOUR) is None
    topup_sweep.pursue_open_topups(now=clock() + 23 * HOUR + timedelta(minutes=1))
    product.relay()
    topup.refresh_from_db()
    order = standing_order(product)
    assert (topup.status, order.stopped_reason) == (TopUp.Status.FAILED, "confirmation_expired")
    [payment] = product.world.objects("payment_intents")
    assert payment["status"] == "canceled"
    assert credits(product.ada) == []
    product.prove()


def test_it_ends_with_its_card(product: Product) -> None:
    """The card is removed at Stripe's dashboard; we hear of it by event."""
    card = product.save_card()
    product.wish(card)
    product.world.v1.payment_methods.detach(card)
    assert product.relay() == ["payment_method.detached"]
    assert PaymentMethod.objects.get(gateway_id=card).removed_at is not None
    assert standing_order(product).stopped_reason == AutoTopup.Stopped.CARD_REMOVED
    cross(product)
    assert attempt(product) is None


def test_it_stops_when_the_card_is_gone_and_nobody_said(product: Product) -> None:
    """The event is lost, and the refusal has no code: the gateway looks whose card it is.

    Stripe refuses a detached card so; the world charges it, but refuses one that another customer has by now.
    """
    card = product.save_card()
    product.wish(card)
    other = product.world.v1.customers.create({})
    product.world.v1.payment_methods.detach(card)
    product.world.v1.payment_methods.attach(card, {"customer": other.id})
    cross(product)
    topup = attempt(product)
    assert topup is not None
    assert (topup.status, topup.failure_code) == (TopUp.Status.FAILED, "resource_missing")
    assert standing_order(product).stopped_reason == AutoTopup.Stopped.CARD_REMOVED
    assert credits(product.ada) == []
    product.relay()
    product.prove()


@pytest.mark.parametrize("what", ["refund", "dispute"])
def test_it_does_not_charge_again_for_money_that_was_taken_back(product: Product, what: str) -> None:
    product.wish(product.save_card("disputed" if what == "dispute" else "ok"))
    cross(product)
    topup = attempt(product)
    assert topup is not None
    assert topup.payment_id is not None
    if what == "refund":
        product.world.v1.refunds.create({"payment_intent": topup.payment_id})
    product.relay()
    order = standing_order(product)
    assert order.stopped_reason == {"refund": "refunded", "dispute": "disputed"}[what]
    assert product.balance == Decimal("0.35")
    assert attempt(product, later=HOUR) is None
    product.prove()
