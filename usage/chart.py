"""The daily chart: days by categories, cut to cents so that its table adds up along both edges."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.money import ZERO
from usage.reports import CATEGORIES, Amounts, Row, categories, cut_to, cut_to_sum, finest, shown

Grid = dict[str, Amounts]  # day -> category -> dollars


@dataclass(frozen=True, slots=True)
class Cell:
    """An amount of the table: `plain` for the script, `shown` for people."""

    total: Decimal
    exact: Decimal
    step: Decimal

    @property
    def plain(self) -> str:
        return f"{self.total:f}"

    @property
    def shown(self) -> str:
        return shown(self.total, exact=self.exact, step=self.step)


@dataclass(frozen=True, slots=True)
class Day:
    label: str
    values: list[Cell]  # one per category
    total: Cell


@dataclass(frozen=True, slots=True)
class Chart:
    """Each day's cells add up to the day, each category's to its row in `series`, all to `total`."""

    days: list[Day]
    series: list[Row]
    total: Cell
    summary: str
    unit: str  # what one bar is: day or month


def chart(days: Mapping[date, Amounts], *, unit: str = "day") -> Chart:
    """Raises nothing: a period without usage is a chart of zeros. With months, `days` are their first days."""
    exact = {day.isoformat(): _all_three(amounts) for day, amounts in days.items()}
    sums = {day: sum(row.values(), ZERO) for day, row in exact.items()}
    total = sum(sums.values(), ZERO)
    step = finest(total)
    series = categories(
        {slug: sum((row[slug] for row in exact.values()), ZERO) for slug in CATEGORIES}, step=step
    )
    day_totals = cut_to(sums, step)
    grid = cut_grid(exact, rows=day_totals, columns={row.slug: row.total for row in series}, step=step)
    made = [
        Day(
            f"{day.day} {day:%b}" if unit == "day" else f"{day:%b} {day.year}",
            [Cell(grid[name][slug], exact[name][slug], step) for slug in CATEGORIES],
            Cell(day_totals[name], sums[name], step),
        )
        for day, name in zip(days, exact, strict=True)
    ]
    whole = Cell(sum(day_totals.values(), ZERO), total, step)
    return Chart(made, series, whole, _summary(len(made), unit, whole, series), unit)


def by_month(days: Mapping[date, Amounts]) -> dict[date, Amounts]:
    """The same amounts by the first days of their months."""
    months: dict[date, Amounts] = {}
    for day, amounts in days.items():
        month = months.setdefault(day.replace(day=1), {})
        for category, cost in amounts.items():
            month[category] = month.get(category, ZERO) + cost
    return months


def cut_grid(exact: Grid, *, rows: Amounts, columns: Amounts, step: Decimal) -> Grid:
    """Cells that add up to the given sums of rows and columns, which themselves add up to the same total.

    Each row is cut by itself; where that leaves a column too large, single steps move within a row to a column that
    is too small, wherever that distorts least.
    """
    grid = {name: cut_to_sum(cells, rows[name], step) for name, cells in exact.items()}
    off = {c: sum((row[c] for row in grid.values()), ZERO) - total for c, total in columns.items()}
    while any(off.values()):
        source, target = max(off, key=off.__getitem__), min(off, key=off.__getitem__)
        row = min(grid, key=lambda r: _distortion(exact[r], grid[r], source, target))
        for column, change in ((source, -step), (target, step)):
            grid[row][column] += change
            off[column] += change
    return grid


def _distortion(exact: Amounts, cut: Amounts, source: str, target: str) -> tuple[bool, Decimal]:
    """How bad it is to move a step here. Nothing is drawn where nothing was spent while there is another way."""
    fits = exact[target] != 0 and cut[source] > 0
    return not fits, (exact[source] - cut[source]) - (exact[target] - cut[target])


def _all_three(amounts: Amounts) -> Amounts:
    return {slug: amounts.get(slug, ZERO) for slug in CATEGORIES}


def _summary(count: int, unit: str, total: Cell, series: list[Row]) -> str:
    parts = ", ".join(f"{row.name.lower()} {row.shown}" for row in series)
    adjective = "daily" if unit == "day" else "monthly"
    bars = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"Stacked bars of {adjective} spend over {bars}. Total {total.shown}: {parts}."
