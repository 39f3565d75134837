"""Refunds by staff, refunds made at Stripe's own dashboard, and disputes, at a replica of Stripe."""

from decimal import Decimal

import pytest

from billing import refunds, topups
from billing.models import Dispute, Refund, StaffNotice, TopUp
from billing.refund_rules import NotRefundable
from tests.billing.paying import begin, clock, credits
from tests.stripe_world.product import Product

pytestmark = pytest.mark.django_db
LOWERED = Decimal("1.00")  # the trial: what is left when all that was paid went back


def paid(product: Product, kind: str = "ok") -> TopUp:
    """$25 by the API, answered at once; its events are still on their way."""
    row = begin(product.ada, card=product.save_card(kind), origin=TopUp.Origin.API)
    topup = topups.pay(row)
    assert topup.status == TopUp.Status.SUCCEEDED
    return topup


def refund(topup: TopUp, dollars: str) -> Refund:
    return refunds.refund(
        topup, Decimal(dollars), origin=Refund.Origin.STAFF, actor="user_staff", reason="asked", now=clock()
    )


def test_it_refunds_by_staff_in_part_and_whole(product: Product) -> None:
    topup = paid(product)
    first, rest = refund(topup, "10.00"), refund(topup, "15.00")
    assert [first.status, rest.status] == [Refund.Status.SUCCEEDED] * 2
    assert product.balance == LOWERED
    with pytest.raises(NotRefundable):
        refund(topup, "0.01")
    told = product.relay()
    assert told.count("refund.created") == 2
    assert product.balance == LOWERED
    assert [item["amount"] for item in product.world.objects("refunds")] == [1500, 1000]
    product.prove()


def test_it_gives_back_what_a_refund_that_fails_later_took(product: Product) -> None:
    """The world fails no refund later, but one that is still on its way can be canceled at the dashboard."""
    row = refund(paid(product, "refund_pends"), "25.00")
    product.relay()
    row.refresh_from_db()
    assert (row.status, product.balance) == (Refund.Status.PENDING, LOWERED)
    assert row.gateway_id is not None
    product.world.v1.refunds.cancel(row.gateway_id)
    assert product.relay().count("refund.updated") == 1
    row.refresh_from_db()
    assert (row.status, product.balance) == (Refund.Status.FAILED, Decimal(26))
    product.prove()


def test_it_takes_a_refund_made_at_the_dashboard(product: Product) -> None:
    topup = paid(product)
    assert topup.payment_id is not None
    made = product.world.v1.refunds.create({"payment_intent": topup.payment_id, "amount": 1000})
    events = product.world.events()
    product.relay([*reversed(events), *events])
    [row] = Refund.objects.all()
    assert (row.gateway_id, row.origin, row.amount) == (made.id, Refund.Origin.GATEWAY, Decimal(10))
    assert product.balance == Decimal(16)
    product.prove()


def test_it_takes_a_refund_whose_payment_it_has_not_heard_of(product: Product) -> None:
    """The payment's answer and its event are lost: the refund's event settles the payment first."""
    row = begin(product.ada, card=product.save_card(), origin=TopUp.Origin.API)
    payment = topups._ask(row)
    product.world.v1.refunds.create({"payment_intent": payment.id, "amount": 2500})
    told = product.world.events()
    product.relay(body for body in told if b'"refund.created"' in body)
    assert (credits(product.ada), product.balance) == ([Decimal(25)], LOWERED)
    product.relay(told)
    assert (credits(product.ada), product.balance) == ([Decimal(25)], LOWERED)
    product.prove()


@pytest.mark.parametrize(("evidence", "end", "left"), [
    ("winning_evidence", "won", Decimal(26)), ("losing_evidence", "lost", LOWERED),
])  # fmt: skip
def test_it_follows_a_dispute_to_its_end(product: Product, evidence: str, end: str, left: Decimal) -> None:
    """The world tells of the dispute before it tells of the payment that is disputed."""
    topup = paid(product, "disputed")
    assert "charge.dispute.created" in product.relay()
    [dispute] = product.world.objects("disputes")
    assert Dispute.objects.get().status == "needs_response"
    assert product.balance == LOWERED
    with pytest.raises(NotRefundable):
        refund(topup, "5.00")
    product.world.v1.disputes.update(dispute["id"], {"evidence": {"uncategorized_text": evidence}})
    events = product.world.events()
    product.relay([*reversed(events), *events])
    assert Dispute.objects.get().status == end
    assert product.balance == left
    assert StaffNotice.objects.filter(topup=topup).count() == 2
    product.prove()


def test_it_moves_no_money_for_an_inquiry(product: Product) -> None:
    paid(product, "inquired")
    product.relay()
    assert Dispute.objects.get().status == "warning_needs_response"
    assert product.balance == Decimal(26)
    product.prove()


def test_it_gives_back_what_the_processor_would_not_refund(product: Product) -> None:
    """More was refunded at the dashboard than we have heard of: ours is refused there, and undone here."""
    topup = paid(product)
    assert topup.payment_id is not None
    product.world.v1.refunds.create({"payment_intent": topup.payment_id, "amount": 2000})
    row = refund(topup, "25.00")
    assert (row.status, product.balance) == (Refund.Status.FAILED, Decimal(26))
    product.relay()
    assert product.balance == Decimal(6)
    product.prove()


def test_it_takes_a_disputed_payment_once(product: Product) -> None:
    """The dispute is there, its event is not: the refund is refused, and the dispute then takes the money."""
    row = refund(paid(product, "disputed"), "25.00")
    assert (row.status, product.balance) == (Refund.Status.FAILED, Decimal(26))
    product.relay()
    assert (Dispute.objects.get().taken, product.balance) == (Decimal(25), LOWERED)
    product.prove()
