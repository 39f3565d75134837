"""The Phone & Voice Billing page: every figure on it comes from the rate card in force."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from tests.usage import events, spending
from tests.usage.spending import NOW, use
from usage import rate_card, voice_prices
from usage.voice_prices import Expected

pytestmark = pytest.mark.django_db
D = Decimal
VOICE = "/settings/billing/pricing/voice/"


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def browser(ada: User, client: Client) -> Client:
    client.force_login(ada)
    return client


def page(browser: Client, query: str = "") -> str:
    answer = browser.get(VOICE + query)
    assert answer.status_code == 200
    wide = re.sub(
        r'<span class="sub mob">.*?</span>', "", answer.content.decode()
    )  # what a phone shows instead
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", wide)))


def test_it_tells_in_detail_what_calls_and_numbers_cost(browser: Client) -> None:
    """S51 S14 S15: by hand: 61 s x 0.10 / 60 = 0.101666667; 252 s cost $0.42; what nobody answers is free."""
    found = page(browser)
    assert "$0.10 per minute" in found
    assert "A call of 1 min 1 s 61 s × $0.10 ÷ 60 $0.101666667" in found
    assert "A call of 4 min 12 s 252 s × $0.10 ÷ 60 $0.42" in found
    assert "It rings for 45 s, nobody answers Nothing $0.00" in found
    assert "$2.00 per 30 days" in found
    assert found.count("In force since 1 Jan 2026") == 2


def test_it_tells_when_rent_is_charged_and_what_a_gap_costs(browser: Client) -> None:
    """S46 S48 S51: the grace period of seven days, suspended without rent, released by the owner alone."""
    found = page(browser)
    for words in (
        "0 You rent the number: $2.00 at once",
        "27 “Rent is due” stands beside your balance: 3 days before it is charged.",
        "30 $2.00 for the next 30 days, at the price of that day, all or nothing.",
        "30–37 Only if it did not fit: the grace period.",
        "the number is paid until day 60",
        "37 Only if it still does not fit: suspended. No calls and no rent",
        "30 new days begin at that moment; the days between cost nothing.",
        "Only the owner of the account can give a number up; we never do.",
    ):
        assert words in found, words


def test_it_tells_what_a_call_reserves_and_what_needs_a_paid_balance(browser: Client) -> None:
    """S9 S44 S47 S51: 300 s held are $0.50; 190 s spoken are $0.316666667."""
    found = page(browser)
    assert "300 s are reserved $0.50 190 s were spoken $0.316666667 Free again $0.183333333" in found
    assert "have several calls going on at once" in found
    assert "Are not placed while less than one minute, $0.10, is available." in found
    assert "Pause, and go on at their own pace" in found


def test_the_examples_are_what_a_call_really_costs(ada: User) -> None:
    spending.fund(ada.account_id, "25.00", at=NOW)
    for number, example in enumerate(voice_prices.examples(rate_card.fresh(), NOW)):
        event = events.voice(f"call {number}", example.seconds, answered=example.answered)
        assert use(ada.account_id, event, at=NOW).cost == example.price


def test_a_coming_price_of_calls_is_announced_and_then_current(browser: Client) -> None:
    """S20: nothing on the page is typed in."""
    soon = NOW + timedelta(days=2)
    for meter, rate in (("voice.minute", "0.12"), ("number.period", "3"), ("gpt-4o.input", "9")):
        rate_card.set_price(meter, rate=D(rate), effective_from=soon, actor="t", now=NOW)
    before = page(browser)
    assert "From 20 Mar, 15:42 Call: $0.12 per minute, until then $0.10" in before
    assert "GPT-4o" not in before, "only what this page is about"
    with time_machine.travel(soon, tick=False):
        browser.force_login(User.objects.get(email="ada@example.com"))
        after = page(browser)
    assert "252 s × $0.12 ÷ 60 $0.504" in after
    assert "You rent the number: $3.00 at once" in after
    assert "In force since 20 Mar 2026" in after
    assert "Coming changes" not in after


def test_the_calculator_reckons_like_a_charge(browser: Client) -> None:
    """By hand: 20 x 30 calls of 150 s at $0.25 are $150.00, and three numbers $6.00."""
    found = page(browser, "?calls=20&minutes=2.5&numbers=3")
    assert "30 days cost $156 .00 600 calls of 150 s, each $0.25" in found
    assert "Calls $150.00 96% Phone numbers $6.00 4%" in found
    assert voice_prices.estimate(Expected(1, D("0.99"), 0), rate_card.fresh(), NOW).call == D("0.098333333")


def test_an_empty_month_costs_nothing(browser: Client) -> None:
    assert "30 days cost $0 .00 0 calls of 0 s" in page(browser, "?calls=")


@pytest.mark.parametrize(
    "query",
    [
        "?calls=-1",
        "?minutes=1441",
        "?minutes=NaN",
        "?minutes=1_0",
        "?minutes=2.555",
        "?calls=1e9",
        "?numbers=%00",
    ],
)
def test_what_it_does_not_understand_is_marked(browser: Client, query: str) -> None:
    assert "Nothing was calculated" in page(browser, query)


@pytest.mark.parametrize("path", ["/settings/billing/pricing/", "/settings/phone-numbers/"])
def test_it_is_found_where_one_looks_for_it(browser: Client, path: str) -> None:
    assert f'href="{VOICE}"' in browser.get(path).content.decode()


def test_a_viewer_reads_it_and_a_stranger_signs_in(bo: User, client: Client) -> None:
    assert client.get(VOICE).status_code == 302
    client.force_login(bo)
    assert "/add-funds/" not in re.search(r"<main.*</main>", client.get(VOICE).content.decode(), re.S).group()
