"""Settings > Billing > Auto-topup: who may change it, what it refuses, what it says, and what saving does."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts.models import Mail, User
from billing import auto_charge, auto_topup, ledger, payment_methods, topup_sweep
from billing import auto_topup_wording as wording
from billing.auto_due import PATIENCE
from billing.auto_topup import Wish
from billing.models import AutoTopup, SandboxPayment, TopUp
from billing.selectors import balance_of
from tests import factories
from tests.billing.paying import clock, credits, save_card
from tests.billing.test_add_funds import forwarded, signed_in, text_of
from tests.usage import events
from usage import metering

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal
PAGE = "/settings/billing/auto-topup/"
GOOD = {"enabled": "on", "threshold": "0.50", "amount": "25.00", "monthly_limit": "500.00", "consent": "on"}
ALWAYS_ASKS, DECLINES = "pm_card_authenticationRequired", "pm_card_chargeCustomerFail"


@pytest.fixture(autouse=True)
def rehearsal(settings: Settings) -> None:
    settings.SANDBOX_ALLOW_PUBLIC = True


@pytest.fixture
def browser(ada: User) -> Client:
    return signed_in(ada)


@pytest.fixture
def visa(ada: User) -> str:
    return save_card(ada)


def send(browser: Client, card: str, *, follow: bool = False, **changed: str | None) -> HttpResponse:
    typed = {name: value for name, value in (GOOD | {"card": card} | changed).items() if value is not None}
    return browser.post(PAGE, typed, follow=follow)


def turn_on(user: User, card: str, **changes: Any) -> AutoTopup:
    terms: dict[str, Any] = {"threshold": D("0.50"), "amount": D(25), "monthly_limit": D(500)}
    wish = Wish(enabled=True, card=card, **terms | changes)
    return auto_charge.save(user.account_id, wish, actor=user.public_id, now=clock())


def saved(user: User) -> tuple[Any, ...] | None:
    auto = auto_topup.of(user.account_id)
    return (auto.enabled, auto.threshold, auto.amount, auto.card, auto.monthly_limit) if auto else None


# --- Turning it on and off ------------------------------------------------------------------------------------


def test_the_owner_turns_it_on(ada: User, browser: Client, visa: str) -> None:
    """S26: Settings > Billing > Auto-Topup: a toggle, a threshold, an amount, Save. With consent, and who gave it."""
    page = text_of(browser.get(PAGE))
    for label in ("When available falls below", "Add this amount", "Charge this card", "Save changes"):
        assert label in page
    before = clock()
    done = send(browser, visa, follow=True)
    assert done.redirect_chain == [(PAGE, 303)]
    assert "Auto-topup is on." in text_of(done)
    assert "Next top-up: when less than $0.50 is available" in text_of(done)
    assert saved(ada) == (True, D("0.50"), D(25), visa, D(500))
    auto = AutoTopup.objects.get()
    assert auto.consented_by == ada.public_id
    assert before <= auto.consented_at <= clock()
    assert credits(ada) == []


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("threshold=15.00&amount=40.00", ("15.00", "40.00")),
        ("threshold=15", ("15.00", "25.00")),
        ("threshold=-1&amount=1e9", ("5.00", "25.00")),
        ("threshold=NaN&amount=%00", ("5.00", "25.00")),
        ("threshold=15.001&amount=", ("5.00", "25.00")),
    ],
)
def test_a_suggestion_that_is_followed_only_fills_in_the_form(
    browser: Client, visa: str, asked: str, shown: tuple[str, str]
) -> None:
    form = browser.get(f"{PAGE}?{asked}").context["form"]
    assert (form["threshold"].value(), form["amount"].value()) == shown
    assert not AutoTopup.objects.exists(), "saved by its owner, with consent, or not at all"


def test_it_suggests_round_amounts_and_the_default_limit(browser: Client, visa: str) -> None:
    page = browser.get(PAGE).content.decode()
    for value in ('value="5.00"', 'value="25.00"', 'value="500.00"'):
        assert value in page
    assert "$0.00 used in" in page
    assert "Visa ending 4242 (12/34)" in page


def test_it_tops_up_at_once_when_the_balance_is_already_below(ada: User, browser: Client, visa: str) -> None:
    """S26 S27 S45: it says so before, and saving leads to the payment."""
    assert "now, already below: we top up as soon as it is on." in text_of(browser.get(PAGE))
    done = send(browser, visa, threshold="5.00", follow=True)
    topup = TopUp.objects.get()
    assert done.redirect_chain == [(f"/settings/billing/topups/{topup.public_id}/", 303)]
    assert "Less than $5.00 was available, so we asked your bank at once." in text_of(done)
    assert "$25.00 added" in text_of(done)
    assert credits(ada) == [D(25)]


def test_it_is_turned_off_and_keeps_its_settings(ada: User, browser: Client, visa: str) -> None:
    turn_on(ada, visa)
    done = send(browser, visa, enabled=None, consent=None, follow=True)
    assert "Auto-topup is off. Your settings are kept" in text_of(done)
    assert saved(ada) == (False, D("0.50"), D(25), visa, D(500))
    assert 'value="0.50"' in browser.get(PAGE).content.decode()


def test_it_is_turned_off_whatever_the_other_fields_say(ada: User, browser: Client, visa: str) -> None:
    """Who wants to stop is not held up by a typing error."""
    turn_on(ada, visa)
    done = send(browser, "pm_gone", enabled=None, threshold="", amount="NaN", follow=True)
    assert "Auto-topup is off." in text_of(done)
    assert saved(ada) == (False, D("0.50"), D(25), visa, D(500))


def test_each_change_of_the_terms_asks_for_consent_again(ada: User, browser: Client, visa: str) -> None:
    turn_on(ada, visa)
    assert "tick this first" in text_of(send(browser, visa, amount="50.00", consent=None))
    assert saved(ada) == (True, D("0.50"), D(25), visa, D(500))
    send(browser, visa, amount="50.00")
    assert saved(ada) == (True, D("0.50"), D(50), visa, D(500))


def test_the_words_of_consent_say_what_when_and_how_to_stop(browser: Client, visa: str) -> None:
    page = text_of(browser.get(PAGE))
    assert "thinnest charges this card for exactly the amount to add, without asking again" in page
    assert "at most 5 times in 24 hours, and never more than your monthly limit" in page
    assert "Turn it off on this page at any time" in page


# --- What it refuses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"amount": "4.99"}, "The smallest amount is $5.00."),
        ({"amount": "0"}, "The smallest amount is $5.00."),
        ({"amount": "-25"}, "The smallest amount is $5.00."),
        ({"amount": "25.005"}, "Use dollars and whole cents"),
        ({"amount": "1000.01"}, "The largest amount is $1,000.00."),
        ({"amount": "1e400"}, "Type an amount such as 25.00."),
        ({"amount": "9" * 400}, "Type an amount such as 25.00."),
        ({"amount": "NaN"}, "Type an amount such as 25.00."),
        ({"amount": "Infinity"}, "Type an amount such as 25.00."),
        ({"amount": "twenty"}, "Type an amount such as 25.00."),
        ({"amount": ""}, "Type an amount such as 25.00."),
        ({"amount": None}, "Type an amount such as 25.00."),
        ({"threshold": "0"}, "Type an amount above zero"),
        ({"threshold": "-1"}, "Type an amount above zero"),
        ({"threshold": "0.005"}, "Use dollars and whole cents"),
        ({"threshold": "sNaN"}, "Type an amount such as 25.00."),
        ({"threshold": "26.01"}, "Add at least $26.01"),
        ({"monthly_limit": "24.99"}, "Allow at least one top-up a month: $26.00."),
        ({"monthly_limit": "1000000.01"}, "The largest"),
        ({"monthly_limit": "1e99"}, "Type an amount such as 25.00."),
        ({"consent": None}, "Please tick this first"),
        ({"card": ""}, "Choose a card."),
        ({"card": None}, "Choose a card."),
        ({"card": "pm_\0"}, "This card is no longer saved."),
        ({"card": "new"}, "This card is no longer saved."),
    ],
)  # fmt: skip
def test_it_refuses_beside_the_field_and_keeps_what_was_typed(
    ada: User, browser: Client, visa: str, changed: dict[str, str | None], said: str
) -> None:
    """Nothing is saved, nothing is charged, and the form still shows what was typed."""
    typed = {"threshold": "7.00", "amount": "26.00", "monthly_limit": "321.00", "card": visa} | changed
    answer = browser.post(PAGE, {k: v for k, v in (GOOD | typed).items() if v is not None})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert said in text_of(answer)
    assert "Auto-topup was not changed" in text_of(answer)
    for name in {"threshold", "amount", "monthly_limit"} - set(changed):
        assert f'value="{typed[name]}"' in page
    assert saved(ada) is None
    assert not TopUp.objects.exists()


def test_a_refused_change_leaves_all_of_the_old_settings(ada: User, browser: Client, visa: str) -> None:
    turn_on(ada, visa)
    send(browser, visa, threshold="9.00", amount="50.00", monthly_limit="49.00")
    assert saved(ada) == (True, D("0.50"), D(25), visa, D(500))


def test_it_charges_no_stranger_s_and_no_removed_card(
    ada: User, cy: User, browser: Client, visa: str
) -> None:
    theirs, old = save_card(cy), save_card(ada, "pm_card_amex")
    payment_methods.remove(ada.account_id, old, now=clock())
    for card in (theirs, old):
        assert "This card is no longer saved." in text_of(send(browser, card))
    assert saved(ada) is None


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_only_the_owner_changes_it_and_the_others_see_it(ada: User, visa: str, role: str) -> None:
    turn_on(ada, visa)
    other = signed_in(factories.member(ada.account, email="eve@example.com", role=role))
    page = text_of(other.get(PAGE))
    assert "Only the owner may change this: ada@example.com." in page
    assert "Visa •••• 4242" in page
    assert "Save changes" not in page
    refused = send(other, visa, enabled=None)
    assert refused.status_code == 403
    assert "Only the owner of the account may change auto-topup. Nothing was changed." in text_of(refused)
    assert saved(ada) == (True, D("0.50"), D(25), visa, D(500))


def test_strangers_and_visitors_see_nothing(ada: User, cy: User, visa: str) -> None:
    turn_on(ada, visa)
    assert Client().get(PAGE).status_code == 302
    assert "4242" not in text_of(signed_in(cy).get(PAGE))


# --- Its card -------------------------------------------------------------------------------------------------


def add_a_card(browser: Client, number: str, *, what_for: str = "?for=auto-topup") -> HttpResponse:
    """By the processor's page and back."""
    browser.post(f"/settings/billing/payment-methods/add/{what_for}")
    page = forwarded(browser.get("/settings/billing/payment-methods/add/"))
    return browser.post(page, {"number": number}, follow=True)


def test_without_a_card_it_leads_to_one_and_back(ada: User, browser: Client) -> None:
    assert "First, save a card" in text_of(browser.get(PAGE))
    back = add_a_card(browser, "5555 5555 5555 4444")
    card = payment_methods.of_account(ada.account_id).get().gateway_id
    assert back.redirect_chain[-1] == (f"{PAGE}?card={card}", 303)
    assert "Mastercard •••• 4444 is saved." in text_of(back)
    assert 'role="switch" id="id_enabled" checked' in back.content.decode()
    assert saved(ada) is None, "nothing is on before it is saved"


def test_a_card_that_is_not_for_it_leads_back_to_the_cards(browser: Client) -> None:
    add_a_card(browser, "5555 5555 5555 4444")
    back = add_a_card(browser, "4242 4242 4242 4242", what_for="")
    assert back.redirect_chain[-1] == ("/settings/billing/payment-methods/", 303)


def test_the_cards_page_marks_the_one_it_charges(ada: User, browser: Client, visa: str) -> None:
    other = save_card(ada, "pm_card_amex")
    turn_on(ada, other)
    page = text_of(browser.get("/settings/billing/payment-methods/"))
    assert "American Express •••• 0005 Auto-topup" in page
    assert "Visa •••• 4242 Default Expires" in page


def test_removing_its_card_says_first_that_it_stops(ada: User, browser: Client, visa: str) -> None:
    turn_on(ada, visa)
    other = save_card(ada, "pm_card_amex")
    cards = "/settings/billing/payment-methods"
    assert "Auto-topup will be turned off" not in text_of(browser.get(f"{cards}/{other}/remove/"))
    assert "Auto-topup will be turned off" in text_of(browser.get(f"{cards}/{visa}/remove/"))
    assert "Auto-topup is off now." in text_of(browser.post(f"{cards}/{visa}/remove/", follow=True))
    page = text_of(browser.get(PAGE))
    assert "Auto-topup has been off since today at" in page
    assert "Its card was removed." in page


def test_a_stopped_one_is_turned_on_again_with_another_card(ada: User, browser: Client, visa: str) -> None:
    """Adding a card elsewhere changes nothing by itself: it offers, its owner decides."""
    turn_on(ada, visa)
    payment_methods.remove(ada.account_id, visa, now=clock())
    offered = add_a_card(browser, "4242 4242 4242 4242", what_for="")
    assert "You can go on with Visa •••• 4242. Use this card and turn on again" in text_of(offered)
    assert saved(ada) == (False, D("0.50"), D(25), visa, D(500))
    new = payment_methods.of_account(ada.account_id).get().gateway_id
    assert f"{PAGE}?card={new}" in offered.content.decode()
    page = browser.get(f"{PAGE}?card={new}")
    assert "Use this card and turn on again" in text_of(page)
    assert f'<option value="{new}" selected>' in page.content.decode()
    assert "Auto-topup is on." in text_of(send(browser, new, follow=True))
    assert saved(ada) == (True, D("0.50"), D(25), new, D(500))


def test_a_stopped_one_may_be_left_off(ada: User, browser: Client, visa: str) -> None:
    turn_on(ada, visa)
    payment_methods.remove(ada.account_id, visa, now=clock())
    other = save_card(ada)
    assert "Leave it off" in text_of(browser.get(PAGE))
    send(browser, other, enabled="", consent=None)
    assert AutoTopup.objects.get().stopped_reason == ""
    assert "is off since" not in text_of(browser.get("/settings/billing/"))


# --- A payment of its that the bank wants confirmed, or refuses -----------------------------------------------


def crossing(user: User, token: str) -> TopUp:
    """Auto-topup is on with this card, and the balance is already below its threshold."""
    turn_on(user, save_card(user, token), threshold=D(5))
    return TopUp.objects.get()


def page_of(topup: TopUp) -> str:
    return f"/settings/billing/topups/{topup.public_id}/"


def overdue(topup: TopUp, *, hours: int) -> datetime:
    """The moment `hours` after the top-up began, with its look due."""
    TopUp.objects.filter(pk=topup.pk).update(next_look_at=topup.created_at)
    return topup.created_at + timedelta(hours=hours)


def test_it_asks_everywhere_to_confirm_the_same_payment(ada: User, browser: Client) -> None:
    """From the email and the banner to the page, the bank and back: one payment, one credit."""
    topup = crossing(ada, ALWAYS_ASKS)
    where, until = page_of(topup), wording.when(topup.created_at + PATIENCE, timezone="UTC", now=clock())
    assert where in Mail.objects.get(subject__contains="onfirm").text
    overview = browser.get("/settings/billing/")
    assert "Your bank wants you to confirm the automatic top-up of $25.00" in text_of(overview)
    assert f"You can until {until}." in text_of(overview)
    assert where in overview.content.decode()
    assert "Confirm the automatic top-up of $25.00" in text_of(browser.get(where))
    assert "Your bank wants you to confirm" in text_of(browser.get(PAGE))
    assert browser.post(f"{where}confirm/")["Location"] == where
    bank = forwarded(browser.get(where))
    done = browser.post(bank, {"confirm": "yes"}, follow=True)
    assert "$25.00 added" in text_of(done)
    assert credits(ada) == [D(25)]
    assert SandboxPayment.objects.count() == 1
    assert "Next top-up: when less than $5.00 is available" in text_of(browser.get(PAGE))


def test_the_emails_link_leads_through_the_sign_in_to_the_payment(ada: User) -> None:
    where = page_of(crossing(ada, ALWAYS_ASKS))
    visitor = Client()
    asked = visitor.get(where)
    assert asked["Location"] == f"/sign-in/?next={where}"
    typed = {"email": ada.email, "password": factories.PASSWORD}
    assert visitor.post(asked["Location"], typed)["Location"] == where


def test_a_viewer_is_told_who_may_confirm(ada: User, bo: User) -> None:
    topup = crossing(ada, ALWAYS_ASKS)
    page = signed_in(bo).get(page_of(topup))
    assert "An admin or the owner of your account can confirm it." in text_of(page)
    assert "Confirm with your bank" not in text_of(page)
    assert "Your bank wants you to confirm" in text_of(signed_in(bo).get("/settings/billing/"))


def test_a_payment_that_was_not_confirmed_in_time_says_so_and_what_to_do(ada: User, browser: Client) -> None:
    topup = crossing(ada, ALWAYS_ASKS)
    topup_sweep.pursue_open_topups(now=overdue(topup, hours=23))
    page = text_of(browser.get(page_of(topup)))
    assert "The automatic top-up was not confirmed in time" in page
    assert "You have not been charged and your balance has not changed." in page
    assert "Auto-topup is off now because of this. The owner can turn it on again" in page
    assert "Confirm with your bank" not in page
    assert "Auto-topup has been off since" in text_of(browser.get("/settings/billing/"))
    assert "Use this card and turn on again" in text_of(browser.get(PAGE))


def test_canceling_one_says_what_follows(ada: User, browser: Client) -> None:
    """It counts as a failed attempt: auto-topup stays on, and rests for an hour."""
    topup = crossing(ada, ALWAYS_ASKS)
    where = page_of(topup)
    assert "Canceling counts as a failed attempt: auto-topup stays on" in text_of(browser.get(where))
    page = text_of(browser.post(f"{where}cancel/", follow=True))
    assert "The automatic top-up was canceled" in page
    again = wording.when(AutoTopup.objects.get().next_attempt_at, timezone="UTC", now=clock())
    assert f"Auto-topup stays on: if it is still needed, it tries again {again}." in page
    assert credits(ada) == []


def test_a_decline_tells_the_reason_and_the_next_attempt_everywhere(ada: User, browser: Client) -> None:
    topup = crossing(ada, DECLINES)
    again = wording.when(AutoTopup.objects.get().next_attempt_at, timezone="UTC", now=clock())
    assert "The automatic top-up was declined" in text_of(browser.get(page_of(topup)))
    for path in ("/settings/billing/", PAGE):
        page = text_of(browser.get(path))
        assert "The automatic top-up of $25.00 did not go through" in page
        assert "The bank gave no reason; it can tell you more. You have not been charged." in page
        assert f"If it is still needed, we try again {again}." in page
    assert "Failed $25.00" in text_of(browser.get(PAGE))


def test_saving_again_cancels_what_waits_and_tries_the_new_card(ada: User, browser: Client) -> None:
    """S45: the owner need not confirm the old payment to go on."""
    waiting = crossing(ada, ALWAYS_ASKS)
    done = send(browser, save_card(ada), threshold="5.00", follow=True)
    assert "$25.00 added" in text_of(done)
    waiting.refresh_from_db()
    assert waiting.status == TopUp.Status.CANCELED
    page = text_of(browser.get(page_of(waiting)))
    assert "It was not needed any more. You have not been charged" in page
    assert credits(ada) == [D(25)]


def test_a_reached_limit_is_told_with_when_it_goes_on(ada: User, browser: Client, visa: str) -> None:
    turn_on(ada, visa, threshold=D(25), monthly_limit=D(30))
    drain(ada)
    assert auto_charge.attempt(ada.account_id) is None
    for path in ("/settings/billing/", PAGE):
        page = text_of(browser.get(path))
        assert "$25.00 of your monthly limit of $30.00 used" in page
        assert "There is no room for another $25.00, so no card is charged until" in page


def drain(user: User) -> None:
    left = balance_of(user.account_id).available
    ledger.adjust(user.account_id, -left, key="drain", actor="tests", reason="drained", now=clock())


# --- What it says beside the fields ---------------------------------------------------------------------------


def test_it_says_how_long_the_threshold_lasts_and_what_the_month_used(
    ada: User, browser: Client, visa: str
) -> None:
    """Told to screen readers with the field, too."""
    for day in range(3, 0, -1):
        at = clock() - timedelta(days=day)
        assert metering.record(ada.account_id, events.voice(f"call-{day}", 60), now=at).is_recorded
    turn_on(ada, visa)
    page = browser.get(PAGE)
    assert re.search(r"At your pace \$0\.50 lasts about \d+ (hours|days)\.", text_of(page))
    assert 'aria-describedby="id_threshold_helptext"' in page.content.decode()
    assert "$0.00 used in" in text_of(page)


@pytest.mark.parametrize(
    ("dollars", "pace", "said"),
    [
        ("5", "2.55", "about 47 hours"),
        ("5", "2.40", "about 2 days"),
        ("5", "0", ""),
        ("0.01", "24", "less than an hour"),
        ("1", "24", "about 1 hour"),
    ],
)
def test_it_tells_a_span_as_people_do(dollars: str, pace: str, said: str) -> None:
    assert wording.lasts(D(dollars), D(pace)) == said


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (datetime(2026, 3, 18, 23, 30, tzinfo=UTC), "tomorrow at 05:00"),
        (datetime(2026, 3, 18, 12, 0, tzinfo=UTC), "today at 17:30"),
        (datetime(2026, 3, 31, 18, 30, tzinfo=UTC), "1 April at 00:00"),
    ],
)
def test_it_tells_moments_where_the_account_is(at: datetime, said: str) -> None:
    now = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
    assert wording.when(at, timezone="Asia/Kolkata", now=now) == said
