"""The dated rate card: every price from a moment on, kept in each process and checked by its version.

The database raises the version with every new price, and `usage_record` refuses a price made with another version, so
a process may keep the card as long as it likes and still never charges an old rate.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from accounts.errors import Invalid
from usage import pricing
from usage.models import Price, RateCard

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4-turbo", "claude-3.5-sonnet", "claude-3-haiku", "gemini-1.5-pro",
          "gemini-1.5-flash")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Card:
    """All prices. `dates[meter]` rises; `rates[meter]` runs beside it."""

    version: int
    dates: dict[str, list[datetime]]
    rates: dict[str, list[Decimal]]

    def rate(self, meter: str, at: datetime) -> Decimal:
        """The rate of a meter in force at a moment. Raises pricing.UnknownMeter."""
        place = bisect_right(self.dates.get(meter, ()), at)
        if not place:
            raise pricing.UnknownMeter(meter)
        return self.rates[meter][place - 1]

    def rates_for(self, usage: pricing.Usage, at: datetime) -> dict[str, Decimal]:
        return {meter: self.rate(meter, at) for meter, _, _ in pricing.quantities(usage)}

    def models(self, at: datetime) -> list[str]:
        """Every model with a price in force at a moment: the seed's order first, later ones by name."""
        named = {
            m.removesuffix(".input")
            for m, dates in self.dates.items()
            if m.endswith(".input") and dates[0] <= at
        }
        return [m for m in MODELS if m in named] + sorted(named - set(MODELS))


_kept: Card | None = None


def current() -> Card:
    """The card of this process; loaded when there is none."""
    return _kept or reload()


def reload() -> Card:
    """Read the card anew. The version is read first, so that a price added meanwhile is noticed at the next use."""
    global _kept
    version = RateCard.objects.values_list("version", flat=True).get()
    dates: dict[str, list[datetime]] = {}
    rates: dict[str, list[Decimal]] = {}
    for price in Price.objects.order_by("meter", "effective_from"):
        dates.setdefault(price.meter, []).append(price.effective_from)
        rates.setdefault(price.meter, []).append(price.rate)
    _kept = Card(version, dates, rates)
    return _kept


def fresh() -> Card:
    """The card as the database has it now: for pages, which must show current prices."""
    version = RateCard.objects.values_list("version", flat=True).get()
    return _kept if _kept is not None and _kept.version == version else reload()


def set_price(
    meter: str, *, rate: Decimal, effective_from: datetime, actor: str, now: datetime, reason: str = ""
) -> Price:
    """Add a price in force from a moment on. Old charges keep theirs. Raises Invalid for the past or a bad meter."""
    if effective_from < now:
        raise Invalid.at("/effective_from", "A price cannot begin in the past.")
    if not rate.is_finite() or rate < 0 or rate >= 10**9 or rate != round(rate, 9):
        raise Invalid.at("/rate", "A rate is a number of dollars from 0, with at most nine decimals.")
    check_meter(meter)
    try:
        with transaction.atomic():
            return Price.objects.create(
                meter=meter,
                rate=rate,
                effective_from=effective_from,
                created_at=now,
                actor=actor,
                reason=reason,
            )
    except IntegrityError:
        raise Invalid.at("/effective_from", "This meter already has a price from that moment on.") from None


def check_meter(meter: str) -> None:
    """A known meter, or a new model's `.input` or `.output`."""
    model, _, side = meter.rpartition(".")
    fixed = {"retrieval.query", "voice.minute", "number.period", "knowledge.page", "knowledge.chunk"}
    new_model = side in ("input", "output") and model and model == model.strip().lower() and len(meter) <= 47
    if meter not in fixed and not new_model:
        raise Invalid.at("/meter", "Name a meter such as gpt-4o.input, retrieval.query or voice.minute.")
