"""What would it cost? The same arithmetic as a real charge, on quantities that somebody expects."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.money import ZERO
from usage import price_list, pricing
from usage.pricing import Usage
from usage.rate_card import Card
from usage.reports import Row, finest, largest_first

TYPICAL_INPUT, TYPICAL_OUTPUT = 2_000, 500  # tokens of a message; on gpt-4o it costs one cent
TYPICAL_MODEL = "gpt-4o"


@dataclass(frozen=True, slots=True)
class Expected:
    """What somebody expects to use in a month. `retrievals`: per message."""

    model: str
    messages: int
    input_tokens: int
    output_tokens: int
    retrievals: int
    minutes: int
    numbers: int
    pages: int

    @property
    def message(self) -> Usage:
        return self.message_on(self.model)

    def message_on(self, model: str) -> Usage:
        return Usage("chat", model, self.input_tokens, self.output_tokens, self.retrievals)


@dataclass(frozen=True, slots=True)
class Estimate:
    """`rows` add up to `total`; `models` is the month's chat on every model, the cheapest first."""

    message: Decimal
    rows: list[Row]
    total: Decimal
    models: list[tuple[price_list.Model, Decimal]]


def estimate(expected: Expected, card: Card, at: datetime) -> Estimate:
    message = price(expected.message, card, at)
    parts = {
        "Chat": expected.messages * message,
        "Calls": price(Usage("voice", seconds=expected.minutes * 60, answered=True), card, at),
        "Phone numbers": expected.numbers * price(Usage("number"), card, at),
        "Knowledge ingestion": price(Usage("knowledge", pages=expected.pages), card, at),
    }
    total = sum(parts.values(), ZERO)
    rows = largest_first({name: amount for name, amount in parts.items() if amount}, step=finest(total))
    on_each = [
        (price_list.model_of(card, name, at), expected.messages * price(expected.message_on(name), card, at))
        for name in price_list.priced_models(card, at)
    ]
    return Estimate(message, rows, total, sorted(on_each, key=lambda pair: (pair[1], pair[0].id)))


def price(usage: Usage, card: Card, at: datetime) -> Decimal:
    return pricing.price(usage, card.rates_for(usage, at))


@dataclass(frozen=True, slots=True)
class Worth:
    """What an amount buys at current prices, each by itself. None: it is free."""

    dollars: Decimal
    model: price_list.Model
    messages: int | None
    cheapest_model: price_list.Model
    cheapest_messages: int | None
    minutes: int | None
    pages: int | None


def worth(dollars: Decimal, card: Card, at: datetime) -> Worth:
    """Of a typical message, on the typical and on the cheapest model."""
    costs = {name: price(typical_message(name), card, at) for name in price_list.priced_models(card, at)}
    cheapest = min(costs, key=lambda name: (costs[name], name))
    typical = TYPICAL_MODEL if TYPICAL_MODEL in costs else cheapest
    return Worth(
        dollars=dollars,
        model=price_list.model_of(card, typical, at),
        messages=_times(dollars, costs[typical]),
        cheapest_model=price_list.model_of(card, cheapest, at),
        cheapest_messages=_times(dollars, costs[cheapest]),
        minutes=_times(dollars, card.rate("voice.minute", at)),
        pages=_times(dollars, card.rate("knowledge.page", at)),
    )


def typical_message(model: str) -> Usage:
    return Usage("chat", model, TYPICAL_INPUT, TYPICAL_OUTPUT)


def _times(dollars: Decimal, each: Decimal) -> int | None:
    return int(max(dollars, ZERO) / each) if each else None
