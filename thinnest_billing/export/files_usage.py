"""The files about usage: charges with their notes, the days they add up to, and what runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, Sum

from accounts import ids
from thinnest_billing.export.table import AT_ONCE, Asked, File, column, in_chunks
from usage.models import Agent, Campaign, Charge, ChargeNote, DailySpend, PhoneNumber

QUANTITIES = (
    ("input_tokens", "tokens sent to the model"), ("output_tokens", "tokens that it answered"),
    ("retrieval_queries", "questions to the knowledge base"), ("seconds", "of calls"), ("pages", "ingested"),
    ("chunks", "ingested"),
)  # fmt: skip
AMOUNTS = [*(name for name, _ in QUANTITIES), "cost", "uncollected"]
COST = column("cost", "dollars deducted; negative where a charge was reversed")
UNCOLLECTED = column("uncollected", "dollars of the price that the balance did not cover; never billed later")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """A charge and the note beside it."""

    charge: Charge
    note: str


def _charges(asked: Asked) -> Iterator[Told]:
    """Up to the last movement of the balance that the export tells of; in the order they were recorded."""
    rows = Charge.objects.filter(account=asked.account).order_by("recorded_at")
    last, until = LONG_AGO, asked.balance.last_recorded_at or LONG_AGO
    while chunk := list(rows.filter(recorded_at__gt=last, recorded_at__lte=until)[:AT_ONCE]):
        found = ChargeNote.objects.filter(charge_id__in=[row.pk for row in chunk])
        notes = dict(found.values_list("charge_id", "text"))
        yield from (Told(row, notes.get(row.pk, "")) for row in chunk)
        last = chunk[-1].recorded_at


def _days(asked: Asked) -> Iterator[DailySpend]:
    """Days before the last one never change; the last is added up anew, to the same moment as the charges."""
    spend, last = DailySpend.objects.filter(account=asked.account), asked.balance.last_day
    if last is None:
        return
    for day in spend.filter(day__lt=last).order_by("day").values_list("day", flat=True).distinct():
        yield from spend.filter(day=day).order_by("type", "agent_id", "model")
    yield from _last_day(asked, last)


def _last_day(asked: Asked, day: date) -> Iterator[DailySpend]:
    """A day begins nowhere earlier than fourteen hours before it does in UTC."""
    began, until = datetime.combine(day, time(), UTC) - timedelta(days=1), asked.balance.last_recorded_at
    of_day = Charge.objects.filter(
        account=asked.account, day=day, recorded_at__gte=began, recorded_at__lte=until
    )
    sums = {f"sum_{name}": Sum(name) for name in AMOUNTS}
    counts = {"made": Count("pk", filter=Q(reverses=None)), "back": Count("pk", filter=~Q(reverses=None))}
    rows: Any = of_day.values("type", "agent_id", "model").annotate(**sums, **counts)
    for row in rows.order_by("type", "agent_id", "model"):
        kind = {name: row[name] for name in ("type", "agent_id", "model")}
        amounts = {name: row[f"sum_{name}"] for name in AMOUNTS}
        yield DailySpend(day=day, count=row["made"] - row["back"], **kind, **amounts)


FILES = (
    File(
        "charges.csv", "Every charge with its note, the first one first.", (Charge, ChargeNote), _charges,
        (
            column("id", "its id", "charge.public_id"),
            column("event_id", "the platform's own name for it", "charge.event_id"),
            column("type", "chat, voice, number (rent) or knowledge", "charge.type"),
            column("agent", "the agent's name", lambda row, asked: asked.agents.get(row.charge.agent_id, "Unassigned")),
            column("model", "the language model", "charge.model"),
            *(column(name, words, f"charge.{name}") for name, words in QUANTITIES),
            column("answered", "calls: whether anybody answered", "charge.answered"),
            column("content_sha256", "the fingerprint of what was ingested",
                   lambda row, asked: bytes(row.charge.content_sha256 or b"").hex()),
            column("rates", "the prices it was made with, in dollars", "charge.rates"),
            column("cost", COST.words, "charge.cost"), column("uncollected", UNCOLLECTED.words, "charge.uncollected"),
            column("balance_after", "the balance after it, in dollars", "charge.balance_after"),
            column("occurred_at", "when it happened", "charge.occurred_at"),
            column("recorded_at", "when we recorded it", "charge.recorded_at"),
            column("day", "the day it counts to, in your time zone then", "charge.day"),
            column("api_key", "the key that sent it", lambda row, asked: _public("key", row.charge.api_key_id)),
            column("request_id", "of the request that sent it", "charge.request_id"),
            column("hold", "the hold it ended", lambda row, asked: _public("hold", row.charge.hold_id)),
            column("reverses", "the charge it gives back", lambda row, asked: _public("bill", row.charge.reverses)),
            column("note", "a document's name, or a call's last digits"),
        ),
        is_small=False,
    ),
    File(
        "daily_spend.csv", "What each day added up to, by type, agent and model.", (DailySpend,), _days,
        (
            column("day", "in your time zone then"), column("type", "chat, voice, number (rent) or knowledge"),
            column("agent", "the agent's name", lambda row, asked: asked.agents.get(row.agent_id, "Unassigned")),
            column("model", "the language model"), column("count", "how many charges, less those reversed"),
            *(column(name, words) for name, words in QUANTITIES), COST, UNCOLLECTED,
        ),
        is_small=False,
    ),
    File(
        "agents.csv", "Your agents.", (Agent,), lambda asked: in_chunks(Agent.objects.filter(account=asked.account)),
        (
            column("id", "its id", "public_id"), column("name", "its name"), column("model", "its language model"),
            column("created_at", "since when"),
        ),
    ),
    File(
        "phone_numbers.csv", "Phone numbers you rent or rented.", (PhoneNumber,),
        lambda asked: in_chunks(PhoneNumber.objects.filter(account=asked.account)),
        (
            column("id", "its id", "public_id"),
            column("number", "its digits", lambda row, asked: row.number and f"tel:{row.number}"),
            column("agent", "whose calls it takes", lambda row, asked: asked.agents.get(row.agent_id)),
            column("rented_at", "since when"), column("rented_by", "who", lambda row, asked: asked.who(row.rented_by)),
            column("paid_until", "until when its rent is paid"), column("released_at", "when it was given up"),
            column("released_by", "by whom", lambda row, asked: asked.who(row.released_by)),
        ),
    ),
    File(
        "campaigns.csv", "Your campaigns.", (Campaign,),
        lambda asked: in_chunks(Campaign.objects.filter(account=asked.account)),
        (
            column("id", "its id", "public_id"), column("name", "its name"),
            column("agent", "who calls", lambda row, asked: asked.agents.get(row.agent_id)),
            column("calls", "planned"), column("seconds_per_call", "expected"), column("created_at", "when"),
            column("scheduled_at", "when it should begin"), column("launched_at", "when it was launched"),
            column("launched_by", "by whom", lambda row, asked: asked.who(row.launched_by)),
            column("paused_by_owner_at", "since when its owner paused it"),
            column("resumed_at", "when its owner resumed it"), column("finished_at", "when it was finished"),
        ),
    ),
)  # fmt: skip


def _public(kind: str, id: UUID | None) -> str:
    return ids.public(kind, id) if id else ""
