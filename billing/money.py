"""Dollars as Decimal. The only rounding of the project, and how money is shown. Imports no Django.

An amount is exact to nine decimals. Spent is shown half up and the balance half down, so that what was added, what
was spent and what is left always add up on the screen.
"""

from collections.abc import Iterable
from decimal import ROUND_DOWN, ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal

ZERO = Decimal(0)
CENT = Decimal("0.01")
TENTH_OF_MILL = Decimal("0.0001")
NANO = Decimal("0.000000001")
MINUS = "\u2212"


def to_nano(amount: Decimal) -> Decimal:
    """A price: rounded once, half up, at nine decimals."""
    return amount.quantize(NANO, ROUND_HALF_UP)


def spent_cents(amount: Decimal) -> Decimal:
    """Money spent, in dollars to the cent, half up."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def balance_cents(amount: Decimal) -> Decimal:
    """Money left, in dollars to the cent, half down (the counterpart of `spent_cents`)."""
    return amount.quantize(CENT, ROUND_HALF_DOWN)


def whole_cents_of(amount: Decimal) -> Decimal:
    """As many whole cents as an amount (>= 0) holds, in dollars: what a card can be paid back."""
    return amount.quantize(CENT, ROUND_DOWN)


def is_whole_cents(amount: Decimal) -> bool:
    return amount.is_finite() and amount == amount.quantize(CENT, ROUND_DOWN)


def to_cents(amount: Decimal) -> int:
    """Whole cents for a payment processor. The amount must already be whole cents."""
    if not is_whole_cents(amount):
        raise ValueError(f"{amount} is not a whole number of cents")
    return int(amount * 100)


def from_cents(cents: int) -> Decimal:
    return Decimal(cents) / 100


def cut_to_cents(parts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Cents for each named part that add up to the rounded total (largest remainder, ties by name)."""
    amounts = dict(parts)
    floors = {name: amount.quantize(CENT, ROUND_DOWN) for name, amount in amounts.items()}
    missing = int((spent_cents(sum(amounts.values(), ZERO)) - sum(floors.values(), ZERO)) / CENT)
    step = CENT if missing >= 0 else -CENT
    by_remainder = sorted(amounts, key=lambda name: (-(amounts[name] - floors[name]) * (step / CENT), name))
    for name in by_remainder[: abs(missing)]:
        floors[name] += step
    return floors


def plain_cost(amount: Decimal) -> Decimal:
    """A record's cost as the API prints it: four decimals; below $0.0001 two significant digits, never 0."""
    rounded = amount.quantize(TENTH_OF_MILL, ROUND_HALF_UP)
    if amount == 0 or abs(amount) >= TENTH_OF_MILL:
        return rounded
    return amount.quantize(Decimal(1).scaleb(amount.adjusted() - 1), ROUND_HALF_UP)


def _dollars(amount: Decimal, step: Decimal, rounding: str) -> str:
    sign = MINUS if amount < 0 else ""
    return f"{sign}${abs(amount).quantize(step, rounding):,f}"


def usd(amount: Decimal, rounding: str = ROUND_HALF_UP) -> str:
    """`$1,234.56`; under one cent four decimals; a trace is `<$0.0001`. Never $0.00 for what is not zero."""
    return _dollars(amount, CENT, rounding) if amount == 0 or abs(amount) >= CENT else usd4(amount)


def usd4(amount: Decimal) -> str:
    """Four decimals, as on ledger lines; `<$0.0001` for a trace."""
    if amount != 0 and abs(amount) < TENTH_OF_MILL:
        return f"{MINUS if amount < 0 else ''}<$0.0001"
    return _dollars(amount, TENTH_OF_MILL, ROUND_HALF_UP)


def usd_balance(amount: Decimal) -> str:
    """A balance as a person reads it: like `usd`, but half down."""
    return usd(amount, ROUND_HALF_DOWN)


def usd_exact(amount: Decimal) -> str:
    """Every decimal that matters and at least two: `$0.0003915`, `$25.00`."""
    digits = f"{abs(amount):,.9f}".rstrip("0")
    whole, _, fraction = digits.partition(".")
    return f"{MINUS if amount < 0 else ''}${whole}.{fraction.ljust(2, '0')}"


def usd_rate(rate: Decimal) -> str:
    """What one unit cost on average: two to four decimals, `$4.0125`, `$0.10`; `<$0.0001` for a trace."""
    rounded = rate.quantize(TENTH_OF_MILL, ROUND_HALF_UP)
    return usd_exact(rounded) if rounded or not rate else usd4(rate)
