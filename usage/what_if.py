"""What if an agent had used another model? The tokens of its last 30 days, priced anew at today's rates.

From the daily roll-up alone, so it costs the same after a million charges. What each figure is compared with is what
those chats were priced at: deducted or not. A retrieval costs the same with every model.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Sum

from billing import money
from billing.money import CENT, ZERO
from usage import calculator, price_list, reports, wording
from usage.models import DailySpend
from usage.periods import Period
from usage.pricing import Usage
from usage.rate_card import Card
from usage.reports import CATEGORY_OF, Amounts, Row

DAYS = 30
SUMMED = ("count", "input_tokens", "output_tokens", "retrieval_queries", "cost", "uncollected")


@dataclass(frozen=True, slots=True)
class Used:
    """What an agent used in some days, of one type on one model; what was given back is taken off."""

    type: str
    model: str
    messages: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    retrievals: int = 0
    cost: Decimal = ZERO
    uncollected: Decimal = ZERO

    @property
    def name(self) -> str:
        return price_list.NAMES.get(self.model, self.model)

    @property
    def told(self) -> str:
        parts = [
            f"{self.input_tokens:,} tokens in",
            f"{self.output_tokens:,} out",
            wording.counted(self.retrievals, "retrieval"),
        ]
        return f"{', '.join(parts)} in {wording.counted(self.messages, 'message')}"


@dataclass(frozen=True, slots=True)
class Priced:
    """All those chats on one model. `total` and `difference` are cut to `step`, so that they add up with `paid`."""

    exact: Decimal
    total: Decimal
    difference: Decimal  # above zero: dearer than what was used
    exact_difference: Decimal
    step: Decimal

    @property
    def shown(self) -> str:
        return _printed(self.total, exact=self.exact, step=self.step)

    @property
    def difference_shown(self) -> str:
        if not self.exact_difference:
            return "the same"
        printed = _printed(self.difference, exact=self.exact_difference, step=self.step)
        return f"+{printed}" if self.exact_difference > 0 else printed

    @property
    def saves(self) -> bool:
        return self.exact_difference < 0


@dataclass(frozen=True, slots=True)
class Change:
    """A rate of what was used changed within the days: before `at` it was charged at another one."""

    label: str
    at: datetime


@dataclass(frozen=True, slots=True)
class WhatIf:
    """`price` is `paid` and `uncollected` together, all three cut to the same step."""

    chats: Used  # of all models together
    models: list[Used]  # the most used first
    paid: str
    uncollected: str
    price: str
    on: dict[str, Priced]  # by model id, every model that can be used
    changes: list[Change]


def used_by(account_id: UUID, agent_id: UUID, period: Period) -> list[Used]:
    """By type and model, in one query."""
    rows = DailySpend.objects.filter(
        account_id=account_id, agent_id=agent_id, day__range=(period.first, period.last)
    )
    found = rows.values_list("type", "model").annotate(*map(Sum, SUMMED)).order_by("type", "model")
    return [
        Used(type, model, int(count), int(tokens_in), int(tokens_out), int(retrievals), cost, uncollected)
        for type, model, count, tokens_in, tokens_out, retrievals, cost, uncollected in found
    ]


def spent(used: Iterable[Used]) -> list[Row]:
    """What it cost by category; adds up to the whole."""
    amounts: Amounts = {}
    for part in used:
        category = CATEGORY_OF[part.type]
        amounts[category] = amounts.get(category, ZERO) + part.cost
    return reports.categories(amounts, step=reports.finest(sum(amounts.values(), ZERO)))


def compare(used: Sequence[Used], card: Card, at: datetime, *, since: datetime) -> WhatIf | None:
    """Every model beside what was used from `since` to `at`. None where no tokens are left to be priced."""
    models = [part for part in used if part.type == "chat"]
    chats, row = _together(models), spent(used)[0]
    if not _can_be_priced(chats):
        return None
    uncollected = _cut(chats.uncollected, row.step)
    price = row.total + uncollected
    return WhatIf(
        chats=chats,
        models=sorted(models, key=lambda part: (-part.messages, part.model)),
        paid=_printed(row.total, exact=chats.cost, step=row.step),
        uncollected=_printed(uncollected, exact=chats.uncollected, step=row.step)
        if chats.uncollected
        else "",
        price=_printed(price, exact=chats.cost + chats.uncollected, step=row.step),
        on={
            model: _beside(cost_on(model, chats, card, at), chats, price, row.step)
            for model in price_list.priced_models(card, at)
        },
        changes=changes(models, card, since, at),
    )


def _beside(cost: Decimal, chats: Used, price: Decimal, step: Decimal) -> Priced:
    total = _cut(cost, step)
    return Priced(cost, total, total - price, cost - chats.cost - chats.uncollected, step)


def cost_on(model: str, chats: Used, card: Card, at: datetime) -> Decimal:
    """The same tokens and retrievals on one model, at the rates in force at a moment."""
    usage = Usage("chat", model, chats.input_tokens, chats.output_tokens, chats.retrievals)
    return calculator.price(usage, card, at)


def changes(models: Iterable[Used], card: Card, since: datetime, until: datetime) -> list[Change]:
    """When a rate of what was used changed within the days, the newest first. A meter's first price is no change."""
    meters = {f"{part.model}.{side}" for part in models for side in ("input", "output")}
    meters |= {"retrieval.query" for part in models if part.retrievals}
    found = [
        Change(price_list.label(meter), moment)
        for meter in meters
        for moment in card.dates.get(meter, [])[1:]
        if since < moment <= until
    ]
    return sorted(found, key=lambda change: (change.at, change.label), reverse=True)


def _together(models: Sequence[Used]) -> Used:
    return Used(
        type="chat",
        model="",
        messages=sum(part.messages for part in models),
        input_tokens=sum(part.input_tokens for part in models),
        output_tokens=sum(part.output_tokens for part in models),
        retrievals=sum(part.retrievals for part in models),
        cost=sum((part.cost for part in models), ZERO),
        uncollected=sum((part.uncollected for part in models), ZERO),
    )


def _can_be_priced(chats: Used) -> bool:
    """Not where more was given back than was used."""
    given_back = min(chats.input_tokens, chats.output_tokens, chats.retrievals) < 0
    return not given_back and chats.input_tokens + chats.output_tokens > 0


def _cut(amount: Decimal, step: Decimal) -> Decimal:
    return reports.cut_to({"": amount}, step)[""]


def _printed(cut: Decimal, *, exact: Decimal, step: Decimal) -> str:
    """Like reports.shown, but all four decimals where the list is cut to them, so that the column adds up."""
    if cut == 0 and exact != 0:
        return reports.shown(cut, exact=exact, step=step)
    return money.usd(cut) if step == CENT else money.usd4(cut)
