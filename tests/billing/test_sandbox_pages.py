"""The sandbox's pages: who may see them, and when they exist at all."""

import pytest
from django.test import Client
from pytest_django import Settings

from accounts import mail
from accounts.models import User
from billing import payment_methods, topups
from billing.models import TopUp
from tests import factories
from tests.billing.paying import begin, clock, credits, save_card
from tests.billing.test_add_funds import signed_in, text_of

pytestmark = pytest.mark.django_db
OUTBOX = "/sandbox/outbox/"


@pytest.fixture(autouse=True)
def rehearsal(settings: Settings) -> None:
    settings.SANDBOX_ALLOW_PUBLIC = True


def pages(ada: User) -> tuple[str, str]:
    """A payment page and a bank's page that wait for Ada."""
    checkout = topups.pay(begin(ada))
    bank = topups.pay(begin(ada, card=save_card(ada, "pm_card_authenticationRequired")))
    return f"/sandbox/checkout/{checkout.page_id}/", f"/sandbox/3ds/{bank.payment_id}/"


def test_they_are_for_the_account_that_pays(ada: User, bo: User, cy: User, client: Client) -> None:
    for page in pages(ada):
        assert signed_in(ada).get(page).status_code == 200
        assert client.get(page)["Location"].startswith("/sign-in/")
        assert signed_in(bo).get(page).status_code == 403  # a viewer does not pay
        for method in ("get", "post"):
            assert getattr(signed_in(cy), method)(page, {"confirm": "yes"}).status_code == 404
    assert credits(ada) == []


@pytest.mark.parametrize(
    ("debug", "public", "key", "status"),
    [(False, False, "", 404), (False, True, "", 200), (True, False, "", 200), (True, True, "sk_test_x", 404)],
)
def test_they_exist_only_in_a_rehearsal(
    ada: User, settings: Settings, debug: bool, public: bool, key: str, status: int
) -> None:
    """With DEBUG off they need SANDBOX_ALLOW_PUBLIC, and never beside a real processor."""
    checkout, bank = pages(ada)
    settings.DEBUG, settings.SANDBOX_ALLOW_PUBLIC, settings.STRIPE_SECRET_KEY = debug, public, key
    browser = signed_in(ada)
    for page in (checkout, bank, OUTBOX):
        assert browser.get(page).status_code == status


def test_they_know_no_such_page(ada: User) -> None:
    for page in ("/sandbox/checkout/cs_x/", "/sandbox/3ds/pi_x/"):
        assert signed_in(ada).get(page).status_code == 404


def test_a_paid_page_leads_back(ada: User) -> None:
    checkout, _ = pages(ada)
    browser = signed_in(ada)
    paid = browser.post(checkout, {"pick": "pm_card_visa"})
    assert browser.get(checkout)["Location"] == paid["Location"]
    assert browser.post(checkout, {"pick": "pm_card_visa"}).status_code == 303
    topups.look(TopUp.objects.exclude(page_id="").get())
    assert len(credits(ada)) == 1


def test_an_answered_challenge_leads_back(ada: User) -> None:
    _, bank = pages(ada)
    browser = signed_in(ada)
    first = browser.post(bank, {"refuse": "yes"})
    again = browser.post(bank, {"confirm": "yes"})
    assert first["Location"] == again["Location"]
    assert credits(ada) == []


def test_the_outbox_shows_everybody_their_own(ada: User, cy: User, client: Client) -> None:
    letter = {"link": "http://127.0.0.1:8000/confirm/secret-link/"}
    for user in (ada, cy):
        mail.send(user.email, "confirm_email", letter, now=clock(), user=user, secret=True)
    assert f"To {ada.email}" in text_of(signed_in(ada).get(OUTBOX))
    assert cy.email not in text_of(signed_in(ada).get(OUTBOX))
    assert "secret-link" in text_of(signed_in(ada).get(OUTBOX))
    assert "No mail yet" in text_of(client.get(OUTBOX))
    staff = User.objects.create_superuser("root@example.com", factories.PASSWORD)
    page = text_of(signed_in(staff).get(OUTBOX))
    assert ada.email in page
    assert cy.email in page
    assert "secret-link" not in page


def test_the_outbox_shows_a_browser_what_it_asked_for(ada: User, client: Client) -> None:
    """Somebody signed out finds the link of the sign-up they just sent, and nobody else's."""
    form = {"email": "new@example.org", "password": factories.PASSWORD, "name": "New", "timezone": "UTC"}
    client.post("/sign-up/", form)
    page = client.get(OUTBOX).content.decode()
    assert "new@example.org" in page
    assert "/confirm/" in page
    assert "No mail yet" in text_of(Client().get(OUTBOX))


def test_the_customer_is_made_once_for_both(ada: User) -> None:
    assert payment_methods.customer_of(ada.account_id) == topups.pay(begin(ada)).customer
