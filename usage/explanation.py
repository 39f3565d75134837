"""Why a charge is what it is: its arithmetic line by line, from the stored quantities and the stored rates."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts.models import ApiKey
from billing.models import Hold, LedgerEntry
from billing.money import MINUS, ZERO, usd_exact
from usage import pricing, rate_card, wording
from usage.models import Agent, Charge, ChargeNote
from usage.pricing import Usage

DIGITS = Decimal("0.000000000001")  # of a line before it is rounded; a second of a call has endlessly many


@dataclass(frozen=True, slots=True)
class Line:
    """quantity x rate / per = amount, not rounded. `since`: when this rate came into force, if the card tells."""

    label: str
    quantity: str
    formula: str
    rate: Decimal
    unit: str
    since: datetime | None
    amount: Decimal

    @property
    def shown(self) -> str:
        return plain(self.amount)


@dataclass(frozen=True, slots=True)
class Explanation:
    charge: Charge
    lines: list[Line]
    total: Decimal  # of the lines, not rounded
    agent: Agent | None
    note: str
    api_key: ApiKey | None
    hold: Hold | None
    entry: LedgerEntry | None  # how the deduction was split between granted and paid
    first: Charge | None  # the charge that paid for this content before
    original: Charge | None  # what this one reverses
    reversal: Charge | None  # what reversed this one

    @property
    def before(self) -> Decimal:
        return self.charge.balance_after + self.charge.cost

    @property
    def total_shown(self) -> str:
        return plain(self.total)

    @property
    def uncollected(self) -> Decimal:
        """As a line of the arithmetic: what is taken off the price again."""
        return -self.charge.uncollected

    @property
    def is_rounded(self) -> bool:
        return self.total != self.charge.price


def explain(charge: Charge) -> Explanation:
    """Everything a person may ask about one charge."""
    own = charge.account_id
    hold = Hold.objects.filter(account_id=own, id=charge.hold_id).first() if charge.hold_id else None
    lines = lines_of(charge, rate_card.fresh(), priced_at=hold.created_at if hold else charge.occurred_at)
    original = _charge(charge, id=charge.reverses) if charge.reverses else None
    first = _first_with(charge) if charge.content_sha256 and not charge.rates else None
    note = ChargeNote.objects.filter(charge_id=charge.reverses or charge.id).first()
    return Explanation(
        charge=charge,
        lines=lines,
        total=sum((line.amount for line in lines), ZERO),
        agent=Agent.objects.filter(account_id=own, id=charge.agent_id).first() if charge.agent_id else None,
        note=note.text if note else "",
        api_key=ApiKey.objects.filter(id=charge.api_key_id).first() if charge.api_key_id else None,
        hold=hold,
        entry=LedgerEntry.objects.filter(account_id=own, id=charge.id).first() if charge.cost else None,
        first=first,
        original=original,
        reversal=None if original else _charge(charge, reverses=charge.id),
    )


def lines_of(charge: Charge, card: rate_card.Card, *, priced_at: datetime) -> list[Line]:
    """None for content that was charged before: it has no rates, for it costs nothing again."""
    sign = -1 if charge.reverses else 1
    if not charge.rates:
        return []
    rates = {meter: Decimal(rate) for meter, rate in charge.rates.items()}
    return [_line(line, sign, card, priced_at) for line in pricing.lines(used(charge), rates)]


def used(charge: Charge) -> Usage:
    """The quantities of a charge or of what it reverses: a reversal has them negated."""
    return Usage(
        charge.type, charge.model, abs(charge.input_tokens), abs(charge.output_tokens), abs(charge.retrieval_queries),
        abs(charge.seconds), charge.answered, abs(charge.pages), abs(charge.chunks),
    )  # fmt: skip


def plain(amount: Decimal) -> str:
    """Up to twelve decimals, and at least two; `…` where there are more."""
    cut = abs(amount).quantize(DIGITS, "ROUND_DOWN")
    whole, _, fraction = f"{cut:,.12f}".rstrip("0").partition(".")
    more = "…" if cut != abs(amount) else ""
    return f"{MINUS if amount < 0 else ''}${whole}.{fraction.ljust(2, '0')}{more}"


def _line(line: pricing.Line, sign: int, card: rate_card.Card, at: datetime) -> Line:
    number = sign * line.quantity
    quantity = f"{MINUS if number < 0 else ''}{abs(number):,}{' s' if line.meter == 'voice.minute' else ''}"
    per = f" ÷ {line.per:,}" if line.per > 1 else ""
    return Line(
        wording.meter(line.meter), quantity, f"{quantity} × {usd_exact(line.rate)}{per}", line.rate,
        wording.per(line.meter), _since(card, line, at), sign * line.amount,
    )  # fmt: skip


def _since(card: rate_card.Card, line: pricing.Line, at: datetime) -> datetime | None:
    """When the rate came into force that was in force then; None if that is not the one that was used."""
    place = bisect_right(card.dates.get(line.meter, []), at)
    return (
        card.dates[line.meter][place - 1]
        if place and card.rates[line.meter][place - 1] == line.rate
        else None
    )


def _charge(charge: Charge, **by: object) -> Charge | None:
    return Charge.objects.filter(account_id=charge.account_id, **by).first()


def _first_with(charge: Charge) -> Charge | None:
    """The charge that the same content was paid with."""
    same = Charge.objects.filter(account_id=charge.account_id, content_sha256=charge.content_sha256)
    return same.filter(recorded_at__lt=charge.recorded_at).exclude(rates={}).order_by("-recorded_at").first()
