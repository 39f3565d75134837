"""Settings > Billing > Add Funds, and the page of one top-up: in the browser, without JavaScript."""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts import ids
from accounts.models import User
from billing import gateways, ledger, topups
from billing.models import SandboxPayment, TopUp
from tests import factories
from tests.billing.paying import (
    LosesAnswers,
    Silent,
    begin,
    clock,
    credits,
    in_parallel,
    save_card,
)

pytestmark = pytest.mark.django_db
PAGE = "/settings/billing/add-funds/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def rehearsal(settings: Settings) -> None:
    settings.SANDBOX_ALLOW_PUBLIC = True


@pytest.fixture
def browser(ada: User) -> Client:
    return signed_in(ada)


def form_id(browser: Client) -> str:
    """The id that the form carries."""
    page = browser.get(PAGE).content.decode()
    [found] = re.findall(r'name="topup" value="(top_\w{26})"', page)
    return found


def pay(browser: Client, **typed: str) -> HttpResponse:
    wanted = {"topup": ids.public("top", ids.uuid7()), "preset": "25", "amount": "", "method": "new"}
    return browser.post(PAGE, wanted | typed)


def text_of(response: HttpResponse) -> str:
    """What a person reads."""
    main = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


# --- The form -------------------------------------------------------------------------------------------------


def test_it_offers_presets_cards_and_another_amount(ada: User, browser: Client) -> None:
    """S22: Settings > Billing > Add Funds. S23: the minimum is on it. S24: saved cards or another method."""
    save_card(ada)
    page = text_of(browser.get(PAGE))
    for words in ("$10 $25 $50 $100 $250 $500", "From $5.00 to $1,000.00", "Visa ending 4242", "New card or"):
        assert words in page
    assert "Fees $0.00" in page
    assert "Your balance today is $1.00" in page


def test_it_pays_with_a_saved_card(ada: User, browser: Client) -> None:
    """S22, S24, S25: the answer is our own page (303), and the funds are there."""
    response = pay(browser, preset="50", method=save_card(ada))
    topup = TopUp.objects.get()
    assert (response.status_code, response["Location"]) == (
        303,
        f"/settings/billing/topups/{topup.public_id}/",
    )
    assert (topup.origin, topup.actor, topup.amount) == ("page", ada.public_id, Decimal(50))
    page = text_of(browser.get(response["Location"]))
    for words in ("$50.00 added", "ready to use", "Visa •••• 4242", topup.public_id, "New balance $51.00"):
        assert words in page
    assert credits(ada) == [Decimal(50)]


def test_it_lets_a_typed_amount_replace_the_preset(ada: User, browser: Client) -> None:
    pay(browser, amount="7.25", method=save_card(ada))
    assert credits(ada) == [Decimal("7.25")]


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("4.99", "The smallest amount is $5.00."),
        ("0", "The smallest amount is $5.00."),
        ("-25", "The smallest amount is $5.00."),
        ("1000.01", "The largest amount is $1,000.00."),
        ("25.005", "Use dollars and whole cents"),
        ("abc", "Type an amount such as 25.00."),
        ("NaN", "Type an amount such as 25.00."),
        ("1e400", "Type an amount such as 25.00."),
        ("9" * 40, "The largest amount is $1,000.00."),
    ],
)
def test_it_keeps_what_was_typed_and_says_what_was_not_done(
    ada: User, browser: Client, amount: str, said: str
) -> None:
    """S23: nothing below $5. The form comes back as it was."""
    card = save_card(ada)
    response = pay(browser, amount=amount, method=card)
    page = response.content.decode()
    assert response.status_code == 200
    assert "The payment was not sent" in page
    assert said in unescape(page)
    assert f'value="{amount}"' in page
    assert f'value="{card}" checked' in page
    assert not TopUp.objects.exists()


@pytest.mark.parametrize("typed", [{"preset": "7"}, {"preset": ""}, {"method": ""}, {"topup": "top_x"}])
def test_it_refuses_a_damaged_form(browser: Client, typed: dict[str, str]) -> None:
    assert "The payment was not sent" in text_of(pay(browser, **typed))
    assert not TopUp.objects.exists()


def test_it_refuses_a_stranger_s_card(ada: User, cy: User, browser: Client) -> None:
    response = pay(browser, method=save_card(cy))
    assert "Choose another way to pay" in text_of(response)
    assert not TopUp.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "admin", "owner"])
def test_it_is_for_admins_and_owners(ada: User, role: str) -> None:
    save_card(ada)
    member = factories.member(ada.account, email="eve@example.com", role=role)
    allowed = role != "viewer"
    browser = signed_in(member)
    assert browser.get(PAGE).status_code == (200 if allowed else 403)
    assert pay(browser).status_code == (303 if allowed else 403)
    assert TopUp.objects.exists() is allowed


def test_it_asks_to_sign_in(client: Client) -> None:
    assert client.get(PAGE)["Location"].startswith("/sign-in/")


def test_it_refuses_a_post_from_another_site(ada: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    assert pay(browser).status_code == 403
    assert not TopUp.objects.exists()


# --- Twice is once --------------------------------------------------------------------------------------------


def test_it_takes_a_double_click_for_one_payment(ada: User, browser: Client) -> None:
    card, form = save_card(ada), form_id(browser)
    first, second = (pay(browser, topup=form, method=card) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert credits(ada) == [Decimal(25)]


@pytest.mark.django_db(transaction=True)
def test_it_pays_once_for_twenty_posts_at_once(ada: User, browser: Client) -> None:
    card, form = save_card(ada), form_id(browser)
    browsers = [signed_in(ada) for _ in range(20)]
    answers = in_parallel(20, lambda number: pay(browsers[number], topup=form, method=card))
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer["Location"] for answer in answers}) == 1
    assert SandboxPayment.objects.count() == 1
    assert credits(ada) == [Decimal(25)]


def test_it_does_not_pay_a_used_form_with_another_amount(ada: User, browser: Client) -> None:
    """Somebody went back and changed the amount: they are told, and the form is ready for a second payment."""
    card, form = save_card(ada), form_id(browser)
    pay(browser, topup=form, method=card)
    response = pay(browser, topup=form, method=card, preset="100")
    page = response.content.decode()
    assert "Nothing more was charged" in page
    [fresh] = re.findall(r'name="topup" value="(top_\w{26})"', page)
    assert fresh != form
    pay(browser, topup=fresh, method=card, preset="100")
    assert credits(ada) == [Decimal(25), Decimal(100)]


def test_it_does_not_touch_a_stranger_s_top_up(ada: User, cy: User) -> None:
    theirs = topups.pay(begin(cy, card=save_card(cy)))
    response = pay(signed_in(ada), topup=theirs.public_id, method="new")
    assert "Nothing more was charged" in text_of(response)
    assert signed_in(ada).get(f"/settings/billing/topups/{theirs.public_id}/").status_code == 404


# --- A new card -----------------------------------------------------------------------------------------------


def forwarded(response: HttpResponse) -> str:
    """Where the page leads by itself, without JavaScript."""
    [url] = re.findall(r'<meta http-equiv="refresh" content="0; url=([^"]+)">', response.content.decode())
    return url


def test_it_pays_with_a_new_card_and_saves_it(ada: User, browser: Client) -> None:
    """S22, S24: our page leads to the processor's; back again, the funds are there and the card is kept."""
    response = pay(browser, save_card="on")
    page = browser.get(response["Location"])
    assert "Continue to the payment page" in text_of(page)
    checkout = forwarded(page)
    assert f'href="{checkout}"' in page.content.decode()
    assert "$25.00" in text_of(browser.get(checkout))
    done = browser.post(checkout, {"number": "5555 5555 5555 4444"})
    assert (done.status_code, done["Location"]) == (303, f"{response['Location']}?returned=1")
    assert "$25.00 added" in text_of(browser.get(done["Location"]))
    assert credits(ada) == [Decimal(25)]
    assert "Mastercard ending 4444" in text_of(browser.get(PAGE))


def test_it_saves_no_card_without_consent(ada: User, browser: Client) -> None:
    checkout = forwarded(browser.get(pay(browser)["Location"]))
    back = browser.post(checkout, {"pick": "pm_card_visa"})["Location"]
    assert "added" in text_of(browser.get(back))
    assert "Visa ending" not in text_of(browser.get(PAGE))


def test_it_lets_another_card_be_tried_on_the_processor_s_page(ada: User, browser: Client) -> None:
    checkout = forwarded(browser.get(pay(browser)["Location"]))
    refused = browser.post(checkout, {"number": "4000000000009995"})
    assert "Your card has insufficient funds" in text_of(refused)
    assert "Nothing was charged" in text_of(browser.get(checkout))
    assert browser.post(checkout, {"number": "4242424242424242"}).status_code == 303
    topups.look(TopUp.objects.get())
    assert credits(ada) == [Decimal(25)]


def test_it_does_not_send_back_who_just_came_from_there(ada: User, browser: Client) -> None:
    page = browser.get(pay(browser)["Location"] + "?returned=1")
    assert b"http-equiv" not in page.content
    assert b"Continue to payment" in page.content


def test_it_goes_through_the_bank_on_the_processor_s_page(ada: User, browser: Client) -> None:
    checkout = forwarded(browser.get(pay(browser)["Location"]))
    bank = browser.post(checkout, {"pick": "pm_card_authenticationRequired"})["Location"]
    assert bank.startswith("/sandbox/3ds/")
    assert browser.post(bank, {"refuse": "yes"})["Location"] == checkout
    bank = browser.post(checkout, {"pick": "pm_card_authenticationRequired"})["Location"]
    back = browser.post(bank, {"confirm": "yes"})["Location"]
    assert "$25.00 added" in text_of(browser.get(back))
    assert SandboxPayment.objects.count() == 1


# --- Confirm, decline, cancel, silence ------------------------------------------------------------------------


def test_it_confirms_with_the_bank(ada: User, browser: Client) -> None:
    page = browser.get(pay(browser, method=save_card(ada, "pm_card_authenticationRequired"))["Location"])
    assert "Confirm with your bank" in text_of(page)
    assert "You have not been charged yet" in text_of(page)
    bank = forwarded(page)
    assert "$25.00" in text_of(browser.get(bank))
    back = browser.post(bank, {"confirm": "yes"})["Location"]
    assert "$25.00 added" in text_of(browser.get(back))
    assert credits(ada) == [Decimal(25)]


def test_it_says_when_the_bank_was_not_answered(ada: User, browser: Client) -> None:
    page = browser.get(pay(browser, method=save_card(ada, "pm_card_authenticationRequired"))["Location"])
    back = browser.post(forwarded(page), {"refuse": "yes"})["Location"]
    said = text_of(browser.get(back))
    assert "not confirmed with your bank" in said
    assert "You have not been charged and your balance has not changed." in said
    assert credits(ada) == []


def test_it_says_why_a_card_was_declined(ada: User, browser: Client) -> None:
    response = pay(browser, method=save_card(ada, "pm_card_chargeCustomerFail"))
    page = text_of(browser.get(response["Location"]))
    assert "Your card was declined The bank gave no reason" in page
    assert "You have not been charged and your balance has not changed." in page
    assert "Try another card" in page


def test_it_cancels_a_waiting_payment(ada: User, browser: Client) -> None:
    where = pay(browser, method=save_card(ada, "pm_card_authenticationRequired"))["Location"]
    bank = forwarded(browser.get(where))
    assert browser.post(f"{where}cancel/")["Location"] == where
    assert "Payment canceled You have not been charged" in text_of(browser.get(where))
    assert browser.post(bank, {"confirm": "yes"}).status_code == 303  # too late: the payment is canceled
    assert credits(ada) == []


def test_it_cancels_a_payment_page(ada: User, browser: Client) -> None:
    where = pay(browser)["Location"]
    checkout = forwarded(browser.get(where))
    browser.post(f"{where}cancel/")
    assert "Payment canceled" in text_of(browser.get(where))
    assert "This page is closed" in text_of(browser.get(checkout))


def test_it_credits_what_was_paid_just_before_it_was_canceled(ada: User, browser: Client) -> None:
    where = pay(browser)["Location"]
    browser.post(forwarded(browser.get(where)), {"pick": "pm_card_visa"})
    browser.post(f"{where}cancel/")
    assert "$25.00 added" in text_of(browser.get(where))
    assert credits(ada) == [Decimal(25)]


def test_it_confirms_a_payment_that_the_api_began(ada: User, browser: Client) -> None:
    """Off session the bank wants its holder: the page goes on with the same payment, not with a new one."""
    topup = topups.pay(
        begin(ada, card=save_card(ada, "pm_card_authenticationRequired"), origin=TopUp.Origin.API)
    )
    where = f"/settings/billing/topups/{topup.public_id}/"
    page = browser.get(where)
    assert b"http-equiv" not in page.content
    assert f"{where}confirm/" in page.content.decode()
    assert browser.post(f"{where}confirm/")["Location"] == where
    bank = forwarded(browser.get(where))
    browser.post(bank, {"confirm": "yes"})
    assert "$25.00 added" in text_of(browser.get(f"{where}?returned=1"))
    assert SandboxPayment.objects.count() == 1


def test_it_shows_a_viewer_what_happened_and_no_buttons(ada: User, bo: User) -> None:
    topup = topups.pay(begin(ada, card=save_card(ada, "pm_card_authenticationRequired")))
    where = f"/settings/billing/topups/{topup.public_id}/"
    page = signed_in(bo).get(where)
    assert "Confirm with your bank" in text_of(page)
    for hidden in (b"http-equiv", b"/sandbox/3ds/", b"cancel/"):
        assert hidden not in page.content
    assert signed_in(bo).post(f"{where}cancel/").status_code == 403
    assert signed_in(bo).post(f"{where}confirm/").status_code == 403


def test_it_waits_while_the_outcome_is_unknown(
    ada: User, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = save_card(ada)
    with monkeypatch.context() as broken:
        broken.setattr(gateways, "gateway", LosesAnswers)
        where = pay(browser, method=card)["Location"]
        page = browser.get(where)
    assert "Confirming your payment" in text_of(page)
    assert b"data-poll" in page.content
    assert "Refresh this page" in text_of(page)
    assert "$25.00 added" in text_of(browser.get(f"{where}?returned=1"))


def test_it_says_so_when_the_processor_is_silent(
    ada: User, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateways, "gateway", Silent)
    where = pay(browser)["Location"]
    assert "Confirming your payment" in text_of(browser.get(where))


def test_it_does_not_begin_when_the_processor_does_not_know_the_account(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Down(Silent):
        def create_customer(self, **_: object) -> str:
            raise gateways.Unavailable("timed out")

    monkeypatch.setattr(gateways, "gateway", Down)
    assert "does not answer. Nothing was charged" in text_of(pay(browser, save_card="on"))
    assert not TopUp.objects.exists()


def test_it_tells_of_the_limits(ada: User, browser: Client) -> None:
    card = save_card(ada)
    for _ in range(10):
        pay(browser, method=card)
    response = pay(browser, method=card)
    assert "10 top-ups an hour" in text_of(response)
    assert "Try again in 60 minutes" in text_of(response)


def test_it_works_while_frozen(ada: User, browser: Client) -> None:
    card = save_card(ada)
    ledger.freeze(ada.account_id, by="owner", frozen=True)
    pay(browser, method=card)
    assert credits(ada) == [Decimal(25)]


def test_it_shows_a_slow_payment_on_its_way(ada: User, browser: Client) -> None:
    """S24: another supported method; received, not yet added."""
    checkout = forwarded(browser.get(pay(browser)["Location"]))
    back = browser.post(checkout, {"pick": "pm_usBankAccount_success"})["Location"]
    page = text_of(browser.get(back))
    assert "Received, not yet added" in page
    assert "Bank account •••• 6789" in page
    gateways.sandbox_bank.bring_in_debits(now=clock() + timedelta(minutes=2))
    assert "$25.00 added" in text_of(browser.get(back))


@pytest.mark.parametrize(
    "name", ["top_x", "top_00000000000000000000000000", "bill_00000000000000000000000000"]
)
def test_it_knows_no_such_top_up(browser: Client, name: str) -> None:
    assert browser.get(f"/settings/billing/topups/{name}/").status_code == 404
