"""Payments while the card's holder is there. The world takes no `return_url`: on its road that one word is left out.

That our requests carry it, and rightly, is proved by the OpenAPI document; where it leads, by the sandbox.
"""

import re
from decimal import Decimal

import pytest
from django.test import Client

from billing import auto_charge, topups
from billing.models import TopUp
from tests.billing.paying import begin, credits
from tests.stripe_world.product import Product
from tests.stripe_world.road import Road

pytestmark = pytest.mark.django_db
ADD_FUNDS = "/settings/billing/add-funds/"


@pytest.fixture(autouse=True)
def narrow_road(road: Road) -> None:
    road.without = "return_url"


@pytest.mark.parametrize(
    ("kind", "said", "added"), [("ok", "$25.00 added", [Decimal(25)]), ("fails_when_charged", "declined", [])]
)
def test_it_charges_a_saved_card_in_the_browser(
    product: Product, client: Client, kind: str, said: str, added: list[Decimal]
) -> None:
    """S22, S24: a press on Add Funds, and the page tells what the bank said."""
    card = product.save_card(kind)
    client.force_login(product.ada)
    form = re.findall(r'name="topup" value="([^"]+)"', client.get(ADD_FUNDS).content.decode())[0]
    pressed = {"topup": form, "preset": "25", "amount": "", "method": card}
    pages = [client.post(ADD_FUNDS, pressed, follow=True).content.decode() for _ in range(2)]
    assert [said in page for page in pages] == [True, True]
    assert len(product.world.objects("payment_intents")) == 1
    product.relay()
    assert credits(product.ada) == added
    product.prove()


def test_it_goes_on_with_the_same_payment_when_its_holder_comes(product: Product) -> None:
    """Off session the bank asked. Confirming asks it again about the same payment; giving up cancels that one."""
    product.wish(product.save_card("needs_confirmation"))
    product.say("m-1")
    topup = auto_charge.attempt(product.ada.account_id)
    assert topup is not None
    topup = topups.confirm(topup)
    product.relay()
    topup.refresh_from_db()
    [payment] = product.world.objects("payment_intents")
    assert (payment["id"], payment["status"]) == (topup.payment_id, "requires_action")
    assert topup.status == TopUp.Status.REQUIRES_ACTION
    assert topups.withdraw(topup).status == TopUp.Status.CANCELED
    assert product.world.objects("payment_intents")[0]["status"] == "canceled"
    product.relay()
    product.prove()


def test_it_waits_where_the_bank_asks_at_once(product: Product) -> None:
    card = product.save_card("needs_confirmation")
    topup = topups.pay(begin(product.ada, card=card, origin=TopUp.Origin.PAGE))
    product.relay()
    topup.refresh_from_db()
    assert (topup.status, credits(product.ada)) == (TopUp.Status.REQUIRES_ACTION, [])
    product.prove()


def test_it_hears_that_a_waiting_payment_was_canceled_at_the_dashboard(product: Product) -> None:
    """The event is lost; whoever comes to confirm learns that nothing is left to confirm."""
    product.wish(product.save_card("needs_confirmation"))
    product.say("m-1")
    topup = auto_charge.attempt(product.ada.account_id)
    assert topup is not None
    assert topup.payment_id is not None
    product.world.v1.payment_intents.cancel(topup.payment_id)
    topup = topups.confirm(topup)
    assert (topup.is_open, credits(product.ada)) == (False, [])
    product.relay()
    product.prove()
