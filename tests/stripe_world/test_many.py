"""Many at once and many in a row, and what the two books say in the end, at a replica of Stripe."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import User
from billing import auto_charge, gateways, payment_methods, settling, topup_sweep, topups
from billing.gateways import Unavailable
from billing.models import Customer, PaymentMethod, TopUp
from billing.reconciliation import reconcile
from tests.billing.paying import begin, clock, credits, in_parallel
from tests.stripe_world.product import Product
from tests.stripe_world.road import Road

pytestmark = pytest.mark.django_db
MORE_THAN_A_PAGE = 103


def test_it_charges_once_when_sixteen_workers_see_the_crossing(product: Product) -> None:
    product.wish(product.save_card())
    product.say("m-1")
    in_parallel(16, lambda _: auto_charge.attempt(product.ada.account_id))
    assert len(product.world.objects("payment_intents")) == 1
    product.relay()
    assert (credits(product.ada), product.balance) == ([Decimal(25)], Decimal("25.35"))
    product.prove()


def test_it_finds_a_payment_behind_more_than_a_page_of_others(product: Product) -> None:
    row = begin(product.ada, card=product.save_card(), origin=TopUp.Origin.API)
    first = topups._ask(row)
    for _ in range(MORE_THAN_A_PAGE):
        product.world.v1.payment_intents.create(
            {"amount": 100, "currency": "usd", "customer": product.customer}
        )
    found = gateways.gateway().find_payment(customer=product.customer, reference=row.public_id)
    assert found == first
    month = timedelta(days=30)
    listed = list(gateways.gateway().payments(since=clock() - month, until=clock() + month))
    assert len({payment.id for payment in listed}) == len(listed) == MORE_THAN_A_PAGE + 1
    assert listed[-1] == first


def test_it_knows_every_refund_of_a_payment(product: Product) -> None:
    topup = topups.pay(begin(product.ada, card=product.save_card(), origin=TopUp.Origin.API))
    assert topup.payment_id is not None
    for _ in range(MORE_THAN_A_PAGE):
        product.world.v1.refunds.create({"payment_intent": topup.payment_id, "amount": 1})
    refunds = gateways.gateway().refunds(topup.payment_id)
    assert (len(refunds), sum(refund.amount for refund in refunds)) == (MORE_THAN_A_PAGE, MORE_THAN_A_PAGE)
    assert gateways.gateway().payment(topup.payment_id).refunded == MORE_THAN_A_PAGE


def test_it_reconciles_what_every_other_road_missed(product: Product) -> None:
    """Paid there, given up here: the comparison credits it, and tells."""
    row = begin(product.ada, card=product.save_card(), origin=TopUp.Origin.API)
    topups._ask(row)
    settling.end(row, TopUp.Status.FAILED, code="never_arrived")
    [difference] = reconcile(now=clock() + timedelta(seconds=2)).differences
    assert (difference["topup"], difference["repaired"]) == (row.public_id, True)
    assert credits(product.ada) == [Decimal(25)]
    product.prove()


def test_it_makes_a_customer_once_though_the_answer_is_lost(product: Product, cy: User, road: Road) -> None:
    road.losing = 2
    with pytest.raises(Unavailable):
        payment_methods.customer_of(cy.account_id)
    known = payment_methods.customer_of(cy.account_id)
    assert [customer["id"] for customer in product.world.objects("customers")] == [known, product.customer]


def test_it_begins_anew_with_an_account_whose_customer_was_deleted(product: Product) -> None:
    """Deleted at the dashboard, cards and all: the account gets another customer and may save a card again."""
    card = product.save_card()
    product.world.v1.customers.delete(product.customer)
    topup = topups.pay(begin(product.ada, card=card, origin=TopUp.Origin.API))
    assert (topup.status, credits(product.ada)) == (TopUp.Status.FAILED, [])
    assert PaymentMethod.objects.get(gateway_id=card).removed_at is not None
    product.relay()
    product.customer = payment_methods.customer_of(product.ada.account_id)
    assert Customer.objects.get(gateway_id=product.customer).number == 2
    assert topups.pay(begin(product.ada, card=product.save_card(), origin=TopUp.Origin.API)).payment_id
    assert credits(product.ada) == [Decimal(25)]
    product.prove()


@pytest.mark.parametrize("paid", [False, True])
def test_it_gives_up_on_a_payment_of_a_deleted_customer(product: Product, paid: bool) -> None:
    """There is nobody to look for it under. If it was paid all the same, the comparison of the books credits it."""
    row = begin(product.ada, card=product.save_card(), origin=TopUp.Origin.API)
    if paid:
        topups._ask(row)
    TopUp.objects.update(status=TopUp.Status.UNKNOWN, created_at=clock() - timedelta(hours=24))
    product.world.v1.customers.delete(product.customer)
    topup_sweep.pursue_open_topups(now=clock() + timedelta(hours=2))
    row.refresh_from_db()
    assert (row.status, row.failure_code) == (TopUp.Status.FAILED, "never_arrived")
    reconcile(now=clock() + timedelta(seconds=2))
    assert credits(product.ada) == [Decimal(25)] * paid
    product.prove()


@pytest.mark.parametrize("order", [1, -1])
def test_it_keeps_no_card_that_was_removed(product: Product, order: int) -> None:
    """In whatever order its events come, also when both are new to us."""
    card = product.world.card(product.customer, "ok")
    product.world.v1.payment_methods.detach(card)
    product.relay(product.world.events()[::order])
    assert not PaymentMethod.objects.filter(removed_at=None).exists()


def test_it_removes_a_card_that_the_dashboard_has_removed(product: Product) -> None:
    """The event is lost: there is nothing left to remove there, so it goes here."""
    card = product.save_card()
    product.world.v1.payment_methods.detach(card)
    payment_methods.remove(product.ada.account_id, card, now=clock())
    assert PaymentMethod.objects.get(gateway_id=card).removed_at is not None
