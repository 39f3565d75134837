"""The rate card as people read it: current prices with their dates, coming ones, and advice on choosing a model."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.money import usd_exact
from usage import wording
from usage.rate_card import Card

GROUPS = (  # the seed's advice, word for word
    ("High quality, higher cost", "Best for complex reasoning tasks.", ("gpt-4-turbo", "claude-3.5-sonnet")),
    ("Good quality, balanced cost", "Great for most use cases.", ("gpt-4o", "gemini-1.5-pro")),
    (
        "Fast and affordable",
        "Ideal for high-volume, simpler tasks.",
        ("gpt-4o-mini", "claude-3-haiku", "gemini-1.5-flash"),
    ),
)
ADVICE = (  # so is this
    "You can set different models for different agents. Use a cheaper model for your FAQ bot and a premium model for "
    "your research agent."
)
NAMES = {
    "gpt-4o": "GPT-4o",
    "gpt-4o-mini": "GPT-4o-mini",
    "gpt-4-turbo": "GPT-4 Turbo",
    "claude-3.5-sonnet": "Claude 3.5 Sonnet",
    "claude-3-haiku": "Claude 3 Haiku",
    "gemini-1.5-pro": "Gemini 1.5 Pro",
    "gemini-1.5-flash": "Gemini 1.5 Flash",
}


@dataclass(frozen=True, slots=True)
class Rate:
    """A meter's price now."""

    meter: str
    rate: Decimal
    since: datetime

    @property
    def unit(self) -> str:
        return wording.per(self.meter)


@dataclass(frozen=True, slots=True)
class Model:
    id: str
    input: Rate
    output: Rate

    @property
    def name(self) -> str:
        return NAMES.get(self.id, self.id)

    @property
    def told(self) -> str:
        """Its prices for 1M tokens, where there is no room for columns."""
        return f"{usd_exact(self.input.rate)}\u00a0in · {usd_exact(self.output.rate)}\u00a0out"

    @property
    def since(self) -> datetime:
        return max(self.input.since, self.output.since)


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    advice: str
    models: list[Model]


@dataclass(frozen=True, slots=True)
class Change:
    """A price that was announced for later. `now` is None for a meter that has none yet."""

    label: str
    unit: str
    now: Decimal | None
    then: Decimal
    at: datetime


def rate_of(card: Card, meter: str, at: datetime) -> Rate:
    """Raises pricing.UnknownMeter."""
    rate = card.rate(meter, at)
    return Rate(meter, rate, card.dates[meter][bisect_right(card.dates[meter], at) - 1])


def model_of(card: Card, name: str, at: datetime) -> Model:
    return Model(name, rate_of(card, f"{name}.input", at), rate_of(card, f"{name}.output", at))


def priced_models(card: Card, at: datetime) -> list[str]:
    """Models that can be used: both of their rates are in force."""
    return [
        name for name in card.models(at) if any(since <= at for since in card.dates.get(f"{name}.output", ()))
    ]


def groups(card: Card, at: datetime) -> list[Group]:
    """Every model that can be used, under the advice it belongs to; models added later come last."""
    usable = priced_models(card, at)
    known = {name for _, _, names in GROUPS for name in names}
    later = ("More models", "Added later.", tuple(name for name in usable if name not in known))
    made = [
        Group(title, advice, [model_of(card, name, at) for name in names if name in usable])
        for title, advice, names in (*GROUPS, later)
    ]
    return [group for group in made if group.models]


def changes(card: Card, at: datetime, *, meters: Collection[str] = ()) -> list[Change]:
    """All announced changes, or those of some meters, the next one first."""
    chosen = {meter: dates for meter, dates in card.dates.items() if not meters or meter in meters}
    return sorted(_changes(card, chosen, at), key=lambda change: (change.at, change.label))


def _changes(card: Card, chosen: Mapping[str, list[datetime]], at: datetime) -> Iterator[Change]:
    for meter, dates in chosen.items():
        for place in range(bisect_right(dates, at), len(dates)):
            now = card.rates[meter][place - 1] if place else None
            yield Change(label(meter), wording.per(meter), now, card.rates[meter][place], dates[place])


def label(meter: str) -> str:
    """A meter as people call it: `GPT-4o input tokens`."""
    model, _, side = meter.rpartition(".")
    return (
        f"{NAMES.get(model, model)} {wording.SIDES[side].lower()}"
        if side in wording.SIDES
        else wording.meter(meter)
    )
