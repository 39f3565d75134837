"""The list of receipts, with refunds as lines of their own, newest first.

Pages begin before or after a line, named by its number: no OFFSET, no COUNT.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from accounts import ids
from billing.models import Refund, TopUp
from billing.receipts import RECEIVED, REFUND_NOTES, method_of

PER_PAGE = 25
NOT_ADDED = "Received, not yet added"
KINDS = {TopUp.Origin.AUTO: "Automatic top-up"}
Rows = QuerySet[Any]  # with `at`, when a line stands in the list


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the list: `amount` in dollars, negative when it went back. `receipt`: the number to open."""

    number: str
    receipt: str
    at: datetime
    what: str
    method: str
    amount: Decimal
    note: str
    row: TopUp | Refund


@dataclass(frozen=True, slots=True)
class Page:
    """`newer` and `older`: the lines that the neighbouring pages begin from, empty where there are none."""

    lines: list[Line]
    newer: str
    older: str


def page(account_id: UUID, *, before: str = "", after: str = "", size: int = PER_PAGE) -> Page:
    """The newest lines, or those next before (or after) the line of that number."""
    mark = _mark(account_id, before or after)
    upwards = bool(after and not before and mark)
    rows = _rows(account_id, mark, upwards=upwards, size=size + 1)
    kept, more = rows[:size], len(rows) > size
    if upwards and not more:
        return page(account_id, size=size)  # the newest page, and a full one
    if upwards:
        kept.reverse()
    newer = kept[0].number if kept and mark else ""
    older = kept[-1].number if kept and (upwards or more) else ""
    return Page(kept, newer, older)


def _rows(account_id: UUID, mark: tuple[datetime, UUID] | None, *, upwards: bool, size: int) -> list[Line]:
    lines: list[Line] = []
    sources: list[tuple[Rows, Callable[[Any], Line]]] = [
        (_topups(account_id), _of_topup), (_refunds_of(account_id), _of_refund),
    ]  # fmt: skip
    for rows, tell in sources:
        if mark is not None:
            rows = rows.filter(_beyond(*mark, upwards=upwards))
        order = ("at", "id") if upwards else ("-at", "-id")
        lines += [tell(row) for row in rows.order_by(*order)[:size]]
    return sorted(lines, key=lambda line: (line.at, line.row.pk), reverse=not upwards)[:size]


def _beyond(at: datetime, row_id: UUID, *, upwards: bool) -> Q:
    if upwards:
        return Q(at__gt=at) | Q(at=at, id__gt=row_id)
    return Q(at__lt=at) | Q(at=at, id__lt=row_id)


def _mark(account_id: UUID, number: str) -> tuple[datetime, UUID] | None:
    """Where the line of that number stands; None for one that is not the account's."""
    for prefix, rows in (("top", _topups(account_id)), ("ref", _refunds_of(account_id))):
        if (row_id := ids.parse(prefix, number)) is not None:
            found: tuple[datetime, UUID] | None = rows.filter(pk=row_id).values_list("at", "pk").first()
            return found
    return None


def _topups(account_id: UUID) -> Rows:
    rows = TopUp.objects.filter(account_id=account_id, status__in=RECEIVED)
    return rows.annotate(at=Coalesce("ended_at", "created_at"))


def _refunds_of(account_id: UUID) -> Rows:
    rows = Refund.objects.filter(account_id=account_id).exclude(status=Refund.Status.FAILED)
    return rows.select_related("topup").annotate(at=F("created_at"))


def _of_topup(row: TopUp) -> Line:
    note = "" if row.status == TopUp.Status.SUCCEEDED else NOT_ADDED
    return Line(
        row.public_id, row.public_id, row.ended_at or row.created_at,
        KINDS.get(TopUp.Origin(row.origin), "Top-up"), method_of(row), row.received or row.amount, note, row,
    )  # fmt: skip


def _of_refund(row: Refund) -> Line:
    return Line(
        row.public_id, row.topup.public_id, row.created_at, "Refund", method_of(row.topup), -row.amount,
        REFUND_NOTES.get(row.status, ""), row,
    )  # fmt: skip
