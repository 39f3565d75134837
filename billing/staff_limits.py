"""Whom staff may not act on, and how much a person may move in a day."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from accounts.errors import Problem
from accounts.models import StaffAct, User
from billing import ledger
from billing.money import ZERO, usd

GRANT, ADJUST = BY_HAND = ("grant credit", "adjust balance")


class NotYourOwn(Problem):
    """Staff may not act on the account they are a member of."""

    status = 403
    code = "own_account"
    title = "You may not act on your own account."


class OverDailyLimit(Problem):
    """Grants and adjustments of one person are limited by the day; superusers may do more."""

    status = 403
    code = "over_daily_limit"
    title = "This exceeds what you may move in a day."


def refuse_own(account_id: UUID, staff: User, detail: str = "Ask a colleague.") -> None:
    if staff.account_id == account_id:
        raise NotYourOwn(detail)


def allow(account_id: UUID, amount: Decimal, *, staff: User, key: str, now: datetime) -> None:
    """Counted under the lock of the person's row, after the Balance's, so that two windows are not two limits."""
    refuse_own(account_id, staff)
    ledger.lock(account_id)
    User.objects.select_for_update(no_key=True).get(pk=staff.pk)
    if not staff.is_superuser:
        used = moved_today(staff, but=key, now=now)
        if used + abs(amount) > settings.STAFF_DAILY_LIMIT:
            limit = usd(settings.STAFF_DAILY_LIMIT)
            raise OverDailyLimit(f"{usd(used)} of your {limit} a day is used. Ask a superuser for more.")


def moved_today(staff: User, *, but: str = "", now: datetime) -> Decimal:
    """What a person granted and adjusted since midnight UTC, both directions added up, without the key `but`.

    From the audit log, which has an index by person: the ledger has millions of others.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    own = StaffAct.objects.filter(staff=staff, act__in=BY_HAND, at__gte=midnight)
    moved = (told for told in own.values_list("details", flat=True) if told["key"] != but)
    return sum((abs(Decimal(told["amount"])) for told in moved), ZERO)
