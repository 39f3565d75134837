"""Settings > Billing as its owner meets it: empty, busy, low, paused, frozen; and as fast with a long history."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from billing import holds, ledger
from billing.models import AutoTopup
from tests import factories
from tests.api_client import ApiClient, read
from tests.billing.returning import turn_on_auto_topup
from tests.usage import events, spending
from tests.usage.spending import NOW, use
from thinnest_billing import overview
from usage import metering

pytestmark = pytest.mark.django_db
D = Decimal
OVERVIEW = "/settings/billing/"


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def browser(ada: User, client: Client) -> Client:
    client.force_login(ada)
    return client


def page(browser: Client) -> str:
    answer = browser.get(OVERVIEW)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def test_a_newcomer_sees_the_trial_and_the_next_step(browser: Client) -> None:
    """S5 S6 S7 S8 S10 S29: at the balance's usual place, without a card, and it does not expire."""
    found = page(browser)
    assert "Balance $1 .00" in found
    assert "Trial credit, no card needed. Enough for about 100 chat messages or 10 minutes of calls." in found
    assert "It does not expire." in found
    assert "No usage yet" in found
    assert "Messages on GPT-4o 100" in found


def test_the_seeds_month_in_all_its_views(ada: User, browser: Client) -> None:
    """S29 S30 S31 S32: balance, this month by category, by agent and by model, the same total three times."""
    spending.the_seeds_month(ada.account_id)
    found = page(browser)
    assert "Balance $152 .18" in found
    assert "March so far 1 to 18 March $47 .82" in found
    assert "By category Chat $32.15 67% Voice $12.40 26% Knowledge $3.27 7%" in found
    assert "By agent Customer Support $28.50 60% Sales Assistant $12.05 25% Research Bot $7.27 15%" in found
    assert "By model gpt-4o $32.15 67% Voice minutes $12.40 26% Knowledge ingestion $3.27 7%" in found
    assert "Each list adds up to the same $47.82." in found


@pytest.mark.parametrize("seed", range(2))
def test_the_page_the_table_under_the_chart_and_the_api_agree(
    ada: User, ada_key: str, browser: Client, api: ApiClient, seed: int
) -> None:
    """S33: thirty local days that end today, to the cent."""
    spending.random_month(ada.account_id, seed=seed)
    shown = browser.get(OVERVIEW).context
    body = read(api.get("/billing/v3/balance?expand=by_model", key=ada_key))
    assert {row.slug: row.total for row in shown["month"].categories} == body["breakdown"]
    assert [{"agent": row.name, "spent": row.total} for row in shown["month"].agents] == body["by_agent"]
    assert [{"model": row.name, "spent": row.total} for row in shown["month"].models] == body["by_model"]
    chart = shown["chart"]
    assert [chart.days[0].label, chart.days[-1].label] == ["17 Feb", "18 Mar"]
    cells = re.findall(r'data-v="([-0-9.]+)"', browser.get(OVERVIEW).content.decode())
    assert len(cells) == 90
    assert sum(D(cell) for cell in cells) == chart.total.total == sum(row.total for row in chart.series)


def test_the_runway_is_told(ada: User, browser: Client) -> None:
    """$21.00 at $1.00 a day; today's own spending is not over yet and does not count."""
    spending.fund(ada.account_id, "29.00", at=NOW - timedelta(days=9))
    for day in range(8, 0, -1):
        use(ada.account_id, events.pages(f"e{day}", 100), at=NOW - timedelta(days=day))
    use(ada.account_id, events.pages("today", 100), at=NOW)
    assert "Lasts about 21 days at $1.00 a day, your average over the last 7 days." in page(browser)
    assert overview.pace(ada.account_id, NOW) == 1


def test_a_threshold_is_suggested_from_the_pace(ada: User, browser: Client) -> None:
    """S26: three days at the pace of the last complete days, in round dollars; the link only fills in the form."""
    spending.fund(ada.account_id, "100.00", at=NOW - timedelta(days=40))
    for day in range(1, 8):
        use(ada.account_id, events.pages(f"e{day}", 400), at=NOW - timedelta(days=day))
    found = page(browser)
    assert "Suggested threshold: $15.00 , which lasts about 3 days at your pace." in found
    link = "/settings/billing/auto-topup/?threshold=15.00&amp;amount=40.00"
    assert link in browser.get(OVERVIEW).content.decode()
    colleague = factories.member(ada.account, email="bo@example.com")
    browser.force_login(colleague)
    assert "?threshold=" not in browser.get(OVERVIEW).content.decode()


def test_without_a_history_nothing_is_suggested(ada: User, browser: Client) -> None:
    """S5: honest before the first complete day of usage."""
    use(ada.account_id, events.pages("today", 10), at=NOW)
    found = page(browser)
    assert "Suggested threshold" not in found
    assert "Lasts" not in found


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        ("20.00", ["Next, at your pace in about 13 days"]),
        ("5.00", ["Next, at your pace in about 17 days", "Suggested threshold: $15.00"]),
    ],
)
def test_the_next_auto_topup_is_told(ada: User, browser: Client, threshold: str, said: list[str]) -> None:
    spending.fund(ada.account_id, "100.00", at=NOW - timedelta(days=40))
    for day in range(1, 8):
        use(ada.account_id, events.pages(f"e{day}", 400), at=NOW - timedelta(days=day))
    auto = turn_on_auto_topup(ada)
    AutoTopup.objects.filter(pk=auto.pk).update(threshold=D(threshold))
    found = page(browser)
    assert all(words in found for words in said)
    assert ("Suggested" in found) == (len(said) > 1)


def test_the_pace_of_an_account_that_spent_nothing_is_zero(ada: User) -> None:
    assert overview.pace(ada.account_id, NOW) == 0


def test_what_is_reserved_is_told_apart(ada: User, browser: Client) -> None:
    spending.fund(ada.account_id, "9.00", at=NOW)
    holds.hold(
        ada.account_id, key="h", request_hash=b"h", amount=D("2.50"), purpose="voice", terms={},
        lifetime=timedelta(days=4_000), now=NOW,
    )  # fmt: skip
    found = page(browser)
    assert "Granted credit, spent first, does not expire $1.00" in found
    assert "Reserved now, for work that is running $2.50 Available $7.50" in found


def test_an_empty_balance_pauses_and_says_so(ada: User, browser: Client) -> None:
    """S43: what stopped, since when, what is left, that nothing is lost, and what to do."""
    use(ada.account_id, events.voice("all", 599), at=NOW - timedelta(hours=2))
    use(ada.account_id, events.chat("last"), at=NOW - timedelta(hours=1))
    found = page(browser)
    assert (
        "Your agents are paused The balance fell below one cent on 18 March at 13:42; $0.0013 is left."
        in found
    )
    assert "Nothing is deleted. Everything resumes as soon as you add funds." in found
    assert "Chats return an error and no calls are placed until you add funds." in found
    assert "What $5.00 buys" in found
    ledger.credit_topup(ada.account_id, D("25"), key="t", actor="t", now=NOW)
    assert "paused" not in page(browser)


def test_a_low_balance_is_told_before_anything_stops(ada: User, browser: Client) -> None:
    """S40: below the alert that every account begins with, $0.20, and not at it. Auto-topup would see to it."""
    low = "Your balance is low: $0.19 is left Your alert is set to $0.20. Add funds before it runs out."
    use(ada.account_id, events.pages("most", 80), at=NOW)
    assert "is low" not in page(browser), "$0.20"
    use(ada.account_id, events.pages("more", 1), at=NOW)
    assert low in page(browser)
    turn_on_auto_topup(ada)
    assert "is low" not in page(browser)


def test_a_low_balance_is_not_told_beside_something_worse(ada: User, browser: Client) -> None:
    use(ada.account_id, events.pages("most", 90), at=NOW)
    assert "Your balance is low: $0.10 is left" in page(browser)
    assert metering.record(ada.account_id, events.pages("big", 11), now=NOW).status == "short"
    found = page(browser)
    assert "A request for $0.11 did not fit" in found
    assert "is low" not in found


def test_a_request_that_did_not_fit_is_told_with_what_is_available(ada: User, browser: Client) -> None:
    big = events.chat("big", "gpt-4-turbo", 1_000_000, 0)
    assert metering.record(ada.account_id, big, now=NOW).status == "short"
    assert "A request for $10.00 did not fit; $1.00 is available" in page(browser)


@pytest.mark.parametrize(("by", "words"), [("owner", "You stopped chats"), ("staff", "We stopped chats")])
def test_a_freeze_is_told_with_who_and_since_when(ada: User, browser: Client, by: str, words: str) -> None:
    ledger.freeze(ada.account_id, by=by, frozen=True, now=NOW)
    found = page(browser)
    assert "Spending has been frozen since 18 March at 15:42" in found
    assert words in found


def test_paid_funds_below_zero_are_told_before_everything_else(ada: User, browser: Client) -> None:
    ledger.take_back(ada.account_id, ledger.Kind.DISPUTE, D("5"), key="d", actor="t", now=NOW)
    found = page(browser)
    assert "Your paid funds are $5.00 below zero" in found
    assert "Balance −$4 .00" in found
    assert "paused" not in found


def test_days_are_the_accounts_own(client: Client) -> None:
    """15:42 UTC on 18 March is the nineteenth in Auckland."""
    ada = factories.owner(timezone="Pacific/Auckland")
    use(ada.account_id, events.pages("e", 5), at=NOW)
    client.force_login(ada)
    found = page(client)
    assert "18 February to 19 March" in found
    assert "Time (Pacific/Auckland)" in found
    assert "19 Mar, 04:42" in found


def test_a_viewer_sees_it_and_is_not_asked_to_pay(ada: User, bo: User, client: Client) -> None:
    use(ada.account_id, events.voice("all", 600), at=NOW)
    client.force_login(bo)
    found = client.get(OVERVIEW).content.decode()
    assert "Your agents are paused" in found
    assert "/settings/billing/add-funds/" not in found


def test_many_agents_and_models_stay_readable(ada: User, browser: Client) -> None:
    spending.fund(ada.account_id, "100.00", at=NOW)
    for number in range(12):
        use(
            ada.account_id,
            events.pages(f"e{number}", 100 + number, agent=spending.agent(f"A{number}")),
            at=NOW,
        )
    rows = browser.get(OVERVIEW).context["month"].agents
    assert len(rows) == 8
    assert sum(row.total for row in rows) == D("12.66")
    assert {row.name for row in rows} >= {"A11", "5 others"}


def test_it_asks_the_same_few_questions_whatever_the_history(
    ada: User, browser: Client, django_assert_max_num_queries: Any
) -> None:
    """S29 S33: the roll-up and one page of records; charges are never added up."""
    spending.random_month(ada.account_id, seed=1, count=150)
    browser.get(OVERVIEW)
    with django_assert_max_num_queries(19) as seen:
        browser.get(OVERVIEW)
    of_charges = [query["sql"] for query in seen.captured_queries if "usage_charge" in query["sql"]]
    assert all("LIMIT" in sql or "chargenote" in sql for sql in of_charges), of_charges
    assert not [sql for sql in of_charges if "SUM(" in sql.upper()]


def test_it_is_light(ada: User, browser: Client) -> None:
    """At most 12 KB of HTML over the wire."""
    spending.random_month(ada.account_id, seed=1)
    answer = browser.get(OVERVIEW, headers={"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    assert len(answer.content) < 12 * 1024


def test_a_name_that_turns_its_letters_around_turns_no_others(ada: User, browser: Client) -> None:
    """Names may hold bidirectional marks (Hebrew and Arabic need them); each is isolated from its line."""
    name = "Sales \u202eevil"
    use(ada.account_id, events.pages("e", 5, agent=spending.agent(name)), at=NOW)
    html = browser.get(OVERVIEW).content.decode()
    assert html.count(f"<bdi>{name}</bdi>") == html.count(name) > 1
