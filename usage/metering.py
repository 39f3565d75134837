"""Metering: one event in, one charge out, in one round trip to the database.

The price is made here from the kept rate card (pure arithmetic); the SQL function checks the card's version, deducts
through billing's gate and writes the charge and its daily roll-up. See usage/sql/.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from accounts import ids
from billing.money import ZERO
from billing.signals import announce
from usage import convoys, pricing, rate_card, together
from usage.agents import NOBODY, AgentRef
from usage.pricing import Usage

EVENTS_PER_TRANSACTION = 100
RECORD = f"SELECT * FROM usage_record_3({', '.join(['%s'] * 29)})"


@dataclass(frozen=True, slots=True)
class Event:
    """A usage event as it was asked for. `request_hash` is the sha256 of the whole request: a repeat must match it."""

    event_id: str
    request_hash: bytes
    usage: Usage
    agent: AgentRef = NOBODY
    occurred_at: datetime | None = None
    content_sha256: bytes | None = None
    note: str = ""
    on_short: str = "refuse"


@dataclass(frozen=True, slots=True)
class Source:
    """Who asked: the API key and the request, kept on the charge."""

    api_key_id: UUID | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event. Dollars; `free` is what is available now; `price` what was asked for.

    status: recorded, replayed, reused, frozen, short, no_agent, too_many_agents, no_account, no_key,
    no_hold, other_ending.
    """

    status: str
    charge_id: UUID | None
    cost: Decimal
    uncollected: Decimal
    balance: Decimal
    free: Decimal
    price: Decimal

    @property
    def is_recorded(self) -> bool:
        return self.status in ("recorded", "replayed")


def record(
    account_id: UUID, event: Event, *, source: Source = Source(), now: datetime | None = None
) -> Outcome:
    """Record one event. Raises pricing.UnknownMeter; every other refusal is an Outcome."""
    for card in (rate_card.current, rate_card.reload):
        outcome = _record_with(card(), account_id, event, source, now)
        if outcome.status != "stale":
            return outcome
    raise RuntimeError("the rate card changed twice during one event")


def record_many(
    account_id: UUID, events: Sequence[Event], *, source: Source = Source(), now: datetime | None = None
) -> list[Outcome]:
    """Record events of one account in order, each all or nothing, at most 100 a transaction."""
    done: list[Outcome] = []
    while len(done) < len(events):
        part = events[len(done) : len(done) + EVENTS_PER_TRANSACTION]
        done += _record_part(account_id, part, source, now)
    return done


def capture(
    account_id: UUID, hold_id: UUID, event: Event, rates: pricing.Rates, *,
    source: Source = Source(), now: datetime | None = None,
) -> Outcome:  # fmt: skip
    """End a hold with what was really used, at the rates it froze. Always recorded, once."""
    price = pricing.price(event.usage, rates)
    parameters = _parameters(account_id, event, rates, price, None, source, hold_id, "capture", now)
    return _run(account_id, parameters, price)


def _record_with(
    card: rate_card.Card, account_id: UUID, event: Event, source: Source, now: datetime | None
) -> Outcome:
    rates, price = _priced(card, event, now)
    parameters = _parameters(account_id, event, rates, price, card.version, source, None, event.on_short, now)
    return _run(account_id, parameters, price)


def _record_part(
    account_id: UUID, events: Sequence[Event], source: Source, now: datetime | None
) -> list[Outcome]:
    """One transaction. Stops before the first event that a new price made stale; the caller goes on from there."""
    card = rate_card.fresh()
    priced = [(event, *_priced(card, event, now)) for event in events]
    kept = together.record(account_id, priced, card=card.version, source=source, now=now)
    if kept is not None:
        announce(account_id)
        return [
            Outcome("recorded", charge, cost, ZERO, left, free, cost) for charge, cost, left, free in kept
        ]
    return _record_one_by_one(account_id, priced, card.version, source, now)


def _record_one_by_one(
    account_id: UUID, priced: Sequence[together.Priced], card: int, source: Source, now: datetime | None
) -> list[Outcome]:
    every = [
        _parameters(account_id, event, rates, price, card, source, None, event.on_short, now)
        for event, rates, price in priced
    ]
    with transaction.atomic():
        rows = _pipelined(every)
        announce(account_id)
    outcomes = [_outcome(row, price) for row, (_, _, price) in zip(rows, priced, strict=True)]
    fresh = [outcome.status != "stale" for outcome in outcomes]
    return outcomes[: fresh.index(False)] if False in fresh else outcomes


def _result_sets(cursor: Any) -> Any:
    yield cursor
    while cursor.nextset():
        yield cursor


def _priced(card: rate_card.Card, event: Event, now: datetime | None) -> tuple[pricing.Rates, Decimal]:
    rates = card.rates_for(event.usage, event.occurred_at or now or datetime.now(UTC))
    return rates, pricing.price(event.usage, rates)


def _parameters(
    account_id: UUID, event: Event, rates: pricing.Rates, price: Decimal, card: int | None,
    source: Source, hold_id: UUID | None, on_short: str, now: datetime | None,
) -> list[Any]:  # fmt: skip
    """In the order of usage_record_3's parameters."""
    usage, agent = event.usage, event.agent
    return [
        account_id, ids.uuid7(), event.event_id, event.request_hash, usage.type,
        agent.id, agent.name, agent.key, ids.uuid7(), settings.LIMIT_AGENTS,
        usage.model, usage.input_tokens, usage.output_tokens, usage.retrieval_queries, usage.seconds, usage.answered,
        usage.pages, usage.chunks, event.content_sha256,
        json.dumps({meter: str(rate) for meter, rate in rates.items()}), price, card, event.occurred_at,
        source.api_key_id, source.request_id, hold_id, on_short, event.note, now,
    ]  # fmt: skip


def _run(account_id: UUID, parameters: list[Any], price: Decimal) -> Outcome:
    if connection.in_atomic_block:  # what its caller has done so far commits with it, or not at all
        row = _alone(parameters)
    else:
        row = convoys.run(account_id, parameters, alone=_alone, together=_pipelined)
    outcome = _outcome(row, price)
    if outcome.status in ("recorded", "short"):
        announce(account_id)
    return outcome


def _alone(parameters: list[Any]) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(RECORD, parameters)
        row: tuple[Any, ...] = cursor.fetchone()
        return row


def _pipelined(every: Sequence[list[Any]]) -> list[Any]:
    """In one round trip. Outside of a transaction a pipeline is one of its own, which commits before we hear of it."""
    with connection.cursor() as cursor:
        raw = cursor.connection.cursor()  # psycopg's own: Django's knows no pipelines
        raw.executemany(RECORD, every, returning=True)
        return [raw.fetchone() for _ in _result_sets(raw)]


def _outcome(row: tuple[Any, ...], price: Decimal) -> Outcome:
    status, charge_id, cost, uncollected, balance, free = row
    return Outcome(status, charge_id, cost or ZERO, uncollected or ZERO, balance or ZERO, free or ZERO, price)
