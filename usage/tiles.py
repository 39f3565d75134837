"""The figures over the usage chart: how much, how it compares, and what it was for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from billing.money import MINUS, usd
from usage import spans, units
from usage.breakdown import Breakdown
from usage.spans import Span


@dataclass(frozen=True, slots=True)
class Tile:
    label: str
    figure: str
    hint: str


def money(spent: Breakdown, span: Span, *, born: date, today: date) -> list[Tile]:
    """What was spent, on a day, beside the period before, and in how many charges."""
    days = (span.period.last - max(span.period.first, born)).days + 1
    range = spans.told(span.period, today=today)
    a_day = usd(spent.total / days) if days > 0 else usd(spent.total)
    return [
        Tile("Spend", usd(spent.total), range),
        Tile("A day, on average", a_day, f"over {units.counted(max(days, 0), 'day')} of your account"),
        _compared(spent, span, born=born, today=today),
        Tile("Charges", units.number(spent.units.charges), "reversed ones are taken off"),
    ]


def _compared(spent: Breakdown, span: Span, *, born: date, today: date) -> Tile:
    label, before = "Compared with the period before", spans.told(span.before, today=today)
    if span.before.first < born:
        return Tile(label, "–", f"your account began on {born.day} {born:%B %Y}")
    difference = spent.total - spent.before
    if not difference:
        return Tile(label, "The same", f"as {before}, {usd(spent.before)}")
    more = f"{usd(abs(difference))} {'more' if difference > 0 else 'less'} than {before}, {usd(spent.before)}"
    return Tile(label, change(spent.before, difference), more)


def change(before: Decimal, difference: Decimal) -> str:
    """`+12%`, `−5%`; in dollars where there is nothing to take percents of."""
    sign = "+" if difference > 0 else MINUS
    if before <= 0:
        return f"{sign}{usd(abs(difference))}"
    percent = (100 * abs(difference) / before).quantize(Decimal(1), ROUND_HALF_UP)
    return f"{sign}{percent:,}%" if percent else f"{sign}<1%"


def work(spent: Breakdown) -> Iterator[Tile]:
    """What it was for; only what was used."""
    used = spent.units
    if used.messages or used.input_tokens or used.output_tokens:
        tokens = f"{units.number(used.input_tokens)} tokens in, {units.number(used.output_tokens)} out"
        asked = f", {units.counted(used.retrievals, 'retrieval')}" if used.retrievals else ""
        yield Tile("Chat messages", units.number(used.messages), tokens + asked)
    if used.calls:
        yield Tile("Calls", units.duration(used.seconds), units.counted(used.calls, "call"))
    if used.rents:
        yield Tile("Phone numbers", units.number(used.rents), "periods of 30 days")
    if used.documents:
        told = [(used.pages, "page"), (used.chunks, "chunk")]
        first, *rest = [units.counted(amount, unit) for amount, unit in told if amount] or ["Nothing"]
        yield Tile("Knowledge", first, " and ".join([*rest, f"in {units.counted(used.documents, 'charge')}"]))
