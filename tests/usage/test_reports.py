"""What was spent, from the roll-up: lists and charts that add up, whatever was used."""

import re
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from billing.money import CENT, TENTH_OF_MILL, cut_to_cents
from tests.usage import events, spending
from tests.usage.spending import NOW
from usage import chart, periods, reports
from usage.agents import UNASSIGNED
from usage.models import Agent
from usage.pricing import Usage

D = Decimal
TODAY = NOW.date()
ALL = periods.last_days(60, today=TODAY)
amounts = st.decimals(min_value="-3", max_value="40", places=9) | st.sampled_from(
    [D(0), D("0.005"), D("0.000000001"), D("0.0049999"), D("0.01"), D("-0.005")]
)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(3))
def test_the_roll_up_says_what_the_charges_say(ada: User, seed: int) -> None:
    """S30 S31 S32 S33: category, agent, model and day, each against the charges one by one."""
    made = spending.random_month(ada.account_id, seed=seed)
    names = dict(Agent.objects.values_list("id", "name"))
    by: dict[str, dict[str, Decimal]] = {
        name: defaultdict(Decimal) for name in ("category", "agent", "model")
    }
    days: dict[date, Decimal] = defaultdict(Decimal)
    for charge in made:
        by["category"][charge.type] += charge.cost
        by["agent"][names.get(charge.agent_id, UNASSIGNED)] += charge.cost
        by["model"][charge.model or reports.WITHOUT_MODEL[charge.type]] += charge.cost
        days[charge.day] += charge.cost
    found = reports.spending(ada.account_id, ALL)
    assert found.by_category == {name: cost for name, cost in by["category"].items() if cost}
    assert found.by_agent == {name: cost for name, cost in by["agent"].items() if cost}
    assert found.by_model == {name: cost for name, cost in by["model"].items() if cost}
    daily = reports.daily(ada.account_id, ALL)
    assert {day: sum(spent.values()) for day, spent in daily.items() if spent} == days


@pytest.mark.django_db
def test_rent_of_a_number_is_voice_with_a_row_of_its_own_by_model(ada: User) -> None:
    """S11 S15: three categories, and no fourth."""
    spending.fund(ada.account_id, "10.00", at=NOW)
    spending.use(ada.account_id, events.event("rent", Usage("number")), at=NOW)
    spending.use(ada.account_id, events.voice("call", 60), at=NOW)
    found = reports.spending(ada.account_id, ALL)
    assert found.by_category == {"voice": D("2.10")}
    assert found.by_model == {"Phone numbers": D("2.00"), "Voice minutes": D("0.10")}
    assert [row.name for row in reports.categories(found.by_category)] == ["Chat", "Voice", "Knowledge"]


@pytest.mark.django_db
def test_another_account_is_never_counted(ada: User, cy: User) -> None:
    spending.use(cy.account_id, events.pages("theirs", 3), at=NOW)
    assert reports.spending(ada.account_id, ALL) == reports.Spending()
    assert not any(reports.daily(ada.account_id, ALL).values())


@given(st.dictionaries(st.text(max_size=4), amounts, max_size=12))
def test_every_list_adds_up_to_its_rounded_total(parts: dict[str, Decimal]) -> None:
    total = sum(parts.values(), D(0)).quantize(CENT, "ROUND_HALF_UP")
    rows = reports.largest_first(parts)
    assert sum((row.total for row in rows), D(0)) == total
    assert all(abs(row.total - row.exact) < CENT for row in rows)
    if sum(parts.values()) > 0:
        assert sum(row.share for row in rows) == 100


@given(
    st.lists(
        st.fixed_dictionaries({"chat": amounts, "voice": amounts, "knowledge": amounts}),
        min_size=1,
        max_size=30,
    )
)
def test_the_charts_table_adds_up_along_both_edges(spent: list[dict[str, Decimal]]) -> None:
    """S33: each day's cells to the day, each category's to the legend, all to the total."""
    days = {TODAY - timedelta(days=number): amounts for number, amounts in enumerate(spent)}
    drawn = chart.chart(days)
    assert sum(day.total.total for day in drawn.days) == drawn.total.total
    assert sum(row.total for row in drawn.series) == drawn.total.total
    for place, row in enumerate(drawn.series):
        assert sum(day.values[place].total for day in drawn.days) == row.total
    for day in drawn.days:
        assert sum(cell.total for cell in day.values) == day.total.total


@given(st.lists(st.decimals(min_value=0, max_value=5, places=9), min_size=30, max_size=30))
def test_a_day_of_the_chart_is_what_the_api_says(spent: list[Decimal]) -> None:
    days = {TODAY - timedelta(days=number): {"chat": cost} for number, cost in enumerate(spent)}
    drawn = chart.chart(days)
    if sum(spent) >= CENT:
        told = cut_to_cents((day.isoformat(), amounts["chat"]) for day, amounts in days.items())
        assert [day.total.total for day in drawn.days] == list(told.values())


def test_a_first_message_is_shown_and_not_rounded_to_nothing() -> None:
    """No page prints $0.00 for what is not zero: while all is under a cent, lists are cut finer."""
    drawn = chart.chart({TODAY: {"chat": D("0.0003915")}})
    assert drawn.total.shown == "$0.0004"
    assert [row.shown for row in drawn.series] == ["$0.0004", "$0.00", "$0.00"]
    assert drawn.days[0].values[0].plain == "0.0004"
    rows = reports.categories({"chat": D("0.0003915"), "voice": D("1.20")})
    assert [row.shown for row in rows] == ["<$0.01", "$1.20", "$0.00"]
    assert [row.share_shown for row in rows] == ["<1%", "100%", "0%"]
    trace = reports.categories({"chat": D("0.000000075")}, step=TENTH_OF_MILL)
    assert trace[0].shown == "<$0.0001"
    assert not re.search(r"\$0\.00$", trace[0].shown)


def test_many_agents_are_told_as_a_few_and_the_rest() -> None:
    many = {f"Agent {number:02}": D(number) for number in range(1, 21)}
    few = reports.the_rest_as_one(many, most=4)
    assert few == {"Agent 20": 20, "Agent 19": 19, "Agent 18": 18, "17 others": D(153)}
    assert reports.the_rest_as_one(few, most=4) == few


@pytest.mark.parametrize(
    ("age", "balance", "expected"),
    [
        (30, "21.00", (21, "1.00", 7)),  # 7 days of 1.00 each; today's own spending does not count
        (3, "10.50", (10, "1.00", 3)),
        (1, "0.99", (0, "1.00", 1)),
        (0, "5.00", None),  # no day is over yet
        (30, "0", None),
        (30, "-4", None),
    ],
)
def test_the_runway_is_the_mean_of_the_last_seven_complete_days(
    age: int, balance: str, expected: tuple[int, str, int] | None
) -> None:
    days = {TODAY - timedelta(days=number): {"chat": D("0.75"), "voice": D("0.25")} for number in range(30)}
    days[TODAY] = {"chat": D(500)}
    found = reports.runway(D(balance), days, today=TODAY, born=TODAY - timedelta(days=age))
    assert found == (expected and reports.Runway(expected[0], D(expected[1]), expected[2]))


def test_there_is_no_runway_without_spending() -> None:
    days = {TODAY - timedelta(days=number): {} for number in range(30)}
    assert reports.runway(D(5), days, today=TODAY, born=TODAY - timedelta(days=30)) is None
