"""What a new price would have done: the last seven complete days (UTC) of all accounts with it, from the roll-up.

Tokens and retrievals are counted exactly. Seconds of unanswered calls and content that was charged before cost
nothing, so the quantities of those types are taken at the share that was priced.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum

from accounts.models import Account
from billing.money import ZERO, to_nano, usd
from usage import pricing, rate_card
from usage.models import DailySpend
from usage.pricing import Usage
from usage.rate_card import Card

DAYS = 7
MOST = 10  # accounts that are named
SUMMED = ("input_tokens", "output_tokens", "retrieval_queries", "seconds", "pages", "chunks", "count")


@dataclass(frozen=True, slots=True)
class Effect:
    """Dollars: what was deducted, and how much more (or less) it would have been."""

    account: Account | None  # None: all together
    paid: Decimal
    change: Decimal

    @property
    def then(self) -> Decimal:
        return self.paid + self.change

    @property
    def percent(self) -> str:
        if not self.change:
            return "no change"
        return f"{100 * self.change / self.paid:+.2f} %" if self.paid else "was free"

    @property
    def change_shown(self) -> str:
        return f"+{usd(self.change)}" if self.change > 0 else usd(self.change)


@dataclass(frozen=True, slots=True)
class DryRun:
    """`before` is today's rate; `changed_at`: it came into force within the days, and stands for all of them."""

    meter: str
    rate: Decimal
    before: Decimal | None
    first: date
    last: date
    whole: Effect
    accounts: int  # that used what the meter counts
    most: list[Effect]
    changed_at: datetime | None


def try_price(meter: str, rate: Decimal, *, now: datetime) -> DryRun:
    """Nothing is written."""
    today = now.date()
    days = DailySpend.objects.filter(day__gte=today - timedelta(days=DAYS), day__lt=today)
    card = rate_card.fresh()
    before = _rate(card, meter, now)
    changes = {} if before is None else _changes(days, meter, before, rate, card, now)
    paid = days.aggregate(paid=Sum("cost"))["paid"] or ZERO
    since = [at for at in card.dates.get(meter, [])[1:] if now - timedelta(days=DAYS + 1) < at <= now]
    return DryRun(
        meter, rate, before, today - timedelta(days=DAYS), today - timedelta(days=1),
        Effect(None, paid, sum(changes.values(), ZERO)), len(changes), _most(days, changes),
        since[-1] if since else None,
    )  # fmt: skip


def _changes(
    days: QuerySet[DailySpend], meter: str, before: Decimal, rate: Decimal, card: Card, now: datetime
) -> dict[UUID, Decimal]:
    """By account: how much more (or less) its week would have cost."""
    rows = _using(days, meter).values("account_id", "type").annotate(
        **{name: Sum(name) for name in SUMMED}, price=Sum("cost") + Sum("uncollected")
    )  # fmt: skip
    found: dict[UUID, Decimal] = {}
    for row in rows:
        quantity = _priced(row, meter, card, now)
        if quantity:
            per = _per(meter)
            change = to_nano(quantity * rate / per) - to_nano(quantity * before / per)
            found[row["account_id"]] = found.get(row["account_id"], ZERO) + change
    return found


def _using(days: QuerySet[DailySpend], meter: str) -> QuerySet[DailySpend]:
    """The rows of the roll-up that a meter has a part in."""
    if meter == "retrieval.query":
        return days.filter(type="chat", retrieval_queries__gt=0)
    kind = meter.partition(".")[0]
    if meter in ("voice.minute", "number.period", "knowledge.page", "knowledge.chunk"):
        return days.filter(type=kind)
    return days.filter(type="chat", model=meter.rpartition(".")[0])


def _priced(row: Mapping[str, Any], meter: str, card: Card, now: datetime) -> Decimal:
    """How much of what the meter counts was priced."""
    side = meter.rpartition(".")[2]
    if row["type"] == "chat":
        names = {"input": "input_tokens", "output": "output_tokens", "query": "retrieval_queries"}
        return Decimal(row[names[side]])
    names = {"minute": "seconds", "period": "count", "page": "pages", "chunk": "chunks"}
    whole = _full_price(row, card, now)
    return Decimal(row[names[side]]) * row["price"] / whole if whole else ZERO


def _full_price(row: Mapping[str, Any], card: Card, now: datetime) -> Decimal:
    """As if everything counted had been priced, at today's rates."""
    if row["type"] == "number":
        return row["count"] * card.rate("number.period", now)
    usage = Usage(
        row["type"], seconds=row["seconds"], answered=True, pages=row["pages"], chunks=row["chunks"]
    )
    return pricing.price(usage, card.rates_for(usage, now))


def _per(meter: str) -> int:
    side = meter.rpartition(".")[2]
    if side in ("input", "output"):
        return pricing.TOKENS_PER_RATE
    return pricing.SECONDS_PER_MINUTE if meter == "voice.minute" else 1


def _most(days: QuerySet[DailySpend], changes: dict[UUID, Decimal]) -> list[Effect]:
    """The accounts that the price moves most."""
    top = sorted(changes, key=lambda account_id: -abs(changes[account_id]))[:MOST]
    accounts = Account.objects.in_bulk(top)
    paid = dict(days.filter(account_id__in=top).values_list("account_id").annotate(Sum("cost")))
    return [Effect(accounts.get(one), paid.get(one, ZERO), changes[one]) for one in top]


def _rate(card: Card, meter: str, at: datetime) -> Decimal | None:
    try:
        return card.rate(meter, at)
    except pricing.UnknownMeter:
        return None
