"""Settings > Account: a new email address, the time zone, the theme, where alerts tell, and the way to the rest."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core import signing
from django.test import Client

from accounts import email_change, people
from accounts.email_change import Wish
from accounts.models import Account, Mail, User
from alerts import subscriptions
from billing import ledger
from tests import factories
from tests.accounts.mailbox import links, subjects
from tests.billing import paying
from tests.factories import PASSWORD
from tests.usage import events
from usage import metering
from usage.models import Charge

pytestmark = pytest.mark.django_db
PAGE, CHANGE = "/settings/account/", "/settings/account/email/"
NEW = "ada@example.org"


@pytest.fixture
def browser(client: Client, ada: User) -> Client:
    client.force_login(ada)
    return client


def ask(browser: Client, email: str = NEW, password: str = PASSWORD) -> str:
    return browser.post(CHANGE, {"email": email, "password": password}, follow=True).content.decode()


def link_to(email: str = NEW) -> str:
    return next(link for link in links(email) if link.startswith("/new-email/"))


def email_of(user: User) -> str:
    return User.objects.get(pk=user.pk).email


# --- a new address ----------------------------------------------------------------------------------------------


def test_it_changes_the_address_by_a_button_behind_the_link(browser: Client, ada: User) -> None:
    assert f"We wrote to {NEW}" in ask(browser)
    assert subjects(NEW) == ["Confirm your new email address"]
    assert subjects(ada.email)[-1] == "Somebody asked to change your email address"
    assert browser.get(link_to()).status_code == 200
    assert email_of(ada) == ada.email  # following a link is what mail scanners do
    answer = browser.post(link_to())
    assert answer["Location"] == PAGE
    assert email_of(ada) == NEW
    assert subjects(ada.email)[-1] == "Your email address was changed"
    assert browser.get(PAGE).status_code == 200
    fresh = Client()
    assert fresh.post("/sign-in/", {"email": ada.email, "password": PASSWORD}).status_code == 200
    assert fresh.post("/sign-in/", {"email": NEW, "password": PASSWORD})["Location"] == "/settings/billing/"


def test_its_link_works_once_for_a_day_and_ends_with_the_password(browser: Client, ada: User) -> None:
    ask(browser)
    with time_machine.travel(datetime.now(ZoneInfo("UTC")) + timedelta(hours=25)):
        assert Client().get(link_to()).status_code == 404
    used = link_to()
    browser.post(used)
    assert browser.post(used).status_code == 404
    ada.refresh_from_db()
    ask(browser, "third@example.org")
    later = link_to("third@example.org")
    people.set_password(ada, "another long password", now=paying.clock())
    assert Client().get(later).status_code == 404
    assert email_of(ada) == NEW


def test_it_asks_for_the_password_where_nobody_is_signed_in(browser: Client, ada: User) -> None:
    """A mistyped address must not let whoever owns it in."""
    ask(browser)
    stranger = Client()
    assert b'name="password"' in stranger.get(link_to()).content
    assert stranger.post(link_to(), {"password": "a guess"}).status_code == 200
    assert email_of(ada) == ada.email
    assert stranger.post(link_to(), {"password": PASSWORD})["Location"] == "/sign-in/"
    assert email_of(ada) == NEW


def test_somebody_elses_session_needs_the_password_too(browser: Client, ada: User, cy: User) -> None:
    ask(browser)
    other = Client()
    other.force_login(cy)
    other.post(link_to())
    assert email_of(ada) == ada.email


@pytest.mark.parametrize("password", ["wrong", ""])
def test_it_sends_nothing_without_the_password(browser: Client, ada: User, password: str) -> None:
    assert "Nothing was sent" in ask(browser, password=password)
    assert subjects(NEW) == subjects(ada.email) == []


@pytest.mark.parametrize("email", ["", "no address", "a\x00b@example.com", "x" * 250 + "@example.com"])
def test_it_takes_only_an_address(browser: Client, ada: User, email: str) -> None:
    assert "Nothing was sent" in ask(browser, email)
    assert not Mail.objects.exists()


def test_it_tells_nobody_but_the_mailbox_that_an_address_has_a_user(
    browser: Client, ada: User, cy: User
) -> None:
    """Signing up tells no more than this either."""
    free, taken = ask(browser), ask(browser, cy.email)
    assert (
        free.replace(NEW, "?").count("We wrote to ?")
        == taken.replace(cy.email, "?").count("We wrote to ?")
        == 1
    )
    assert subjects(cy.email) == ["You already have an account"]
    assert not [link for link in links(cy.email) if link.startswith("/new-email/")]


def test_it_refuses_an_address_that_was_taken_meanwhile(browser: Client, ada: User) -> None:
    ask(browser)
    factories.owner(NEW, name="Quicker")
    page = browser.post(link_to(), follow=True).content.decode()
    assert "belongs to another user now" in page
    assert email_of(ada) == ada.email


def test_a_sign_up_that_was_never_confirmed_does_not_block_it(browser: Client, ada: User) -> None:
    Client().post("/sign-up/", {"email": NEW, "password": PASSWORD, "name": "Squatter", "timezone": "UTC"})
    ask(browser)
    browser.post(link_to())
    assert email_of(ada) == NEW
    assert not Account.objects.filter(name="Squatter").exists()


def test_it_is_no_news_to_change_to_the_same_address(browser: Client, ada: User) -> None:
    assert "That is your address already" in ask(browser, "ADA@example.com")
    assert subjects(ada.email) == []


def test_it_floods_nobody(browser: Client, ada: User) -> None:
    for number in range(email_change.MAILS_AN_HOUR):
        assert email_change.ask(ada, f"victim{number}@example.org", now=paying.clock())
    assert not email_change.ask(ada, "one-more@example.org", now=paying.clock())
    assert subjects("one-more@example.org") == []


@pytest.mark.parametrize("token", ["x", "x:y:z", signing.dumps(["usr_1"], salt=email_change.SALT), "%00"])
def test_it_takes_no_link_of_its_own_making(client: Client, token: str) -> None:
    assert client.get(f"/new-email/{token}/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_two_who_want_the_same_address_at_once_do_not_both_get_it(ada: User, cy: User) -> None:
    wishes = [Wish(ada, NEW), Wish(cy, NEW)]
    changed = paying.in_parallel(2, lambda number: email_change.change(wishes[number], now=paying.clock()))
    assert sorted(changed) == [False, True]
    assert User.objects.filter(email=NEW).count() == 1


def test_a_double_click_changes_once(ada: User) -> None:
    wish = Wish(ada, NEW)
    assert email_change.change(wish, now=paying.clock())
    assert not email_change.change(wish, now=paying.clock())
    assert subjects("ada@example.com") == ["Your email address was changed"]


# --- time zone --------------------------------------------------------------------------------------------------


def test_a_new_time_zone_counts_from_the_next_charge_on(browser: Client, ada: User) -> None:
    """A day that is closed stays as it is."""
    at = datetime(2026, 3, 5, 22, 0, tzinfo=ZoneInfo("UTC"))
    metering.record(ada.account_id, events.chat("before"), now=at)
    browser.post(PAGE, {"name": "Ada's agents", "timezone": "Asia/Tokyo"})
    metering.record(ada.account_id, events.chat("after"), now=at + timedelta(minutes=1))
    days = Charge.objects.order_by("recorded_at").values_list("day", flat=True)
    assert [day.isoformat() for day in days] == ["2026-03-05", "2026-03-06"]


def test_it_finds_a_city_by_its_first_letters(browser: Client) -> None:
    """The list is the browser's own: typing finds what an option begins with, so it begins with the city."""
    page = browser.get(PAGE).content.decode()
    assert '<optgroup label="Europe">' in page
    assert '<option value="Europe/Berlin">Berlin</option>' in page


def test_saving_keeps_a_zone_that_is_not_in_the_list(browser: Client, ada: User) -> None:
    Account.objects.filter(pk=ada.account_id).update(timezone="US/Eastern")
    assert '<option value="US/Eastern" selected>' in browser.get(PAGE).content.decode()
    browser.post(PAGE, {"name": "Renamed", "timezone": "US/Eastern"})
    account = Account.objects.get(pk=ada.account_id)
    assert (account.name, account.timezone) == ("Renamed", "US/Eastern")


# --- the rest of the page -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_chooses_a_theme_and_goes_back_to_the_devices(browser: Client, theme: str) -> None:
    browser.post("/theme/", {"theme": theme, "next": PAGE})
    page = browser.get(PAGE).content.decode()
    assert f'data-theme="{theme}"' in page
    assert f'value="{theme}" aria-pressed="true"' in page
    answer = browser.post("/theme/", {"theme": "device", "next": PAGE})
    assert (answer.status_code, answer["Location"]) == (303, PAGE)
    page = browser.get(PAGE).content.decode()
    assert "data-theme=" not in page
    assert 'value="device" aria-pressed="true"' in page


def test_it_chooses_where_new_alert_rules_tell(browser: Client, ada: User) -> None:
    assert browser.post("/settings/account/channel/", {"channel": "email"})["Location"] == PAGE
    assert subscriptions.channel_of(ada) == "email"
    assert '<option value="email" selected>' in browser.get(PAGE).content.decode()
    browser.post("/settings/account/channel/", {"channel": "pigeon"})
    assert subscriptions.channel_of(ada) == "email"


def test_it_offers_a_viewer_what_a_viewer_may(client: Client, bo: User) -> None:
    client.force_login(bo)
    page = client.get(PAGE).content.decode()
    for here in ("Change", "Theme", "Sign out", "Export"):
        assert here in page
    for absent in (
        "choose_channel",
        "/settings/account/channel/",
        "/settings/account/close/",
        "/billing/freeze/",
    ):
        assert absent not in page
    assert client.post("/settings/account/channel/", {"channel": "email"}).status_code == 403


@pytest.mark.parametrize(("by", "says"), [("owner", "nothing new starts"), ("staff", "Frozen by us")])
def test_it_says_whether_spending_is_frozen(browser: Client, ada: User, by: str, says: str) -> None:
    assert "Not frozen" in browser.get(PAGE).content.decode()
    ledger.freeze(ada.account_id, by=by, frozen=True)
    assert says in browser.get(PAGE).content.decode()


def test_it_leads_to_everything_that_belongs_to_an_account(browser: Client) -> None:
    page = browser.get(PAGE).content.decode()
    for path in ("members/", "email/", "export/", "close/"):
        assert f'href="/settings/account/{path}"' in page
    for path in ("/settings/billing/details/", "/settings/billing/freeze/", "/settings/notifications/"):
        assert f'href="{path}"' in page


def test_a_refused_form_keeps_the_present_name_around_it(browser: Client, ada: User) -> None:
    page = browser.post(PAGE, {"name": "", "timezone": "Mars/Olympus"}).content.decode()
    assert "The account was not changed" in page
    assert "in UTC now" in page
    assert Account.objects.get(pk=ada.account_id).name == "Ada's agents"
