"""What was spent, from the daily roll-up alone: the charges themselves are never added up for a page or an answer.

Every list is cut to cents so that it adds up to the same total as the others (billing.money.cut_to_cents).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import Sum

from billing import money
from billing.money import CENT, TENTH_OF_MILL, ZERO
from usage.agents import UNASSIGNED
from usage.models import DailySpend, UsageType
from usage.periods import DAY, Period

CATEGORIES = {"chat": "Chat", "voice": "Voice", "knowledge": "Knowledge"}
CATEGORY_OF = {type: type for type in CATEGORIES} | {UsageType.NUMBER.value: "voice"}  # rent is voice
WITHOUT_MODEL = {"voice": "Voice minutes", "number": "Phone numbers", "knowledge": "Knowledge ingestion"}
RUNWAY_DAYS = 7

SPENDING = """
    SELECT s.type, s.model, s.no_type, s.agent_id, a.name, s.cost FROM (
        SELECT d.type, d.model, d.agent_id, grouping(d.type) AS no_type, sum(d.cost) AS cost
        FROM usage_dailyspend d WHERE d.account_id = %s AND d.day BETWEEN %s AND %s
        GROUP BY GROUPING SETS ((d.type, d.model), (d.agent_id))
    ) s LEFT JOIN usage_agent a ON a.id = s.agent_id
"""
Amounts = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Spending:
    """What a period cost, exactly, three ways. Each adds up to `total`; what cost nothing is left out."""

    by_category: Amounts = field(default_factory=dict)
    by_agent: Amounts = field(default_factory=dict)
    by_model: Amounts = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        return sum(self.by_category.values(), ZERO)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list. `total` is cut so that the list adds up; `exact` is what it really cost."""

    name: str
    exact: Decimal
    total: Decimal
    share: int  # percent; the shares of a list add up to 100
    slug: str = ""  # a category's key: its colour and shape
    step: Decimal = CENT  # what `total` is cut to

    @property
    def shown(self) -> str:
        return shown(self.total, exact=self.exact, step=self.step)

    @property
    def share_shown(self) -> str:
        if self.exact > 0 and not self.share:
            return "<1%"
        return f"{money.MINUS if self.share < 0 else ''}{abs(self.share)}%"

    @property
    def bar(self) -> int:
        """The length of its bar, in percent."""
        return min(100, max(0, self.share))


def spending(account_id: UUID, period: Period) -> Spending:
    """One query, whatever the number of charges."""
    found: dict[str, Amounts] = {name: defaultdict(Decimal) for name in ("category", "agent", "model")}
    with connection.cursor() as cursor:
        cursor.execute(SPENDING, [account_id, period.first, period.last])
        for type, model, no_type, _, agent, cost in cursor.fetchall():
            if no_type:
                found["agent"][agent or UNASSIGNED] += cost
            else:
                found["category"][CATEGORY_OF[type]] += cost
                found["model"][model or WITHOUT_MODEL[type]] += cost
    return Spending(*(_worth_telling(found[name]) for name in ("category", "agent", "model")))


def daily(account_id: UUID, period: Period) -> dict[date, Amounts]:
    """What each day of a period cost by category, exactly; every day is there."""
    days: dict[date, Amounts] = {day: {} for day in period.days()}
    rows = DailySpend.objects.filter(account_id=account_id, day__range=(period.first, period.last))
    for day, type, cost in rows.values_list("day", "type").annotate(Sum("cost")):
        category = CATEGORY_OF[type]
        days[day][category] = days[day].get(category, ZERO) + cost
    return days


def largest_first(amounts: Amounts, *, step: Decimal = CENT) -> list[Row]:
    """The rows of a list, the largest first, ties by name."""
    cut, shares = cut_to(amounts, step), percentages(amounts)
    return [
        Row(name, exact, cut[name], shares[name], step=step)
        for name, exact in sorted(amounts.items(), key=lambda item: (-item[1], item[0]))
    ]


def categories(amounts: Amounts, *, step: Decimal = CENT) -> list[Row]:
    """The three categories, always all of them and in the same order."""
    all_three = {slug: amounts.get(slug, ZERO) for slug in CATEGORIES}
    cut, shares = cut_to(all_three, step), percentages(all_three)
    return [
        Row(name, all_three[slug], cut[slug], shares[slug], slug=slug, step=step)
        for slug, name in CATEGORIES.items()
    ]


def the_rest_as_one(amounts: Amounts, *, most: int) -> Amounts:
    """The largest `most` amounts; when there are more, the last of them is all others together."""
    names = sorted(amounts, key=lambda name: (-amounts[name], name))
    if len(names) <= most:
        return amounts
    kept, rest = names[: most - 1], names[most - 1 :]
    others = {f"{len(rest)} others": sum((amounts[name] for name in rest), ZERO)}
    return {name: amounts[name] for name in kept} | others


def finest(total: Decimal) -> Decimal:
    """What a list is cut to on a page: cents, but hundredths of cents while all of it is less than a cent."""
    return CENT if abs(total) >= CENT else TENTH_OF_MILL


def cut_to(amounts: Amounts, step: Decimal) -> Amounts:
    scale = CENT / step
    cut = money.cut_to_cents((name, amount * scale) for name, amount in amounts.items())
    return {name: amount / scale for name, amount in cut.items()}


def cut_to_sum(amounts: Amounts, total: Decimal, step: Decimal) -> Amounts:
    """Amounts rounded so that they make a total that is given, which may be a step away from their own rounding."""
    scale = CENT / step
    cut = {name: money.spent_cents(amount * scale) / scale for name, amount in amounts.items()}
    while missing := total - sum(cut.values(), ZERO):
        change = step if missing > 0 else -step
        worst = max(cut, key=lambda name: (amounts[name] - cut[name]) * (1 if missing > 0 else -1))
        cut[worst] += change
    return cut


def percentages(amounts: Mapping[str, Decimal]) -> dict[str, int]:
    """Whole percents that add up to 100; none while reversals leave nothing or less than nothing."""
    total = sum(amounts.values(), ZERO)
    if total <= 0:
        return dict.fromkeys(amounts, 0)
    cut = money.cut_to_cents((name, amount / total) for name, amount in amounts.items())
    return {name: int(share * 100) for name, share in cut.items()}


def shown(cut: Decimal, *, exact: Decimal, step: Decimal) -> str:
    """A cut amount as a page prints it: never $0.00 for what is not zero."""
    if cut == 0 and exact != 0:
        return f"{money.MINUS if exact < 0 else ''}<${step}"
    return money.usd(cut)


@dataclass(frozen=True, slots=True)
class Runway:
    """How long the balance lasts: `days` at `a_day` dollars, the mean of the last `counted` complete days."""

    days: int
    a_day: Decimal
    counted: int


def runway(balance: Decimal, days: Mapping[date, Amounts], *, today: date, born: date) -> Runway | None:
    """None when nothing was spent in the days that count, or nothing is left."""
    a_day, counted = pace(days, today=today, born=born)
    return Runway(int(balance / a_day), a_day, counted) if a_day > 0 and balance > 0 else None


def pace(days: Mapping[date, Amounts], *, today: date, born: date) -> tuple[Decimal, int]:
    """Dollars a day in the last seven complete days (fewer if the account is younger), and how many these were."""
    counted = min(RUNWAY_DAYS, (today - born).days)
    spent = sum((sum(days[today - number * DAY].values(), ZERO) for number in range(1, counted + 1)), ZERO)
    return (max(ZERO, spent / counted) if counted > 0 else ZERO), counted


def _worth_telling(amounts: Amounts) -> Amounts:
    return {name: amount for name, amount in amounts.items() if amount != 0}
