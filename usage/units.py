"""What was used, in the units it is billed in, and how they are put in words."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from decimal import Decimal

from billing.money import MINUS, usd_rate
from usage import wording


@dataclass(frozen=True, slots=True)
class Units:
    """Net of what was reversed, so each may be below zero. `documents` counts ingestions, `rents` paid periods."""

    messages: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    retrievals: int = 0
    calls: int = 0
    seconds: int = 0
    rents: int = 0
    documents: int = 0
    pages: int = 0
    chunks: int = 0

    def __add__(self, other: "Units") -> "Units":
        return Units(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __bool__(self) -> bool:
        return any(astuple(self))

    @property
    def charges(self) -> int:
        return self.messages + self.calls + self.rents + self.documents

    @property
    def told(self) -> str:
        return " · ".join(self.parts()) or "–"

    def parts(self) -> Iterator[str]:
        """Only what was used."""
        if self.messages:
            yield counted(self.messages, "message")
        if self.input_tokens or self.output_tokens:
            yield f"{number(self.input_tokens)} tokens in, {number(self.output_tokens)} out"
        if self.calls:
            yield f"{duration(self.seconds)} in {counted(self.calls, 'call')}"
        for amount, unit in (
            (self.rents, "number period"),
            (self.pages, "page"),
            (self.chunks, "chunk"),
            (self.retrievals, "retrieval"),
        ):
            if amount:
                yield counted(amount, unit)

    def rate(self, cost: Decimal) -> tuple[Decimal, str] | None:
        """Dollars for one unit and what that is, where only one kind of unit was used; chat counts all its tokens."""
        used = [(amount, per) for amount, per in self._priced() if amount]
        if len(used) != 1 or used[0][0] < 0 or cost < 0:
            return None
        ((amount, per),) = used
        return cost / amount, per

    def _priced(self) -> Iterator[tuple[Decimal, str]]:
        yield Decimal(self.input_tokens + self.output_tokens) / 1_000_000, "per 1M tokens"
        yield Decimal(self.seconds) / 60, "per minute"
        yield Decimal(self.rents), "per 30 days"
        yield Decimal(self.pages), "per page"
        yield Decimal(self.chunks), "per chunk"


def of_type(
    type: str, count: int, tokens_in: int, tokens_out: int, retrievals: int, seconds: int, pages: int, chunks: int
) -> Units:  # fmt: skip
    """The units of charges of one type."""
    return Units(
        messages=count if type == "chat" else 0,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        retrievals=retrievals,
        calls=count if type == "voice" else 0,
        seconds=seconds,
        rents=count if type == "number" else 0,
        documents=count if type == "knowledge" else 0,
        pages=pages,
        chunks=chunks,
    )


def rate_told(rate: tuple[Decimal, str] | None) -> str:
    return f"{usd_rate(rate[0])} {rate[1]}" if rate else ""


def number(amount: int) -> str:
    return f"{MINUS if amount < 0 else ''}{abs(amount):,}"


def counted(amount: int, unit: str) -> str:
    return f"{MINUS if amount < 0 else ''}{wording.counted(abs(amount), unit)}"


def duration(seconds: int) -> str:
    return f"{MINUS if seconds < 0 else ''}{wording.duration(abs(seconds))}"
