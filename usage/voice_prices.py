"""What calls and phone numbers cost, worked out in the rates in force: for the Phone & Voice Billing page."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from billing.money import ZERO, usd_exact
from usage import calculator, wording
from usage.pricing import SECONDS_PER_MINUTE, Usage
from usage.rate_card import Card
from usage.reports import Row, finest, largest_first

CALLS = ((45, False), (20, True), (61, True), (252, True), (3_600, True))  # seconds, answered
RESERVED, SPOKEN = 300, 190  # seconds of the example of a reservation
MONTH = 30  # days


@dataclass(frozen=True, slots=True)
class Example:
    """A call and its price. Not answered, its seconds are those it rang."""

    seconds: int
    answered: bool
    rate: Decimal
    price: Decimal

    @property
    def what(self) -> str:
        length = wording.duration(self.seconds)
        return f"A call of {length}" if self.answered else f"It rings for {length}, nobody answers"

    @property
    def arithmetic(self) -> str:
        if not self.answered:
            return "Nothing"
        return f"{self.seconds:,} s × {usd_exact(self.rate)} ÷ {SECONDS_PER_MINUTE}"


def examples(card: Card, at: datetime) -> list[Example]:
    return [_example(card, at, seconds, answered) for seconds, answered in CALLS]


def _example(card: Card, at: datetime, seconds: int, answered: bool) -> Example:
    price = calculator.price(Usage("voice", seconds=seconds, answered=answered), card, at)
    return Example(seconds, answered, card.rate("voice.minute", at), price)


@dataclass(frozen=True, slots=True)
class Reservation:
    """A call that reserves more than it needs: what was held, what it cost, what came free again."""

    reserved: Example
    spoken: Example

    @property
    def freed(self) -> Decimal:
        return self.reserved.price - self.spoken.price


def reservation(card: Card, at: datetime) -> Reservation:
    return Reservation(_example(card, at, RESERVED, True), _example(card, at, SPOKEN, True))


@dataclass(frozen=True, slots=True)
class Expected:
    """What somebody expects of 30 days. `minutes` of a call may have decimals: calls are billed by the second."""

    calls: int  # a day
    minutes: Decimal
    numbers: int

    @property
    def seconds(self) -> int:
        return int((self.minutes * SECONDS_PER_MINUTE).to_integral_value(ROUND_DOWN))


@dataclass(frozen=True, slots=True)
class Estimate:
    """`rows` add up to `total`, for 30 days; `call` is one of them."""

    call: Decimal
    calls: int
    rows: list[Row]
    total: Decimal


def estimate(expected: Expected, card: Card, at: datetime) -> Estimate:
    """Each call is rounded by itself, as its charge will be."""
    call = calculator.price(Usage("voice", seconds=expected.seconds, answered=True), card, at)
    calls = expected.calls * MONTH
    parts = {
        "Calls": calls * call,
        "Phone numbers": expected.numbers * calculator.price(Usage("number"), card, at),
    }
    total = sum(parts.values(), ZERO)
    rows = largest_first({name: amount for name, amount in parts.items() if amount}, step=finest(total))
    return Estimate(call, calls, rows, total)
