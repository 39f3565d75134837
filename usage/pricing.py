"""What a piece of usage costs: pure arithmetic on quantities and rates. Imports neither Django nor Celery.

Rates are dollars as published: per 1,000,000 tokens, per minute, per query, page, chunk or period. A price is rounded
once, half up, at nine decimals (billing.money.to_nano).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.money import ZERO, to_nano

Rates = Mapping[str, Decimal]
TOKENS_PER_RATE = 1_000_000
SECONDS_PER_MINUTE = 60


class UnknownMeter(LookupError):
    """There is no rate for this meter: an unknown model is refused, never free."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The quantities of one event. `answered` is about calls; an unanswered one is free."""

    type: str
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    retrieval_queries: int = 0
    seconds: int = 0
    answered: bool | None = None
    pages: int = 0
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the arithmetic: quantity x rate / per = amount (exact, not rounded)."""

    meter: str
    quantity: int
    rate: Decimal
    per: int

    @property
    def amount(self) -> Decimal:
        return self.quantity * self.rate / self.per


def quantities(usage: Usage) -> list[tuple[str, int, int]]:
    """(meter, quantity, units per rate) for whatever this usage consumes."""
    if usage.type == "chat":
        tokens = [
            (f"{usage.model}.input", usage.input_tokens, TOKENS_PER_RATE),
            (f"{usage.model}.output", usage.output_tokens, TOKENS_PER_RATE),
        ]
        queries = [("retrieval.query", usage.retrieval_queries, 1)] if usage.retrieval_queries else []
        return tokens + queries
    if usage.type == "voice":
        return [("voice.minute", usage.seconds if usage.answered else 0, SECONDS_PER_MINUTE)]
    if usage.type == "number":
        return [("number.period", 1, 1)]
    pages = [("knowledge.page", usage.pages, 1)] if usage.pages else []
    chunks = [("knowledge.chunk", usage.chunks, 1)] if usage.chunks else []
    return pages + chunks


def lines(usage: Usage, rates: Rates) -> list[Line]:
    """The arithmetic, line by line. Raises UnknownMeter."""
    try:
        return [Line(meter, quantity, rates[meter], per) for meter, quantity, per in quantities(usage)]
    except KeyError as missing:
        raise UnknownMeter(missing.args[0]) from None


def price(usage: Usage, rates: Rates) -> Decimal:
    """The price in dollars, rounded once. Raises UnknownMeter."""
    return to_nano(sum((line.amount for line in lines(usage, rates)), ZERO))
