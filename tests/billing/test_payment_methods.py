"""Settings > Billing > Payment methods."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from billing import gateways, payment_methods
from billing.errors import PaymentMethodNotFound
from billing.gateways import Card, Unavailable
from billing.gateways.sandbox import SandboxGateway
from billing.models import Customer, PaymentMethod, SandboxCard
from tests import factories
from tests.billing.paying import clock, in_parallel, save_card
from tests.billing.test_add_funds import forwarded, signed_in, text_of

pytestmark = pytest.mark.django_db
PAGE = "/settings/billing/payment-methods/"


class Down(SandboxGateway):
    """Never answers."""

    def _silent(self, *_: Any, **__: Any) -> Any:
        raise Unavailable("timed out")

    create_customer = card_setup = cards = remove_card = _silent


@pytest.fixture(autouse=True)
def rehearsal(settings: Settings) -> None:
    settings.SANDBOX_ALLOW_PUBLIC = True


@pytest.fixture
def browser(ada: User) -> Client:
    return signed_in(ada)


def shown(user: User) -> list[tuple[str, bool]]:
    rows = payment_methods.of_account(user.account_id)
    return [(card.last4, card.is_default) for card in rows]


def test_it_says_what_to_do_when_there_is_none(browser: Client, bo: User) -> None:
    assert "No card saved yet" in text_of(browser.get(PAGE))
    assert "Add a card" in text_of(browser.get(PAGE))
    assert "An admin or the owner of your account can save one." in text_of(signed_in(bo).get(PAGE))


def test_it_lists_cards_the_default_first(ada: User, bo: User, browser: Client) -> None:
    save_card(ada)
    save_card(ada, "pm_card_amex")
    assert shown(ada) == [("4242", True), ("0005", False)]
    page = text_of(browser.get(PAGE))
    assert "Visa •••• 4242 Default" in page
    assert "American Express •••• 0005" in page
    assert "Remove" in page
    assert "Remove" not in text_of(signed_in(bo).get(PAGE))


def test_it_shows_an_expired_card_as_such(ada: User, browser: Client) -> None:
    save_card(ada)
    PaymentMethod.objects.update(exp_month=2, exp_year=2026)
    assert "02/26 Expired" in text_of(browser.get(PAGE))


def test_it_adds_a_card_on_the_processor_s_page(ada: User, browser: Client) -> None:
    """With words of consent, and through our own page: a form may not lead to another site."""
    assert "you allow us to charge it" in text_of(browser.get(f"{PAGE}add/"))
    assert browser.post(f"{PAGE}add/")["Location"] == f"{PAGE}add/"
    page = forwarded(browser.get(f"{PAGE}add/"))
    assert "No money moves now" in text_of(browser.get(page))
    done = browser.post(page, {"number": "4242 4242 4242 4242"}, follow=True)
    assert done.redirect_chain[-1] == (PAGE, 303)
    assert "Visa •••• 4242 is saved." in text_of(done)
    assert shown(ada) == [("4242", True)]


def test_it_asks_the_bank_before_it_saves_some_cards(ada: User, browser: Client) -> None:
    browser.post(f"{PAGE}add/")
    page = forwarded(browser.get(f"{PAGE}add/"))
    browser.post(page, {"number": "4000002500003155"})
    assert "Is this you?" in text_of(browser.get(page))
    browser.post(page, {"refuse": "yes"})
    assert shown(ada) == []
    browser.post(page, {"number": "4000002500003155"})
    browser.post(page, {"confirm": "yes"}, follow=True)
    assert shown(ada) == [("3155", True)]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("4000000000000002", "Your card was declined."),
        ("4111111111111111", "Never type a real card number here."),
        ("", "not one of the test cards"),
    ],
)
def test_it_saves_no_card_that_the_bank_refuses(ada: User, browser: Client, number: str, said: str) -> None:
    browser.post(f"{PAGE}add/")
    page = forwarded(browser.get(f"{PAGE}add/"))
    assert said in text_of(browser.post(page, {"number": number}))
    assert not SandboxCard.objects.exists()


def test_it_makes_another_card_the_default(ada: User, browser: Client) -> None:
    save_card(ada)
    amex = save_card(ada, "pm_card_amex")
    page = browser.post(f"{PAGE}{amex}/default/", follow=True)
    assert "American Express •••• 0005 is now your default card." in text_of(page)
    assert shown(ada) == [("0005", True), ("4242", False)]


def test_it_asks_before_it_removes_a_card(ada: User, browser: Client) -> None:
    visa = save_card(ada)
    save_card(ada, "pm_card_amex")
    assert "Remove Visa •••• 4242?" in text_of(browser.get(f"{PAGE}{visa}/remove/"))
    assert shown(ada) == [("4242", True), ("0005", False)]
    page = browser.post(f"{PAGE}{visa}/remove/", follow=True)
    assert "Visa •••• 4242 is removed." in text_of(page)
    assert shown(ada) == [("0005", True)]
    assert SandboxCard.objects.get(pk=visa).customer is None


def test_it_keeps_a_card_that_could_not_be_removed(
    ada: User, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    visa = save_card(ada)
    monkeypatch.setattr(gateways, "gateway", Down)
    assert "The card was not removed" in text_of(browser.post(f"{PAGE}{visa}/remove/", follow=True))
    assert shown(ada) == [("4242", True)]


def test_it_removes_a_card_that_the_processor_lost_already(ada: User) -> None:
    visa = save_card(ada)
    gateways.gateway().remove_card(visa)
    payment_methods.remove(ada.account_id, visa, now=clock())
    assert shown(ada) == []


def test_it_says_so_when_the_processor_is_silent(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "gateway", Down)
    assert "No card was saved" in text_of(browser.post(f"{PAGE}add/"))
    page = browser.get(f"{PAGE}?returned=1", follow=True)
    assert "does not answer" in text_of(page)


def test_it_touches_no_stranger_s_card(ada: User, cy: User, browser: Client) -> None:
    theirs = save_card(cy)
    for action in ("default", "remove"):
        assert browser.post(f"{PAGE}{theirs}/{action}/").status_code == 404
    assert browser.get(f"{PAGE}{theirs}/remove/").status_code == 404
    assert shown(cy) == [("4242", True)]
    with pytest.raises(PaymentMethodNotFound):
        payment_methods.find(ada.account_id, theirs)


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_it_lets_admins_act_and_viewers_look(ada: User, role: str) -> None:
    visa = save_card(ada)
    browser = signed_in(factories.member(ada.account, email="eve@example.com", role=role))
    allowed = role == "admin"
    assert browser.get(PAGE).status_code == 200
    assert browser.get(f"{PAGE}add/").status_code == (200 if allowed else 403)
    assert browser.post(f"{PAGE}{visa}/default/").status_code == (303 if allowed else 403)
    assert browser.post(f"{PAGE}{visa}/remove/").status_code == (303 if allowed else 403)


def test_it_makes_one_customer_per_account(ada: User, cy: User) -> None:
    first = payment_methods.customer_of(ada.account_id)
    assert payment_methods.customer_of(ada.account_id) == first
    assert payment_methods.customer_of(cy.account_id) != first
    assert Customer.objects.count() == 2


def test_it_makes_another_customer_when_the_address_changed_meanwhile(ada: User) -> None:
    """The first answer was lost, then the owner changed the email address: the old key does not fit any more."""
    lost = payment_methods.customer_of(ada.account_id)
    Customer.objects.update(gateway_id=None)
    User.objects.filter(pk=ada.pk).update(email="ada@new.example.com")
    assert payment_methods.customer_of(ada.account_id) != lost
    assert Customer.objects.get().number == 2


def test_it_follows_a_card_that_was_renewed(ada: User) -> None:
    visa = save_card(ada)
    customer = payment_methods.customer_of(ada.account_id)
    payment_methods.remember(Card(visa, customer, "visa", "4242", 6, 2031), now=clock())
    card = payment_methods.find(ada.account_id, visa)
    assert (card.expiry, card.is_default) == ("06/31", True)


@pytest.mark.django_db(transaction=True)
def test_it_keeps_one_default_whoever_chooses_at_once(ada: User) -> None:
    cards = [save_card(ada, token) for token in ("pm_card_visa", "pm_card_amex", "pm_card_mastercard")]
    in_parallel(12, lambda number: payment_methods.make_default(ada.account_id, cards[number % 3]))
    assert [is_default for _, is_default in shown(ada)] == [True, False, False]
