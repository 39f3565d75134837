"""The world did it and nobody heard: the same key again, or a look, and never a second payment."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing import refunds, topup_sweep, topups
from billing.models import Refund, TopUp
from billing.refund_sweep import pursue_open_refunds
from tests.billing.paying import begin, clock, credits
from tests.stripe_world.product import Product
from tests.stripe_world.road import Road

pytestmark = pytest.mark.django_db
BOTH = 2  # the call, and the one repeat that Stripe's package makes by itself


def asked(product: Product) -> TopUp:
    return begin(product.ada, card=product.save_card(), origin=TopUp.Origin.API)


def payments(product: Product) -> int:
    return len(product.world.objects("payment_intents"))


def test_it_asks_again_under_the_same_key(product: Product, road: Road) -> None:
    """Lost once, Stripe's package asks again; lost twice, the sweep does."""
    row, road.losing = asked(product), 1
    road.passed.clear()
    assert topups.pay(row).status == TopUp.Status.SUCCEEDED
    assert len({key for _, key in road.passed}) == 1
    assert (payments(product), credits(product.ada)) == (1, [Decimal(25)])


def test_it_is_found_by_the_sweep(product: Product, road: Road) -> None:
    row, road.losing = asked(product), BOTH
    road.passed.clear()
    assert topups.pay(row).status == TopUp.Status.UNKNOWN
    assert credits(product.ada) == []
    topup_sweep.pursue_open_topups(now=clock() + timedelta(minutes=2))
    row.refresh_from_db()
    assert row.status == TopUp.Status.SUCCEEDED
    assert {key for _, key in road.passed} == {f"charge:{row.public_id}"}
    assert (payments(product), credits(product.ada)) == (1, [Decimal(25)])
    product.relay()
    product.prove()


def test_it_only_looks_once_the_key_may_be_forgotten(product: Product, road: Road) -> None:
    row, road.losing = asked(product), BOTH
    topups.pay(row)
    road.passed.clear()
    topup_sweep.pursue_open_topups(now=clock() + timedelta(hours=23, minutes=1))
    row.refresh_from_db()
    assert (row.status, road.passed) == (TopUp.Status.SUCCEEDED, [])
    assert (payments(product), credits(product.ada)) == (1, [Decimal(25)])


def test_it_credits_once_when_the_events_come_before_the_answer(product: Product, road: Road) -> None:
    row = asked(product)
    road.meanwhile = lambda: product.relay() and None
    topup = topups.pay(row)
    assert (topup.status, credits(product.ada)) == (TopUp.Status.SUCCEEDED, [Decimal(25)])
    assert product.balance == Decimal(26)
    product.prove()


def test_it_refunds_once(product: Product, road: Road) -> None:
    topup = topups.pay(asked(product))
    road.passed.clear()
    road.losing = BOTH
    row = refunds.refund(
        topup, Decimal(25), origin=Refund.Origin.STAFF, actor="user_staff", reason="asked", now=clock()
    )
    assert (row.status, product.balance) == (Refund.Status.CREATED, Decimal(1))
    pursue_open_refunds(now=clock() + timedelta(minutes=2))
    row.refresh_from_db()
    assert row.status == Refund.Status.SUCCEEDED
    assert {key for _, key in road.passed} == {f"refund:{row.public_id}"}
    assert len(product.world.objects("refunds")) == 1
    product.relay()
    assert product.balance == Decimal(1)
    product.prove()
