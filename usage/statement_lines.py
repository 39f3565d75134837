"""A statement as people read it: its rows in words and in cents that add up, and how far it is proved."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.models import LedgerCheck, LedgerEntry, VerifiedThrough
from billing.money import CENT, balance_cents
from usage import reports
from usage.reports import CATEGORIES
from usage.statements import Statement, Sum

Kind = LedgerEntry.Kind
NAMES: dict[str, tuple[str, str, str]] = {  # in this order: name, one of them, the type of its records
    Kind.TOPUP: ("Funds added", "top-up", "topup"),
    Kind.GRANT: ("Credit granted", "grant", "credit"),
    "chat": ("Chat", "charge", "chat"),
    "voice": ("Voice", "charge", "voice"),
    "knowledge": ("Knowledge", "charge", "knowledge"),
    "charge_reversed": ("Charges taken back by us", "reversal", ""),
    Kind.REFUND: ("Refunds, paid back to you", "refund", "return"),
    Kind.REVERSAL: ("Failed refunds, back on your balance", "refund", "return"),
    Kind.DISPUTE: ("Payments disputed with your bank", "dispute", "return"),
    Kind.DISPUTE_WON: ("Disputes ended, back on your balance", "dispute", "return"),
    Kind.ADJUSTMENT: ("Balance corrected", "correction", "credit"),
}


@dataclass(frozen=True, slots=True)
class StatementLine:
    """`total` is cut so that opening + lines = closing in cents; `exact` ties to the last decimal."""

    name: str
    counted: str
    total: Decimal
    exact: Decimal
    slug: str  # a category's key, empty for what is no usage
    records: str  # the type of its records, as the Records page filters them
    step: Decimal

    @property
    def shown(self) -> str:
        shown = reports.shown(self.total, exact=self.exact, step=self.step)
        return f"+{shown}" if self.exact > 0 else shown


def lines(statement: Statement) -> list[StatementLine]:
    sums = sorted(statement.sums, key=lambda one: list(NAMES).index(one.kind))
    step = _step(sums)
    exact = {one.kind: one.amount for one in sums}
    cut = reports.cut_to_sum(exact, _cut_change(statement, sums), step) if sums else {}
    return [_line(one, cut[one.kind], step) for one in sums]


def _line(one: Sum, total: Decimal, step: Decimal) -> StatementLine:
    name, unit, records = NAMES[one.kind]
    slug = one.kind if one.kind in CATEGORIES else ""
    return StatementLine(name, _counted(one.count, unit), total, one.amount, slug, records, step)


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def _step(sums: Iterable[Sum]) -> Decimal:
    return reports.finest(max((abs(one.amount) for one in sums), default=Decimal(0)))


def _cut_change(statement: Statement, sums: Iterable[Sum]) -> Decimal:
    """What the lines must add up to: the change between both balances as they are shown."""
    change = balance_cents(statement.closing.balance) - balance_cents(statement.opening.balance)
    exact = sum((one.amount for one in sums), Decimal(0))
    fits = _step(sums) == CENT and statement.check.ties
    return change if fits else reports.cut_to({"": exact}, _step(sums))[""]


@dataclass(frozen=True, slots=True)
class Proof:
    """The newest nightly proof of the whole ledger, as far as it concerns a month."""

    at: datetime | None
    is_broken: bool
    is_complete: bool  # it reached the month's last entry


def proof(account_id: UUID, statement: Statement) -> Proof:
    newest = LedgerCheck.objects.only("ran_at", "breaches").first()
    if newest is None:
        return Proof(None, False, False)
    is_broken = any(breach.get("account") == str(account_id) for breach in newest.breaches)
    through = VerifiedThrough.objects.filter(pk=account_id).values_list("seq", flat=True).first()
    reached = through is not None and through >= statement.closing.seq
    return Proof(newest.ran_at, is_broken, reached and not is_broken)
