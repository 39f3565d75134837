"""The usage page: any days, broken down and filtered, from the roll-up alone; and its table as a file."""

import csv
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape
from io import StringIO
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from tests import factories
from tests.usage import events, spending
from tests.usage.spending import NOW, agent, use
from usage import records, reversals, tiles
from usage.models import Agent, Charge
from usage.pricing import Usage
from usage.records import Wanted
from usage.units import Units
from usage.views import usage as usage_view

pytestmark = pytest.mark.django_db
D = Decimal
USAGE, EXPORT = "/settings/billing/usage/", "/settings/billing/usage.csv"
BY = ("category", "agent", "model", "day")


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def browser(ada: User, client: Client) -> Client:
    client.force_login(ada)
    return client


def told(browser: Client, query: str = "") -> str:
    answer = browser.get(USAGE + query)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def table(browser: Client, query: str = "") -> list[tuple[str, str]]:
    return [
        (entry.line.row.name, entry.line.row.shown) for entry in browser.get(USAGE + query).context["entries"]
    ]


def rows(browser: Client, query: str = "") -> list[dict[str, str]]:
    answer = browser.get(EXPORT + query)
    assert answer.status_code == 200, answer.content
    return list(csv.DictReader(StringIO(answer.getvalue().decode(), newline="")))


@pytest.fixture
def old(client: Client) -> User:
    """An owner since 1 January 2025, signed in."""
    user = factories.owner("old@example.com", now=NOW.replace(year=2025, month=1, day=1))
    client.force_login(user)
    return user


# --- The seed's month, each way -----------------------------------------------------------------------------------


def test_the_seeds_month_in_every_break_down(ada: User, browser: Client) -> None:
    """S30 S31 S32: by category, by agent and by model, the same total each time."""
    spending.the_seeds_month(ada.account_id)
    assert table(browser, "?period=this-month") == [
        ("Chat", "$32.15"), ("Voice", "$12.40"), ("Knowledge", "$3.27"),
    ]  # fmt: skip
    assert table(browser, "?period=2026-03&by=agent") == [
        ("Customer Support", "$28.50"), ("Sales Assistant", "$12.05"), ("Research Bot", "$7.27"),
    ]  # fmt: skip
    assert table(browser, "?period=last-30-days&by=model") == [
        ("gpt-4o", "$32.15"), ("Voice minutes", "$12.40"), ("Knowledge ingestion", "$3.27"),
    ]  # fmt: skip
    assert table(browser, "?from=2026-03-02&to=2026-03-03&by=day") == [
        ("2 March 2026", "$28.50"), ("3 March 2026", "$12.05"),
    ]  # fmt: skip


def test_units_rates_and_shares_stand_beside_the_amounts(ada: User, browser: Client) -> None:
    """S12 S14 S16: tokens, minutes and pages with what one of them cost on average."""
    spending.the_seeds_month(ada.account_id)
    found = told(browser, "?by=model&period=this-month")
    assert "2 messages · 12,860,000 tokens in, 0 out $2.50 per 1M tokens $32.15 67%" in found
    assert "2 h 4 min in 2 calls $0.10 per minute $12.40 26%" in found
    assert "327 pages $0.01 per page $3.27 7%" in found
    assert "Total $47.82 100%" in found


def test_the_tiles_tell_how_much_and_what_for(ada: User, browser: Client) -> None:
    """S30: eighteen days of March, and of February as much; the account did not exist then."""
    spending.the_seeds_month(ada.account_id)
    found = told(browser, "?period=this-month")
    assert "Spend $47.82 1 to 18 March" in found
    assert "A day, on average $2.66 over 18 days of your account" in found
    assert "Compared with the period before – your account began on 1 March 2026" in found
    assert "Charges 5" in found
    assert "Chat messages 2 12,860,000 tokens in, 0 out" in found
    assert "Calls 2 h 4 min 2 calls" in found
    assert "Knowledge 327 pages in 1 charge" in found


# --- Everything ties ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("only", [{}, {"type": "chat"}, {"agent": "none"}, {"model": "voice-minutes"}])
def test_chart_table_file_and_records_say_the_same(
    ada: User, browser: Client, seed: int, only: dict[str, str]
) -> None:
    """S30 S31 S32 S33: whatever is asked, to the cent, and exactly against the charges one by one."""
    spending.random_month(ada.account_id, seed=seed, count=60)
    days = {"from": "2026-03-02", "to": "2026-03-17"}
    charges = Charge.objects.filter(account_id=ada.account_id, day__range=tuple(days.values()))
    narrowed = {
        "type": {"type__in": ["chat"]}, "agent": {"agent_id": None}, "model": {"type": "voice"},
    }  # fmt: skip
    for name in only:
        charges = charges.filter(**narrowed[name])
    exact = sum((charge.cost for charge in charges), D(0))
    for by in BY:
        query = "?" + urlencode(days | only | {"by": by})
        shown = browser.get(USAGE + query).context
        total = shown["chart"].total.total
        assert shown["spent"].total == exact
        assert sum(entry.line.row.total for entry in shown["entries"]) == total
        assert sum(day.total.total for day in shown["chart"].days) == total
        found = rows(browser, query) if seed == 0 else []
        assert not found or sum(D(row["amount"]) for row in found) == total
        assert not found or sum(D(row["amount_exact"]) for row in found) == exact


@pytest.mark.parametrize("by", BY)
def test_every_line_leads_to_the_records_that_make_it(ada: User, browser: Client, by: str) -> None:
    """S37: the same days and filters, and what the line is about."""
    spending.random_month(ada.account_id, seed=4, count=50)
    spending.use(ada.account_id, events.event("rent", Usage("number")), at=NOW)
    entries = browser.get(f"{USAGE}?from=2026-03-01&by={by}").context["entries"]
    assert len(entries) >= 3
    for entry in entries:
        form = browser.get(entry.records).context["form"]
        listed = records.page(ada.account_id, form.wanted, size=1_000).records
        assert -sum(row.amount for row in listed if row.public_id[:5] == "bill_") == entry.line.row.exact
        assert all(row.public_id.startswith("bill_") for row in listed) or by == "day"


def test_the_overview_and_this_page_agree(ada: User, browser: Client) -> None:
    spending.random_month(ada.account_id, seed=1)
    month = browser.get("/settings/billing/").context["month"]
    for by, listed in (("agent", month.agents), ("model", month.models), ("category", month.categories)):
        lines = browser.get(f"{USAGE}?period=this-month&by={by}").context["entries"]
        assert {e.line.row.name: e.line.row.total for e in lines if e.line.row.exact} == {
            row.name: row.total for row in listed if row.exact
        }


def test_charges_of_other_accounts_are_never_counted(ada: User, cy: User, browser: Client) -> None:
    use(cy.account_id, events.pages("theirs", 7), at=NOW)
    assert "Nothing was used in these days" in told(browser)
    theirs = Agent.objects.create(account=cy.account, name="Spy", name_key="spy", created_at=NOW)
    found = told(browser, f"?agent={theirs.public_id}")
    assert "Not applied: Agent." in found
    assert "Nothing was added up" in found
    assert "Spy" not in found


# --- The period before --------------------------------------------------------------------------------------------


def test_a_running_month_is_compared_with_as_much_of_the_one_before(old: User, client: Client) -> None:
    use(old.account_id, events.pages("feb 18", 20), at=NOW.replace(month=2))
    use(old.account_id, events.pages("feb 19", 9), at=NOW.replace(month=2, day=19))
    use(old.account_id, events.pages("mar", 25), at=NOW)
    assert "+25% $0.05 more than 1 to 18 February, $0.20" in told(client, "?period=this-month")
    assert "+$0.54 $0.54 more than 18 January to 16 February, $0.00" in told(client)
    found = told(client, "?period=2026-02")
    assert "Compared with the period before +$0.29 $0.29 more than 1 to 31 January, $0.00" in found


def test_last_days_are_compared_with_as_many_before(old: User, client: Client) -> None:
    spending.fund(old.account_id, "9.00", at=NOW - timedelta(days=9))
    use(old.account_id, events.pages("before", 50), at=NOW - timedelta(days=8))
    use(old.account_id, events.pages("now", 30), at=NOW - timedelta(days=1))
    assert "−40% $0.20 less than 5 to 11 March, $0.50" in told(client, "?period=last-7-days")
    use(old.account_id, events.pages("today", 30), at=NOW)
    assert "The same as 17 March, $0.30" in told(client, "?from=2026-03-18")


@pytest.mark.parametrize(
    ("before", "difference", "words"),
    [("10", "1.2", "+12%"), ("10", "-10", "−100%"), ("100", "0.001", "+<1%"), ("0", "0.30", "+$0.30"),
     ("-1", "2", "+$2.00"), ("0.001", "100", "+10,000,000%")],
)  # fmt: skip
def test_a_change_is_told_in_percent_where_there_is_something_to_compare(
    before: str, difference: str, words: str
) -> None:
    assert tiles.change(D(before), D(difference)) == words


# --- Days ---------------------------------------------------------------------------------------------------------


def test_days_are_the_accounts_own(client: Client) -> None:
    """S33: 15:42 UTC on 18 March is the nineteenth in Auckland."""
    kiwi = factories.owner(timezone="Pacific/Auckland")
    use(kiwi.account_id, events.pages("e", 5), at=NOW)
    client.force_login(kiwi)
    assert "19 March 2026" in told(client, "?by=day&period=this-month")
    assert "1 to 19 March, days in Pacific/Auckland" in told(client, "?period=this-month")
    assert "Nothing was used" in told(client, "?from=2026-03-18&to=2026-03-18")


def test_a_year_is_drawn_by_months_that_add_up(old: User, client: Client) -> None:
    """S33: more than 92 bars are months; the note says why a month alone may differ by a cent."""
    for month in (1, 2, 3):
        message = events.chat(f"m{month}", "gpt-4o", 1_000 + month)
        use(old.account_id, message, at=NOW.replace(month=month))
    shown = client.get(f"{USAGE}?from=2025-03-19&to=2026-03-18").context
    assert [day.label for day in shown["chart"].days][:2] == ["Mar 2025", "Apr 2025"]
    assert len(shown["chart"].days) == 13
    assert sum(day.total.total for day in shown["chart"].days) == shown["chart"].total.total
    found = told(client, "?from=2025-03-19&to=2026-03-18")
    assert "those of a single month seen alone may differ by one" in found
    assert "19 March 2025 to 18 March 2026" in found
    assert "Choose at most 366 days at a time" in told(client, "?from=2025-03-17&to=2026-03-18")


def test_days_before_the_account_are_left_out_and_that_is_said(ada: User, browser: Client) -> None:
    use(ada.account_id, events.pages("e", 5), at=NOW)
    found = told(browser, "?from=0001-01-01&to=2026-03-18")
    assert "Your account did not exist on the first of these days: you see 1 to 18 March." in found
    assert "Spend $0.05" in found


def test_dates_beside_a_named_period_are_passed_over_and_that_is_said(ada: User, browser: Client) -> None:
    use(ada.account_id, events.pages("e", 5), at=NOW)
    query = "?period=this-month&from=2026-03-02&to=2026-03-05&type=chat&by=day"
    answer = browser.get(USAGE + query)
    assert "From and To were not applied" in answer.content.decode()
    link = answer.context["form"].unused_dates
    assert link == "period=custom&by=day&from=2026-03-02&to=2026-03-05&type=chat"
    assert "were not applied" not in told(browser, f"?{link}")


# --- Someone wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "labels", "words"),
    [
        ("?from=2026-03-05&to=2026-03-04", "To", "Choose a day that is not before the first one."),
        ("?from=2026-03-05&to=9999-12-31", "To", "This day is in the future: it is 2026-03-18 for your account."),
        ("?from=9999-12-31", "From", "This day is in the future"),
        ("?from=0001-01-01&to=0001-12-31", "To", "Your account began on 2026-03-01."),
        ("?from=2026-02-30", "From", "Choose a day, such as 2026-03-05."),
        ("?from=2026-13-01&to=x", "From, To", "Choose a day"),
        ("?to=2026-03-05", "From", "Choose the first day."),
        ("?period=custom", "From", "Choose the first day."),
        ("?period=2026-02", "Period", "your account has months from March 2026 to now"),
        ("?period=2026-04", "Period", "Choose one from the list"),
        ("?period=9999-99&by=x&type=y", "Period, Break down by, Category", "Choose one from the list."),
        ("?agent=agent_00000000000000000000000000", "Agent", "your account has no other"),
        ("?agent=%00&model=%F0%9F%92%A9", "Agent, Model", "no other was ever priced"),
        ("?agent=" + "x" * 5_000, "Agent", "your account has no other"),
        ("?model=gpt-5&period=%E2%80%AEevil", "Period, Model", "Choose"),
        ("?from=٢٠٢٦-٠٣-٠٥", "From", "Choose a day"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named_and_adds_up_nothing(
    browser: Client, query: str, labels: str, words: str
) -> None:
    found = told(browser, query)
    assert (
        f"Nothing was added up Not applied: {labels}. Correct the marked fields above, or start again."
        in found
    )
    assert words in found
    assert "Spend $" not in found
    refused = browser.get(EXPORT + query)
    assert refused.status_code == 422
    assert "Nothing was added up" in refused.content.decode()


def test_what_somebody_types_into_the_address_stays_text(browser: Client) -> None:
    html = browser.get(USAGE + "?from=%3Cscript%3Ealert(1)%3C/script%3E&by=%22%3E").content.decode()
    assert "<script>alert" not in html


def test_filters_that_contradict_each_other_leave_nothing_and_a_way_out(ada: User, browser: Client) -> None:
    use(ada.account_id, events.chat("e"), at=NOW)
    answer = browser.get(USAGE + "?type=voice&model=gpt-4o-mini&period=this-month")
    assert "There is no usage for these filters in these days." in answer.content.decode()
    assert table(browser, answer.context["everything"].partition("/usage/")[2])[0] == ("Chat", "$0.0004")


# --- Small, free, given back --------------------------------------------------------------------------------------


def test_a_trace_is_never_printed_as_nothing(ada: User, browser: Client) -> None:
    use(ada.account_id, events.chat("e"), at=NOW)
    found = told(browser)
    assert "$0.0004" in found
    assert "Spend $0.0004" in found
    use(ada.account_id, events.pages("big", 20), at=NOW)
    assert table(browser, "?by=model") == [("Knowledge ingestion", "$0.20"), ("gpt-4o-mini", "<$0.01")]


def test_what_is_free_is_listed_with_its_units(ada: User, browser: Client) -> None:
    """S17 S18: a call that nobody answered costs nothing and is no secret."""
    use(ada.account_id, events.voice("e", 30, answered=False), at=NOW)
    assert "30 s in 1 call $0.00 per minute $0.00 0%" in told(browser, "?by=model")
    assert browser.get(USAGE).context["chart"] is None


def test_what_was_given_back_is_taken_off(ada: User, browser: Client) -> None:
    """A reversal of last month's charge leaves this month below zero, and says so."""
    charge = use(ada.account_id, events.pages("e", 30), at=NOW - timedelta(days=3))
    use(ada.account_id, events.pages("kept", 10), at=NOW - timedelta(days=2))
    reversals.reverse(ada.account_id, charge.id, actor="t", reason="Twice", now=NOW)
    assert "−30 pages – −$0.30" in told(browser, "?from=2026-03-18&by=model")
    assert table(browser, "?by=model") == [("Knowledge ingestion", "$0.10")]


def test_a_day_whose_charge_was_given_back_at_once_is_not_listed(ada: User, browser: Client) -> None:
    charge = use(ada.account_id, events.pages("e", 30), at=NOW)
    reversals.reverse(ada.account_id, charge.id, actor="t", reason="Twice", now=NOW)
    assert "Nothing was used in these days" in told(browser, "?by=day")


def test_what_was_not_collected_is_told_beside_the_table(ada: User, browser: Client) -> None:
    use(ada.account_id, events.chat("big", "gpt-4-turbo", 200_000, 10_000, on_short="record"), at=NOW)
    assert "Work worth $1.30 more was done while the balance did not cover it." in told(browser)
    assert "Spend $1.00" in told(browser)


def test_units_of_two_kinds_have_no_common_rate() -> None:
    assert Units(calls=1, seconds=90).rate(D("0.15")) == (D("0.1"), "per minute")
    assert Units(pages=3, documents=1, chunks=2).rate(D("1")) is None
    assert Units(pages=-3).rate(D("-1")) is None
    assert Units().rate(D("1")) is None


# --- The file -----------------------------------------------------------------------------------------------------


def test_the_file_has_exactly_the_table(ada: User, browser: Client) -> None:
    spending.the_seeds_month(ada.account_id)
    answer = browser.get(EXPORT + "?by=agent&from=2026-03-02&to=2026-03-10")
    name = "usage-by-agent-2026-03-02-to-2026-03-10.csv"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    assert answer.streaming
    first = rows(browser, "?by=agent&from=2026-03-02&to=2026-03-10")[2]
    assert first == {
        "agent": "Research Bot", "charges": "3", "messages": "1", "input_tokens": "1460000", "output_tokens": "0",
        "retrieval_queries": "0", "calls": "1", "seconds": "210", "number_periods": "0", "pages": "327",
        "chunks": "0", "effective_rate": "", "amount": "7.27", "amount_exact": "7.270000000", "share_percent": "15",
    }  # fmt: skip


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "＝"])
def test_no_name_is_a_formula(ada: User, browser: Client, start: str) -> None:
    use(ada.account_id, events.pages("e", 1, agent=agent(f'{start}HYPERLINK("http://x")')), at=NOW)
    (row,) = rows(browser, "?by=agent")
    assert row["agent"].startswith("'")


def test_many_agents_are_one_line_on_the_page_and_all_in_the_file(
    ada: User, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_view, "MOST_LINES", 4)
    for number in range(7):
        use(ada.account_id, events.pages(f"e{number}", 1 + number, agent=agent(f"A{number}")), at=NOW)
    assert table(browser, "?by=agent") == [
        ("A6", "$0.07"),
        ("A5", "$0.06"),
        ("A4", "$0.05"),
        ("4 others", "$0.10"),
    ]
    assert "the CSV lists them all" in told(browser, "?by=agent")
    assert len(rows(browser, "?by=agent")) == 7


def test_ten_files_an_hour_whichever_they_are(ada: User, browser: Client) -> None:
    for number in range(10):
        path = EXPORT if number % 2 else "/settings/billing/records.csv"
        assert browser.get(path).status_code == 200
    refused = browser.get(EXPORT)
    assert refused.status_code == 429
    assert "Nothing was exported" in refused.content.decode()


# --- Who, and how much it asks ------------------------------------------------------------------------------------


def test_a_viewer_sees_it_and_nobody_signed_out(ada: User, bo: User, client: Client) -> None:
    client.force_login(bo)
    assert client.get(USAGE).status_code == client.get(EXPORT).status_code == 200
    client.logout()
    assert client.get(USAGE).status_code == client.get(EXPORT).status_code == 302
    assert client.post(USAGE).status_code in (302, 405)


def test_an_agent_leads_to_what_another_model_would_have_cost(ada: User, browser: Client) -> None:
    use(ada.account_id, events.chat("e", agent=agent("Support")), at=NOW)
    page = f"/settings/agents/{Agent.objects.get().public_id}/"
    assert page in browser.get(USAGE + "?by=agent").content.decode()
    filtered = browser.get(f"{USAGE}?agent={Agent.objects.get().public_id}").content.decode()
    assert "On another model?" in filtered
    assert f"{USAGE}?agent=" in browser.get(page).content.decode()


def test_a_name_that_turns_its_letters_around_turns_no_others(ada: User, browser: Client) -> None:
    name = "Sales \u202eevil"
    use(ada.account_id, events.pages("e", 5, agent=agent(name)), at=NOW)
    html = browser.get(USAGE + "?by=agent").content.decode()
    listed = html[html.index("<tbody") :]
    assert listed.count(f"<bdi>{name}</bdi>") == listed.count(name) > 0


@pytest.mark.parametrize("by", BY)
def test_it_asks_the_same_few_questions_whatever_the_history(
    ada: User, browser: Client, django_assert_num_queries: Any, by: str
) -> None:
    """S30 S33: one of them adds up, and only the roll-up; so a million charges cost what none do."""
    browser.get(USAGE)
    with django_assert_num_queries(7) as empty:
        browser.get(f"{USAGE}?by={by}")
    spending.random_month(ada.account_id, seed=1, count=90)
    with django_assert_num_queries(len(empty.captured_queries)) as seen:
        browser.get(f"{USAGE}?by={by}")
    asked = [query["sql"] for query in seen.captured_queries]
    assert not [sql for sql in asked if "usage_charge" in sql or "billing_ledgerentry" in sql]
    assert len([sql for sql in asked if "usage_dailyspend" in sql]) == 1


def test_the_records_page_filters_by_model_and_service(ada: User) -> None:
    spending.fund(ada.account_id, "9.00", at=NOW)
    use(ada.account_id, events.chat("e1", "gpt-4o"), at=NOW)
    use(ada.account_id, events.voice("e2", 6), at=NOW)
    use(ada.account_id, events.event("e3", Usage("number")), at=NOW)

    def listed(service: str) -> list[str]:
        return [row.what for row in records.page(ada.account_id, Wanted(service=service)).records]

    assert listed("gpt-4o") == ["gpt-4o"]
    assert listed("voice-minutes") == ["Call"]
    assert listed("phone-numbers") == ["Phone number, 30 days"]
    assert listed("knowledge-ingestion") == []
