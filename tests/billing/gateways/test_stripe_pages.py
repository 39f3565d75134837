"""The pages of paying while Stripe is configured: they lead to Stripe, and nothing of the sandbox is left."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts import ids
from accounts.models import User
from billing import payment_methods
from billing.gateways import Card
from billing.models import Customer, TopUp
from tests.billing.gateways import stripe_answers as answers
from tests.billing.gateways.conftest import Wire
from tests.billing.paying import clock, credits
from tests.billing.test_add_funds import PAGE, pay, signed_in, text_of

pytestmark = pytest.mark.django_db
CHECKOUT = "https://checkout.stripe.com/c/pay/cs_1#fidkdWxOYHwnPyd1blpxYHZx"


@pytest.fixture
def browser(wire: Wire, settings: Settings, ada: User) -> Client:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_x", [answers.SECRET]
    settings.STRIPE_API_BASE = wire.server.url_for("").rstrip("/")
    settings.SANDBOX_ALLOW_PUBLIC = True
    Customer.objects.create(account=ada.account, mode="stripe_test", gateway_id="cus_1")
    return signed_in(ada)


def paid(**changes: Any) -> answers.Fields:
    ours = {"topup": TopUp.objects.get().public_id, "installation": answers.installation_id()}
    return answers.intent(metadata=ours, latest_charge=answers.charge(), **changes)


def test_a_new_card_is_typed_on_stripe_s_page(wire: Wire, browser: Client, ada: User) -> None:
    """S24: the browser goes on to Stripe by itself, comes back, and the money is there without waiting for an event."""
    page = text_of(browser.get(PAGE))
    for words in (
        "Continues on Stripe's payment page",
        "Save the new card for later",
        "You allow us to charge it",
    ):
        assert words in page
    wire.answer(answers.session(url=CHECKOUT))
    where = pay(browser, save_card="on")["Location"]
    assert wire.sent[-1].form["payment_intent_data[setup_future_usage]"] == "off_session"
    assert f'http-equiv="refresh" content="0; url={CHECKOUT}"' in browser.get(where).content.decode()
    wire.answers[:] = []
    wire.answer(answers.listed(paid())).answer(answers.listed(answers.method()))
    assert "$25.00 added" in text_of(browser.get(f"{where}?returned=1"))
    assert credits(ada) == [Decimal(25)]
    assert [str(card) for card in payment_methods.of_account(ada.account_id)] == ["Visa •••• 4242"]


def test_a_saved_card_is_confirmed_with_its_bank(wire: Wire, browser: Client, ada: User) -> None:
    payment_methods.remember(Card("pm_1", "cus_1", "visa", "4242", 12, 2034), now=clock())
    to = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.stripe.com/3ds?a=1"}}
    form = {"topup": ids.public("top", ids.uuid7()), "preset": "25", "amount": "", "method": "pm_1"}
    ours = {"topup": form["topup"], "installation": answers.installation_id()}
    wire.answer(answers.intent(status="requires_action", amount_received=0, next_action=to, metadata=ours))
    where = browser.post(PAGE, form)["Location"]
    assert wire.sent[-1].form["return_url"].endswith(f"{where}?returned=1")
    assert "https://hooks.stripe.com/3ds?a=1" in browser.get(where).content.decode()
    wire.answers[:] = []
    wire.answer(paid())
    assert "$25.00 added" in text_of(browser.get(f"{where}?returned=1"))


def test_a_card_is_saved_on_stripe_s_page(wire: Wire, browser: Client) -> None:
    page = reverse("add_card")
    words = text_of(browser.get(page))
    assert "You type its details on Stripe's page; we never see the number." in words
    assert "By saving it you allow us to charge it" in words
    wire.answer(answers.session(url=CHECKOUT))
    assert browser.post(page)["Location"] == page
    assert f"url={CHECKOUT}" in browser.get(page).content.decode()
    assert wire.sent[-1].form["mode"] == "setup"
    wire.answers[:] = []
    wire.answer(answers.listed(answers.method()))
    back = browser.get(reverse("payment_methods"), {"returned": "1"}, follow=True)
    assert "Visa •••• 4242 is saved." in text_of(back)


def test_a_stripe_that_does_not_answer_loses_no_page(wire: Wire, browser: Client) -> None:
    wire.answer("<html>", 502)
    assert "The payment service does not answer. No card was saved" in text_of(
        browser.post(reverse("add_card"))
    )
    where = pay(browser)["Location"]
    assert "Confirming your payment" in text_of(browser.get(where))


def test_nothing_of_the_sandbox_is_left(browser: Client) -> None:
    assert "Sandbox" not in browser.get(PAGE).content.decode()
    assert browser.get(reverse("sandbox_outbox")).status_code == 404
    assert browser.get(reverse("sandbox_checkout", args=["cs_1"])).status_code == 404
