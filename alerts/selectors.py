"""What the members of an account were told, and what each of them has read.

Pages of the inbox begin before or after a notification: no OFFSET, no COUNT beyond MANY.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from accounts import ids
from accounts.models import User
from alerts.models import Notification, Reader, Rule

PER_PAGE = 25
MANY = 100  # unread ones are not counted further
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Item:
    told: Notification
    is_unread: bool


@dataclass(frozen=True, slots=True)
class Inbox:
    """One page, newest first. `newer` and `older`: the notifications that the neighbouring pages begin from."""

    items: list[Item]
    newer: str
    older: str


# In SQL, because every page asks it together with the balance. Of an account and one of its members.
UNREAD = f"""
    SELECT count(*) FROM (
        SELECT 1 FROM alerts_notification n
        WHERE n.account_id = %s AND n.in_dashboard AND n.created_at > coalesce(
            (SELECT r.read_through FROM alerts_reader r WHERE r.user_id = %s), '-infinity')
        LIMIT {MANY}) unread"""


def unread(user: User) -> int:
    """How many notifications of their account a member has not read; at most MANY."""
    with connection.cursor() as cursor:
        cursor.execute(UNREAD, [user.account_id, user.pk])
        (count,) = cursor.fetchone()
    return int(count)


def low_bound(account_id: UUID, balance: Decimal) -> Decimal | None:
    """The nearest amount (dollars) that a balance alert watches and the balance is below; None: it is not low."""
    watching = Rule.objects.filter(account_id=account_id, kind=Rule.Kind.BALANCE_BELOW, amount__gt=balance)
    return watching.order_by("amount").values_list("amount", flat=True).first()


def inbox(
    account_id: UUID, *, reader: User, before: str = "", after: str = "", size: int = PER_PAGE
) -> Inbox:
    """The newest notifications, or those next before (or after) the one of that public id."""
    mark = find(account_id, before or after)
    upwards = bool(after and not before and mark)
    rows = list(_rows(account_id, mark, upwards=upwards)[: size + 1])
    kept, more = rows[:size], len(rows) > size
    if upwards and not more:
        return inbox(account_id, reader=reader, size=size)  # the newest page, and a full one
    if upwards:
        kept.reverse()
    newer = kept[0].public_id if kept and mark else ""
    older = kept[-1].public_id if kept and (upwards or more) else ""
    return Inbox(_items(kept, read_until(reader)), newer, older)


def find(account_id: UUID, public_id: str) -> Notification | None:
    """A notification of this account, or None."""
    told_id = ids.parse("ntf", public_id)
    return shown(account_id).filter(pk=told_id).first() if told_id else None


def shown(account_id: UUID) -> QuerySet[Notification]:
    return Notification.objects.filter(account_id=account_id, in_dashboard=True)


def read_until(user: User) -> datetime:
    """NEVER, when nothing was read yet: no row is needed to say so."""
    found = Reader.objects.filter(user=user).values_list("read_through", flat=True).first()
    return found or NEVER


def _rows(account_id: UUID, mark: Notification | None, *, upwards: bool) -> QuerySet[Notification]:
    rows = shown(account_id).order_by(*(("created_at", "id") if upwards else ("-created_at", "-id")))
    if mark is None:
        return rows
    at, told_id = mark.created_at, mark.pk
    if upwards:
        return rows.filter(Q(created_at__gt=at) | Q(created_at=at, id__gt=told_id))
    return rows.filter(Q(created_at__lt=at) | Q(created_at=at, id__lt=told_id))


def _items(rows: list[Notification], read_through: datetime) -> list[Item]:
    return [Item(row, is_unread=row.created_at > read_through) for row in rows]
