"""Where the money went in a period, broken down one way and filtered: from the daily roll-up, in one query.

One query, so that chart, table and totals see the same moment while charges arrive.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from accounts import ids
from billing.money import ZERO
from usage import charges, reports, units
from usage.agents import UNASSIGNED
from usage.charges import NOBODY, SERVICES, TYPES_OF
from usage.periods import Period
from usage.reports import CATEGORIES, CATEGORY_OF, WITHOUT_MODEL, Amounts, Row
from usage.units import Units

KEYS = {"category": "u.type", "agent": "u.agent_id", "model": "u.model", "day": "u.type"}
SPENT = """
    SELECT grouping(u.day) = 1, u.is_now, u.day, u.type, {key}, sum(u.cost), sum(u.uncollected), sum(u.count)::bigint,
        sum(u.input_tokens)::bigint, sum(u.output_tokens)::bigint, sum(u.retrieval_queries)::bigint,
        sum(u.seconds)::bigint, sum(u.pages)::bigint, sum(u.chunks)::bigint
    FROM (SELECT d.*, d.day BETWEEN %(first)s AND %(last)s AS is_now FROM usage_dailyspend d
        WHERE d.account_id = %(account)s AND d.day BETWEEN %(earliest)s AND %(last)s {only}
            AND (d.day >= %(first)s OR d.day <= %(before)s)) u
    GROUP BY GROUPING SETS ((u.is_now, u.day, u.type), (u.is_now, u.type, {key}))
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to add up. `service` is a model or one of SERVICES; `agent` is (None,) for usage without any."""

    period: Period
    before: Period  # what it is compared with; ends before `period` begins
    by: str = "category"
    category: str = ""
    agent: tuple[UUID | None] | None = None
    service: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table: `key` is what an address calls it, empty for several together."""

    key: str
    row: Row
    units: Units

    @property
    def rate(self) -> str:
        return units.rate_told(self.units.rate(self.row.exact))


@dataclass(frozen=True, slots=True)
class Breakdown:
    """`lines`, `days` and `total` are of the same moment and add up to the same."""

    lines: list[Line]
    days: dict[date, Amounts]
    total: Decimal
    uncollected: Decimal
    units: Units
    before: Decimal  # the total of the period before
    step: Decimal  # what amounts are cut to


@dataclass(slots=True)
class _Sum:
    cost: Decimal = ZERO
    units: Units = field(default_factory=Units)

    def add(self, cost: Decimal, used: Units) -> None:
        self.cost += cost
        self.units += used


@dataclass(slots=True)
class _Found:
    days: dict[date, Amounts]
    parts: dict[str, _Sum]
    whole: _Sum = field(default_factory=_Sum)
    uncollected: Decimal = ZERO
    before: Decimal = ZERO


def read(account_id: UUID, wanted: Wanted, *, names: Mapping[UUID, str]) -> Breakdown:
    """`names` of the account's agents. The largest line first, days in their order, all three categories."""
    found = _Found({day: {} for day in wanted.period.days()}, {})
    with connection.cursor() as cursor:
        cursor.execute(*_query(account_id, wanted))
        for row in cursor.fetchall():
            _put(found, wanted, row)
    step = reports.finest(found.whole.cost)
    lines = _lines(wanted.by, found.parts, names, step)
    return Breakdown(
        lines, found.days, found.whole.cost, found.uncollected, found.whole.units, found.before, step
    )


def _query(account_id: UUID, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    period, before = wanted.period, wanted.before
    only, values = _filters(wanted)
    values |= {
        "account": account_id,
        "first": period.first,
        "last": period.last,
        "earliest": min(before.first, period.first),
        "before": before.last,
    }
    return SPENT.format(key=KEYS[wanted.by], only=only), values


def _filters(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    only = ""
    values: dict[str, Any] = {}
    if wanted.category:
        only += " AND d.type = ANY(%(types)s)"
        values["types"] = [str(type) for type in TYPES_OF[wanted.category]]
    if wanted.agent is not None:
        only += " AND d.agent_id IS NOT DISTINCT FROM %(agent)s::uuid"
        (values["agent"],) = wanted.agent
    if wanted.service:
        only += " AND d.type = %(type)s AND d.model = %(model)s"
        values |= charges.of_service(wanted.service)
    return only, values


def _put(found: _Found, wanted: Wanted, row: tuple[Any, ...]) -> None:
    """A row of the query, where it belongs: a day of a type, or a part of the table."""
    is_part, is_now, day, type, key, cost, uncollected, *used = row
    if is_part and is_now and wanted.by != "day":
        found.parts.setdefault(_key(wanted.by, type, key), _Sum()).add(cost, units.of_type(type, *used))
    if is_part:
        return
    if not is_now:
        found.before += cost
        return
    spent, category = units.of_type(type, *used), CATEGORY_OF[type]
    found.whole.add(cost, spent)
    found.uncollected += uncollected
    found.days[day][category] = found.days[day].get(category, ZERO) + cost
    if wanted.by == "day":
        found.parts.setdefault(day.isoformat(), _Sum()).add(cost, spent)


def _key(by: str, type: str, key: Any) -> str:
    if by == "category":
        return CATEGORY_OF[type]
    if by == "agent":
        return ids.public("agent", key) if key else NOBODY
    return key or next(service for service, of in SERVICES.items() if of == type)


def _lines(by: str, parts: dict[str, _Sum], names: Mapping[UUID, str], step: Decimal) -> list[Line]:
    used = {key: part for key, part in parts.items() if part.cost or part.units}
    if by == "category" and used:
        used = {slug: parts.get(slug, _Sum()) for slug in CATEGORIES}
    told = {key: _name(by, key, names) for key in used}
    amounts = {f"{told[key]}\n{key}": part.cost for key, part in used.items()}  # ties are cut by name
    cut, shares = reports.cut_to(amounts, step), reports.percentages(amounts)
    made = []
    for (key, part), (name, cost) in zip(used.items(), amounts.items(), strict=True):
        slug = key if by == "category" else ""
        made.append(Line(key, Row(told[key], cost, cut[name], shares[name], slug, step), part.units))
    return made if by == "category" else sorted(made, key=_by_day if by == "day" else _largest_first)


def _by_day(line: Line) -> str:
    return line.key


def _largest_first(line: Line) -> tuple[Decimal, str]:
    return -line.row.exact, line.row.name


def _name(by: str, key: str, names: Mapping[UUID, str]) -> str:
    if by == "category":
        return CATEGORIES[key]
    if by == "agent":
        agent_id = ids.parse("agent", key)
        return names.get(agent_id, UNASSIGNED) if agent_id else UNASSIGNED
    if by == "day":
        day = date.fromisoformat(key)
        return f"{day.day} {day:%B %Y}"
    return WITHOUT_MODEL[SERVICES[key]] if key in SERVICES else key


def shortened(lines: list[Line], *, most: int) -> list[Line]:
    """The first `most` lines; when there are more, the last of them is all others together."""
    if len(lines) <= most:
        return lines
    kept, rest = lines[: most - 1], lines[most - 1 :]
    others = Row(
        f"{len(rest):,} others",
        sum((line.row.exact for line in rest), ZERO),
        sum((line.row.total for line in rest), ZERO),
        sum(line.row.share for line in rest),
        step=rest[0].row.step,
    )
    return [*kept, Line("", others, sum((line.units for line in rest), Units()))]
