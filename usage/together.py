"""Many plain events of one account in one set-based statement: the quick lane of a batch.

`usage_record_many_1` records all of them, exactly as `usage_record` would one after the other, or writes nothing;
then they take the slow lane. So there is one meaning and two speeds, and a test that compares them.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection

from accounts import ids
from usage import pricing

if TYPE_CHECKING:
    from usage.metering import Event, Source

RECORD = "SELECT is_recorded, balance, free FROM usage_record_many_1(%s, %s, %s, %s, %s, %s)"
Priced = tuple["Event", pricing.Rates, Decimal]
Kept = tuple[
    UUID, Decimal, Decimal, Decimal
]  # the charge, its cost, the balance after it and what is free then


def record(
    account_id: UUID, priced: Sequence[Priced], *, card: int | None, source: "Source", now: datetime | None
) -> list[Kept] | None:
    """The charges, in order; None, and nothing written, when one of them is not plain or they do not fit together."""
    if not all(_is_plain(event) for event, _, _ in priced):
        return None
    charges = [ids.uuid7() for _ in priced]
    planned = [_planned(charge, *one) for charge, one in zip(charges, priced, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            RECORD, [account_id, json.dumps(planned), card, source.api_key_id, source.request_id, now]
        )
        is_recorded, balance, free = cursor.fetchone()
    return _kept(charges, priced, balance, free) if is_recorded else None


def _is_plain(event: "Event") -> bool:
    return event.on_short == "refuse" and event.content_sha256 is None


def _planned(charge: UUID, event: "Event", rates: pricing.Rates, price: Decimal) -> dict[str, Any]:
    usage, agent = event.usage, event.agent
    return {
        "id": str(charge), "event": event.event_id, "hash": event.request_hash.hex(), "type": usage.type,
        "agent": str(agent.id) if agent.id else None, "agent_key": agent.key,
        "model": usage.model, "input": usage.input_tokens, "output": usage.output_tokens,
        "retrieval": usage.retrieval_queries, "seconds": usage.seconds, "answered": usage.answered,
        "pages": usage.pages, "chunks": usage.chunks,
        "rates": {meter: str(rate) for meter, rate in rates.items()}, "price": str(price),
        "occurred": event.occurred_at.isoformat() if event.occurred_at else None, "note": event.note,
    }  # fmt: skip


def _kept(charges: list[UUID], priced: Sequence[Priced], balance: Decimal, free: Decimal) -> list[Kept]:
    kept: list[Kept] = []
    for charge, (_, _, price) in zip(charges, priced, strict=True):
        balance, free = balance - price, free - price
        kept.append((charge, price, balance, free))
    return kept
