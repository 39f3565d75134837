"""Billing records as CSV: streamed by keyset, so that neither their number nor a pooled connection matters."""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from uuid import UUID

from accounts import ids
from accounts.json import timestamp
from billing.models import LedgerEntry
from usage import records
from usage.models import Charge
from usage.records import Record, Wanted

AT_ONCE = 1_000  # rows per query
COLUMNS = (
    "id", "time", "day", "type", "agent", "detail", "model", "input_tokens", "output_tokens", "retrieval_queries",
    "seconds", "pages", "chunks", "amount", "uncollected", "balance_after", "event_id", "reverses",
)  # fmt: skip
FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "＝",
    "＋",
    "－",
    "＠",
)  # the last four by Japanese spreadsheets


def csv_of(account_id: UUID, wanted: Wanted) -> Iterator[bytes]:
    """The records of the page with the same filters, all of them, newest first. Amounts are exact, times UTC."""
    yield written([COLUMNS])
    rows = records.rows_of(account_id, wanted, size=AT_ONCE)
    while rows:
        yield written(_row(record) for record in records.told(account_id, rows))
        rows = records.rows_of(account_id, wanted, before=rows[-1].recorded_at, size=AT_ONCE)


def defused(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def written(rows: Iterable[Iterable[object]]) -> bytes:
    page = StringIO()
    csv.writer(page).writerows(rows)
    return page.getvalue().encode()


def _row(record: Record) -> list[object]:
    source, day = record.source, record.source.day.isoformat()
    start = [
        record.public_id,
        timestamp(record.at),
        day,
        record.type,
        defused(record.agent),
        defused(record.what),
    ]
    if isinstance(source, LedgerEntry):
        return [*start, *[""] * 7, f"{record.amount:.9f}", "", f"{record.after:.9f}", "", ""]
    return [*start, *_used(source), f"{record.amount:.9f}", f"{source.uncollected:.9f}", f"{record.after:.9f}",
            *_marks(source)]  # fmt: skip


def _used(charge: Charge) -> list[object]:
    return [
        charge.model, charge.input_tokens, charge.output_tokens, charge.retrieval_queries, charge.seconds,
        charge.pages, charge.chunks,
    ]  # fmt: skip


def _marks(charge: Charge) -> list[str]:
    """A reversal has no event of its own; it names the charge that it reverses."""
    if charge.reverses:
        return ["", ids.public("bill", charge.reverses)]
    return [defused(charge.event_id), ""]
