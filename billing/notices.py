"""What staff who look after payments must know: one row and one email each, told once per key."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.urls import reverse

from accounts import ids, mail, staff_acts
from accounts.models import User
from billing.models import StaffNotice, TopUp

GROUP = "billing"
LONGEST = 500  # of a text, in characters

# Only ON CONFLICT lets a repeat pass without breaking the caller's transaction; a second teller waits for the
# first to commit, and tells in its place if it does not.
INSERT = """
    INSERT INTO billing_staffnotice (key, text, account_id, topup_id, created_at, done_by)
    VALUES (%s, %s, %s, %s, %s, '') ON CONFLICT (key) DO NOTHING RETURNING id"""


def tell_staff(
    key: str, text: str, *, account_id: UUID | None = None, topup: TopUp | None = None,
    groups: tuple[str, ...] = (GROUP,), now: datetime,
) -> None:  # fmt: skip
    """Tell staff once per `key` (at most 255 characters), by a row and by email, within the caller's transaction.

    The email goes to the named groups and to superusers.
    """
    account_id = topup.account_id if topup and account_id is None else account_id
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [key, text, account_id, topup.id if topup else None, now])
            is_first = cursor.fetchone()
        if is_first:
            _write(StaffNotice.objects.get(pk=is_first[0]), groups, now=now)


def _write(notice: StaffNotice, groups: tuple[str, ...], *, now: datetime) -> None:
    facts: dict[str, object] = {
        "text": notice.text,
        "account": ids.public("acct", notice.account_id) if notice.account_id else "",
        "topup": ids.public("top", notice.topup_id) if notice.topup_id else "",
        "url": settings.SITE_URL + reverse("admin:billing_staffnotice_changelist"),
    }
    for person in staff_of(*groups):
        mail.send(person.email, "staff_notice", facts, user=person, now=now)


def looking_after_payments() -> QuerySet[User]:
    """Active staff of the group billing, and superusers."""
    return staff_of(GROUP)


def staff_of(*groups: str) -> QuerySet[User]:
    """Active staff of any of these groups, and superusers."""
    staff = User.objects.filter(is_active=True, is_staff=True)
    return staff.filter(Q(groups__name__in=groups) | Q(is_superuser=True)).distinct().order_by("email")


def settle(key: str, *, by: str, now: datetime) -> None:
    """What the notice of this key asked for is done."""
    StaffNotice.objects.filter(key=key, done_at=None).update(done_at=now, done_by=by)


def mark_done(rows: QuerySet[StaffNotice], *, staff: User, now: datetime) -> tuple[int, int]:
    """Note who looked after them (the first to say so stays). How many were open, and how many are their own."""
    still_open = rows.filter(done_at=None)
    own = Q(account_id=staff.account_id) if staff.account_id else Q(pk=None)
    left = still_open.filter(own).count()
    with transaction.atomic():
        done = list(still_open.exclude(own).select_for_update(of=("self",)))
        for row in done:
            staff_acts.record(
                staff, "look after notice", account_id=row.account_id, target=f"notice {row.pk}", now=now
            )
        StaffNotice.objects.filter(pk__in=[row.pk for row in done]).update(
            done_at=now, done_by=staff.public_id
        )
    return len(done), left
