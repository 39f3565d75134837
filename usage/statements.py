"""The statement of a month: opening balance, what moved it, closing balance, and whether all of that ties.

A posting keeps its day for good, so a closed month never changes. Opening and closing are the balances that the
ledger's own entries carry, found by halving (`day` never goes back along `seq`). Everything is read in one query and
is therefore of one moment, also while charges arrive.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from billing.models import LedgerEntry
from billing.money import ZERO
from usage.periods import Period
from usage.reports import CATEGORY_OF

# Months with more entries are not added up one by one on a page: `verify_ledger` does that, every night.
PROVED_AT_ONCE = 50_000
READ = """
    WITH RECURSIVE search(which, bound, low, high) AS (  -- entry `low` is before the bound, `high` + 1 is not
        SELECT v.which, v.bound, 0::bigint, coalesce(b.seq, 0)
        FROM (VALUES ('opening', %(first)s::date), ('closing', %(last)s::date + 1)) v(which, bound)
            LEFT JOIN billing_balance b ON b.account_id = %(account)s
        UNION ALL
        SELECT s.which, s.bound, CASE WHEN e.day < s.bound THEN e.seq ELSE s.low END,
            CASE WHEN e.day < s.bound THEN s.high ELSE e.seq - 1 END
        FROM search s JOIN billing_ledgerentry e
            ON e.account_id = %(account)s AND e.seq = (s.low + s.high + 1) / 2
        WHERE s.low < s.high
    ), mark AS MATERIALIZED (
        SELECT s.which, s.low AS seq, coalesce(e.granted_after, 0) AS granted, coalesce(e.paid_after, 0) AS paid,
            coalesce(e.recorded_at, '-infinity') AS at
        FROM search s LEFT JOIN billing_ledgerentry e ON e.account_id = %(account)s AND e.seq = s.low
        WHERE s.low >= s.high
    ), within AS MATERIALIZED (
        SELECT o.seq AS after, c.seq AS through, o.at AS after_at, c.at AS through_at,
            c.seq - o.seq <= %(most)s AS is_proved
        FROM mark o, mark c WHERE o.which = 'opening' AND c.which = 'closing'
    )
    SELECT 'mark', which, seq, granted, paid FROM mark
    UNION ALL  -- what moved the balance and is no charge; a reversed charge with what it was for
    SELECT 'moved', coalesce(c.type || ' reversed', e.kind), count(*), sum(e.granted), sum(e.paid)
    FROM within w JOIN billing_ledgerentry e ON e.account_id = %(account)s AND e.kind <> 'charge'
            AND e.recorded_at > w.after_at AND e.recorded_at <= w.through_at
        LEFT JOIN usage_charge c ON c.id = e.id AND c.account_id = e.account_id
    GROUP BY 2
    UNION ALL  -- what was spent, net of what was reversed
    SELECT 'rolled up', d.type, sum(d.count)::bigint, sum(d.cost), sum(d.uncollected) FROM usage_dailyspend d
    WHERE d.account_id = %(account)s AND d.day BETWEEN %(first)s AND %(last)s GROUP BY 2
    UNION ALL
    SELECT 'entries', 'all', count(*), sum(e.granted), sum(e.paid)
    FROM within w JOIN billing_ledgerentry e ON e.account_id = %(account)s AND e.seq > w.after AND e.seq <= w.through
    WHERE w.is_proved GROUP BY 2
    UNION ALL
    SELECT 'charges', c.type, count(*), sum(c.cost), 0
    FROM within w JOIN usage_charge c ON c.account_id = %(account)s AND c.recorded_at > w.after_at
        AND c.recorded_at <= w.through_at
    WHERE w.is_proved GROUP BY 2
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """The balance after the entry `seq` (0: before the first one), in dollars."""

    seq: int = 0
    granted: Decimal = ZERO
    paid: Decimal = ZERO

    @property
    def balance(self) -> Decimal:
        return self.granted + self.paid


@dataclass(frozen=True, slots=True)
class Sum:
    """Several movements of one kind: signed dollars, and how many they are."""

    kind: str
    amount: Decimal
    count: int


@dataclass(frozen=True, slots=True)
class Check:
    """What was compared. `entries` is None where the month is too long to be added up entry by entry."""

    ties: bool  # opening + rows = closing
    entries: bool | None  # and so do the entries, one by one, in both pools; the charges are the roll-up
    at: datetime

    @property
    def is_good(self) -> bool:
        return self.ties and self.entries is not False


@dataclass(frozen=True, slots=True)
class Statement:
    month: Period
    opening: Mark
    closing: Mark
    sums: list[Sum]
    check: Check


@dataclass(slots=True)
class _Read:
    """What the query found, by its first two columns."""

    marks: dict[str, Mark] = field(default_factory=dict)
    moved: dict[str, Sum] = field(default_factory=dict)
    rolled_up: dict[str, Sum] = field(default_factory=dict)
    charges: dict[str, Decimal] = field(default_factory=dict)
    entries: tuple[Decimal, Decimal] = (ZERO, ZERO)


def read(account_id: UUID, month: Period, *, now: datetime) -> Statement:
    """A month of the account's days. Entries after its last day, whenever they come, change nothing in it."""
    found = _ask(account_id, month)
    opening, closing = found.marks.get("opening", Mark()), found.marks.get("closing", Mark())
    sums = list(_sums(found))
    ties = opening.balance + sum((one.amount for one in sums), ZERO) == closing.balance
    check = Check(ties, _entries_tie(found, opening, closing), now)
    return Statement(month, opening, closing, sums, check)


def _ask(account_id: UUID, month: Period) -> _Read:
    found = _Read()
    values: dict[str, Any] = {
        "account": account_id,
        "first": month.first,
        "last": month.last,
        "most": PROVED_AT_ONCE,
    }
    with connection.cursor() as cursor:
        cursor.execute(READ, values)
        for row in cursor.fetchall():
            _put(found, row)
    return found


def _put(found: _Read, row: tuple[Any, ...]) -> None:
    what, name, count, first, second = row
    if what == "mark":
        found.marks[name] = Mark(count, first, second)
    elif what == "moved":
        found.moved[name] = Sum(name, first + second, count)
    elif what == "rolled up":
        found.rolled_up[name] = Sum(name, -first, count)
    elif what == "entries":
        found.entries = (first, second)
    else:
        found.charges[name] = first


def _sums(found: _Read) -> Iterator[Sum]:
    """Movements by kind, and usage by category: all of it, for what was reversed is a movement of its own."""
    used = {
        "chat": Sum("chat", ZERO, 0),
        "voice": Sum("voice", ZERO, 0),
        "knowledge": Sum("knowledge", ZERO, 0),
    }
    back = Sum("charge_reversed", ZERO, 0)
    for type, net in found.rolled_up.items():
        category = CATEGORY_OF[type]
        used[category] = _plus(used[category], net.amount, net.count)
    for name, moved in found.moved.items():
        type, _, reversed = name.partition(" ")
        if reversed:
            category = CATEGORY_OF[type]
            used[category] = _plus(used[category], -moved.amount, moved.count)
            back = _plus(back, moved.amount, moved.count)
        else:
            yield moved
    yield from (one for one in (*used.values(), back) if one.amount)


def _plus(one: Sum, amount: Decimal, count: int) -> Sum:
    return Sum(one.kind, one.amount + amount, one.count + count)


def _entries_tie(found: _Read, opening: Mark, closing: Mark) -> bool | None:
    """Entry by entry and charge by charge; None where there are too many for a page."""
    if closing.seq - opening.seq > PROVED_AT_ONCE:
        return None
    granted, paid = found.entries
    pools = (opening.granted + granted, opening.paid + paid) == (closing.granted, closing.paid)
    rolled_up = {type: -one.amount for type, one in found.rolled_up.items() if one.amount}
    return pools and rolled_up == {type: cost for type, cost in found.charges.items() if cost}


def first_day(account_id: UUID, *, otherwise: date) -> date:
    """The day of the account's first entry, which no new time zone moves; `otherwise` where it has none."""
    first = LedgerEntry.objects.filter(account_id=account_id, seq=1).values_list("day", flat=True).first()
    return first or otherwise
