"""The usage table as CSV: every line of it, with its units in columns. The amounts add up to the page's total."""

from collections.abc import Iterator, Sequence

from usage.breakdown import Line
from usage.exports import defused, written

COLUMNS = (
    "charges", "messages", "input_tokens", "output_tokens", "retrieval_queries", "calls", "seconds", "number_periods",
    "pages", "chunks", "effective_rate", "amount", "amount_exact", "share_percent",
)  # fmt: skip
AT_ONCE = 100


def csv_of(by: str, lines: Sequence[Line]) -> Iterator[bytes]:
    yield written([(by, *COLUMNS)])
    for start in range(0, len(lines), AT_ONCE):
        yield written(_row(line, by) for line in lines[start : start + AT_ONCE])


def _row(line: Line, by: str) -> list[object]:
    used, row = line.units, line.row
    return [
        line.key if by == "day" else defused(row.name), used.charges, used.messages, used.input_tokens,
        used.output_tokens, used.retrievals, used.calls, used.seconds, used.rents, used.pages, used.chunks,
        line.rate, f"{row.total:f}", f"{row.exact:.9f}", row.share,
    ]  # fmt: skip
