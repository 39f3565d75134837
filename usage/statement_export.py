"""The entries of a month's ledger as CSV, the oldest first, streamed by keyset. Exact amounts, times in UTC."""

from collections.abc import Iterator
from uuid import UUID

from accounts import ids
from accounts.json import timestamp
from billing.models import LedgerEntry
from usage import wording
from usage.exports import AT_ONCE, defused, written
from usage.statements import Statement

COLUMNS = (
    "id", "time", "day", "kind", "what", "granted", "paid", "amount", "granted_after", "paid_after", "balance_after",
)  # fmt: skip
Kind = LedgerEntry.Kind


def csv_of(account_id: UUID, statement: Statement) -> Iterator[bytes]:
    yield written([COLUMNS])
    after = statement.opening.seq
    while rows := _entries(account_id, after, statement.closing.seq):
        yield written(_row(entry) for entry in rows)
        after = rows[-1].seq


def _entries(account_id: UUID, after: int, through: int) -> list[LedgerEntry]:
    found = LedgerEntry.objects.filter(account_id=account_id, seq__gt=after, seq__lte=through)
    return list(found.order_by("seq")[:AT_ONCE])


def _row(entry: LedgerEntry) -> list[object]:
    is_charge = entry.key == str(entry.id)  # or its reversal, which is a charge as well
    amounts = (
        entry.granted, entry.paid, entry.amount, entry.granted_after, entry.paid_after, entry.balance_after,
    )  # fmt: skip
    return [
        ids.public("bill" if is_charge else "entry", entry.id), timestamp(entry.recorded_at), entry.day.isoformat(),
        entry.kind, defused(_what(entry, is_charge)), *(f"{amount:.9f}" for amount in amounts),
    ]  # fmt: skip


def _what(entry: LedgerEntry, is_charge: bool) -> str:
    if is_charge:
        return "Usage" if entry.kind == Kind.CHARGE else "A charge taken back by us"
    return wording.movement(entry)
