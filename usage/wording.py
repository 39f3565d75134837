"""How usage is put in words on pages: what a charge was for, how much of it, at what rate."""

from collections.abc import Iterable

from billing.models import LedgerEntry
from usage.models import Charge

Kind = LedgerEntry.Kind
MOVEMENTS = {
    Kind.GRANT: "Credit granted",
    Kind.TOPUP: "Funds added",
    Kind.REFUND: "Refund, paid back to you",
    Kind.REVERSAL: "A failed refund, back on your balance",
    Kind.DISPUTE: "Payment disputed with your bank",
    Kind.DISPUTE_WON: "Dispute ended, back on your balance",
    Kind.ADJUSTMENT: "Balance corrected",
}
METERS = {
    "retrieval.query": "Knowledge retrieval",
    "voice.minute": "Call",
    "number.period": "Phone number",
    "knowledge.page": "Ingested pages",
    "knowledge.chunk": "Ingested chunks",
}
SIDES = {"input": "Input tokens", "output": "Output tokens"}
PER = {"input": "per 1M tokens", "output": "per 1M tokens", "query": "per query", "minute": "per minute",
       "period": "per 30 days", "page": "per page", "chunk": "per chunk"}  # fmt: skip


def subject(charge: Charge, note: str = "") -> str:
    """What a charge was for, in a few words."""
    words = _subject(charge, note)
    return f"Reversal: {words}" if charge.reverses else words


def _subject(charge: Charge, note: str) -> str:
    if charge.type == "chat":
        return charge.model
    if charge.type == "number":
        return note or "Phone number, 30 days"
    if charge.type == "knowledge":
        return note or "Knowledge ingestion"
    return note or "Call"


def quantity(charge: Charge) -> str:
    """How much was used. A reversal tells what it gives back."""
    if charge.type == "chat":
        retrievals = abs(charge.retrieval_queries)
        asked = f" · {counted(retrievals, 'retrieval')}" if retrievals else ""
        return f"{abs(charge.input_tokens):,} in · {abs(charge.output_tokens):,} out{asked}"
    if charge.type == "voice":
        return duration(abs(charge.seconds)) if charge.answered else "Not answered"
    if charge.type == "knowledge":
        parts = [(charge.pages, "page"), (charge.chunks, "chunk")]
        told = [counted(abs(number), unit) for number, unit in parts if number]
        return " · ".join(told if charge.rates or not charge.content_sha256 else [*told, "charged before"])
    return ""


def movement(entry: LedgerEntry) -> str:
    """What an entry that is no charge is about. The reason for a credit is written for the customer's eyes too."""
    told = entry.reason if entry.kind in (Kind.GRANT, Kind.ADJUSTMENT) else ""
    return told or MOVEMENTS[Kind(entry.kind)]


def duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return " ".join(_used([(hours, "h"), (minutes, "min"), (rest, "s")])) or "0 s"


def _used(parts: Iterable[tuple[int, str]]) -> list[str]:
    return [f"{number} {unit}" for number, unit in parts if number]


def counted(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def meter(name: str) -> str:
    """`gpt-4o.input` is what people call input tokens."""
    return METERS.get(name) or SIDES[name.rpartition(".")[2]]


def per(name: str) -> str:
    return PER[name.rpartition(".")[2]]
