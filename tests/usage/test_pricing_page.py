"""The Pricing page: what everything costs now, what will change, and what a month would cost."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from tests.usage.spending import NOW
from usage import calculator, rate_card
from usage.calculator import Expected

pytestmark = pytest.mark.django_db
D = Decimal
PRICING = "/settings/billing/pricing/"
SEED = {
    "GPT-4o": ("$2.50", "$10.00"), "GPT-4o-mini": ("$0.15", "$0.60"), "GPT-4 Turbo": ("$10.00", "$30.00"),
    "Claude 3.5 Sonnet": ("$3.00", "$15.00"), "Claude 3 Haiku": ("$0.25", "$1.25"),
    "Gemini 1.5 Pro": ("$1.25", "$5.00"), "Gemini 1.5 Flash": ("$0.075", "$0.30"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def browser(ada: User, client: Client) -> Client:
    client.force_login(ada)
    return client


def page(browser: Client, query: str = "") -> str:
    answer = browser.get(PRICING + query)
    assert answer.status_code == 200
    wide = re.sub(
        r'<span class="sub mob">.*?</span>', "", answer.content.decode()
    )  # what a phone shows instead
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", wide)))


def test_it_shows_the_seven_models_at_the_seeds_rates(browser: Client) -> None:
    """S12 S19 S20: input and output per million tokens, with the date since when."""
    found = page(browser)
    for name, (of_input, of_output) in SEED.items():
        slug = name.lower().replace(" ", "-")
        assert f"{name} {slug} {of_input} {of_output} 1 Jan 2026" in found


def test_it_shows_what_is_not_a_model(browser: Client) -> None:
    """S13 S14 S15 S16 S17 S18: retrieval, calls, numbers, ingestion; embeddings and storage are included."""
    found = page(browser)
    assert "Knowledge retrieval When an agent looks something up to answer $0.002 per query" in found
    assert "unanswered calls are free. In force since 1 Jan 2026 $0.10 per minute" in found
    assert "In force since 1 Jan 2026 $2.00 per 30 days" in found
    assert "$0.01 per page or $0.002 per chunk" in found
    assert "Embedding generation $0.00 Included in ingestion" in found
    assert "Storage $0.00 Included" in found


def test_it_advises_on_choosing_a_model(browser: Client) -> None:
    """S21: the three groups, each with its models under it."""
    found = page(browser)
    order = [
        "High quality, higher cost Best for complex reasoning tasks.", "GPT-4 Turbo gpt-4-turbo",
        "Claude 3.5 Sonnet claude-3.5-sonnet", "Good quality, balanced cost Great for most use cases.",
        "GPT-4o gpt-4o", "Gemini 1.5 Pro gemini-1.5-pro", "Fast and affordable Ideal for high-volume, simpler tasks.",
        "GPT-4o-mini gpt-4o-mini", "Claude 3 Haiku claude-3-haiku", "Gemini 1.5 Flash gemini-1.5-flash",
    ]  # fmt: skip
    places = [found.index(words) for words in order]
    assert places == sorted(places)
    assert "You can set different models for different agents." in found


def test_a_new_price_is_announced_and_then_current(browser: Client) -> None:
    """S20: the dashboard always shows the current pricing, in every process, without a restart."""
    soon = NOW + timedelta(days=2)
    rate_card.set_price("gpt-4o.input", rate=D("3.10"), effective_from=soon, actor="t", now=NOW)
    rate_card.set_price("gpt-5.input", rate=D("4"), effective_from=soon, actor="t", now=NOW)
    rate_card.set_price("gpt-5.output", rate=D("8"), effective_from=soon, actor="t", now=NOW)
    before = page(browser)
    assert "From 20 Mar, 15:42 GPT-4o input tokens: $3.10 per 1M tokens, until then $2.50" in before
    assert "GPT-4o gpt-4o $2.50" in before
    assert "More models" not in before
    with time_machine.travel(soon, tick=False):
        browser.force_login(User.objects.get(email="ada@example.com"))
        after = page(browser)
    assert "GPT-4o gpt-4o $3.10 $10.00 20 Mar 2026" in after
    assert "More models Added later. gpt-5 gpt-5 $4.00 $8.00" in after
    assert "Coming changes" not in after


def test_a_model_with_half_a_price_is_not_offered(browser: Client) -> None:
    rate_card.set_price("gpt-5.input", rate=D("4"), effective_from=NOW, actor="t", now=NOW)
    assert "gpt-5" not in page(browser)


def test_the_calculator_reckons_like_a_charge(browser: Client) -> None:
    """S12 S13 S14 S15 S16: by hand: 1,000 x 0.0023915 + 90 x 0.10 + 2 x 2.00 + 12 x 0.01 = 15.5115."""
    chats = "model=gpt-4o-mini&messages=1000&input_tokens=1250&output_tokens=340&retrievals=1"
    found = page(browser, f"?{chats}&minutes=90&numbers=2&pages=12")
    assert "A month costs $15 .51" in found
    assert "One message costs $0.0023915" in found
    assert "Calls $9.00 58% Phone numbers $4.00 26% Chat $2.39 15% Knowledge ingestion $0.12 1%" in found


def test_the_same_chats_on_every_model_are_the_cheapest_first(browser: Client) -> None:
    """The seed's message on all seven models costs 0.042662250 together."""
    now, card = NOW, rate_card.fresh()
    expected = Expected("gpt-4o", 1, 1250, 340, 0, 0, 0, 0)
    models = calculator.estimate(expected, card, now).models
    assert sum(cost for _, cost in models) == D("0.042662250")
    assert [model.id for model, _ in models][:2] == ["gemini-1.5-flash", "gpt-4o-mini"]


def test_an_empty_month_costs_nothing(browser: Client) -> None:
    assert "A month costs $0 .00" in page(browser, "?model=gpt-4o")


@pytest.mark.parametrize(
    "query",
    ["?model=gpt-9", "?messages=10", "?model=gpt-4o&messages=-1", "?model=gpt-4o&messages=1.5",
     "?model=gpt-4o&pages=NaN", "?model=gpt-4o&minutes=1e400", "?model=gpt-4o&messages=99999999999999999999",
     "?model=%00"],
)  # fmt: skip
def test_what_it_does_not_understand_is_marked(browser: Client, query: str) -> None:
    assert "Nothing was calculated" in page(browser, query)


def test_the_largest_numbers_it_takes_are_fine(browser: Client) -> None:
    names = ("input_tokens", "output_tokens", "minutes", "pages")
    most = "&".join(f"{name}=10000000" for name in names)
    page(browser, f"?model=gpt-4-turbo&messages=100000000&retrievals=1000&numbers=10000&{most}")


def test_a_trial_is_worth_a_hundred_messages_or_ten_minutes() -> None:
    """S7: of $1.00, at the first card's prices."""
    worth = calculator.worth(D("1.00"), rate_card.fresh(), NOW)
    assert (worth.messages, worth.minutes) == (100, 10)
    assert worth.model.id == "gpt-4o"
