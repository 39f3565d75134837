"""The list of receipts, with refunds and disputes as lines of their own, newest first.

Pages begin before or after a line, named by its number: no OFFSET, no COUNT.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import CharField, F, Q, QuerySet
from django.db.models.functions import Cast, Coalesce, Collate

from accounts import ids
from billing.models import Dispute, Refund, TopUp
from billing.receipts import RECEIVED, REFUND_NOTES, method_of

PER_PAGE = 25
NOT_ADDED = "Received, not yet added"
KINDS = {TopUp.Origin.AUTO: "Automatic top-up"}
Rows = QuerySet[Any]  # with `at`, when a line stands in the list, and `name`, which parts those of one moment
Mark = tuple[datetime, str]
NAME = Collate(Cast("pk", CharField()), "C")  # in the order that Python sorts them


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
    row: TopUp | Refund | Dispute


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


def _rows(account_id: UUID, mark: Mark | None, *, upwards: bool, size: int) -> list[Line]:
    lines: list[Line] = []
    sources: list[tuple[Rows, Callable[[Any], Line]]] = [
        (_topups(account_id), _of_topup), (_refunds_of(account_id), _of_refund),
        (_disputes_of(account_id), _of_dispute),
    ]  # fmt: skip
    for rows, tell in sources:
        if mark is not None:
            rows = rows.filter(_beyond(*mark, upwards=upwards))
        order = ("at", "name") if upwards else ("-at", "-name")
        lines += [tell(row) for row in rows.order_by(*order)[:size]]
    return sorted(lines, key=lambda line: (line.at, str(line.row.pk)), reverse=not upwards)[:size]


def _beyond(at: datetime, name: str, *, upwards: bool) -> Q:
    if upwards:
        return Q(at__gt=at) | Q(at=at, name__gt=name)
    return Q(at__lt=at) | Q(at=at, name__lt=name)


def _mark(account_id: UUID, number: str) -> Mark | None:
    """Where the line of that number stands; None for one that is not the account's."""
    if not number or "\0" in number:
        return None
    rows, row_id = _disputes_of(account_id), number  # theirs is the processor's
    for prefix, own in (("top", _topups(account_id)), ("ref", _refunds_of(account_id))):
        if parsed := ids.parse(prefix, number):
            rows, row_id = own, str(parsed)
    found: Mark | None = rows.filter(pk=row_id).values_list("at", "name").first()
    return found


def _topups(account_id: UUID) -> Rows:
    rows = TopUp.objects.filter(account_id=account_id, status__in=RECEIVED)
    return rows.annotate(at=Coalesce("ended_at", "created_at"), name=NAME)


def _refunds_of(account_id: UUID) -> Rows:
    rows = Refund.objects.filter(account_id=account_id).exclude(status=Refund.Status.FAILED)
    return rows.select_related("topup").annotate(at=F("created_at"), name=NAME)


def _disputes_of(account_id: UUID) -> Rows:
    """Those that took money and keep it: one that was won is told on its receipt."""
    rows = Dispute.objects.filter(topup__account_id=account_id, taken__gt=0).exclude(status=Dispute.WON)
    return rows.select_related("topup").annotate(at=F("created_at"), name=NAME)


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


def _of_dispute(row: Dispute) -> Line:
    note = "Decided for the card holder" if row.status == Dispute.LOST else "The bank has not decided yet"
    return Line(
        row.pk, row.topup.public_id, row.created_at, "Dispute", method_of(row.topup), -row.taken, note, row
    )  # fmt: skip
