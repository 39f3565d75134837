"""What billing staff may do to a balance, each act with its actor and reason, none on an account of their own."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Abs
from django.utils import timezone

from accounts.errors import Problem
from accounts.models import User
from billing import ledger, topup_sweep, topups
from billing.models import LedgerEntry, TopUp
from billing.money import ZERO, usd

BY_HAND = (LedgerEntry.Kind.GRANT, LedgerEntry.Kind.ADJUSTMENT)


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


def grant(account_id: UUID, amount: Decimal, *, staff: User, reason: str, key: str) -> ledger.Posting:
    """Give credit in whole cents. `key` comes from the form: sent twice, it is one grant."""
    with transaction.atomic():
        _allow(account_id, amount, staff=staff, key=key)
        return ledger.grant(account_id, amount, key=key, actor=staff.public_id, reason=reason)


def adjust(account_id: UUID, amount: Decimal, *, staff: User, reason: str, key: str) -> ledger.Posting:
    """Correct a balance by whole cents, up or down. Raises NotEnough when a debit does not fit."""
    with transaction.atomic():
        _allow(account_id, amount, staff=staff, key=key)
        return ledger.adjust(account_id, amount, key=key, actor=staff.public_id, reason=reason)


def freeze(account_id: UUID, *, staff: User, frozen: bool) -> None:
    """Staff's own freeze, which only staff lifts."""
    _not_own(account_id, staff)
    ledger.freeze(account_id, by="staff", frozen=frozen)


def _not_own(account_id: UUID, staff: User) -> None:
    if staff.account_id == account_id:
        raise NotYourOwn("Ask a colleague.")


def _allow(account_id: UUID, amount: Decimal, *, staff: User, key: str) -> None:
    """Counted under the lock of the person's row, after the Balance's, so that two windows are not two limits."""
    _not_own(account_id, staff)
    ledger.lock(account_id)
    User.objects.select_for_update(no_key=True).get(pk=staff.pk)
    if not staff.is_superuser:
        used = moved_today(staff, but=key)
        if used + abs(amount) > settings.STAFF_DAILY_LIMIT:
            limit = usd(settings.STAFF_DAILY_LIMIT)
            raise OverDailyLimit(f"{usd(used)} of your {limit} a day is used. Ask a superuser for more.")


def moved_today(staff: User, *, but: str = "", now: datetime | None = None) -> Decimal:
    """What a person granted and adjusted since midnight UTC, both directions added up, without the key `but`."""
    midnight = (now or timezone.now()).replace(hour=0, minute=0, second=0, microsecond=0)
    own = LedgerEntry.objects.filter(kind__in=BY_HAND, actor=staff.public_id, recorded_at__gte=midnight)
    total = own.exclude(key=but).aggregate(total=Sum(Abs("granted") + Abs("paid")))["total"]
    return total or ZERO


def pursue(topup: TopUp, *, staff: User, now: datetime) -> TopUp:
    """Ask the processor about a top-up: an open one again with its own key or by looking, one that ended by looking.

    Raises NotYourOwn, gateways.GatewayError and settling.NotOurs.
    """
    _not_own(topup.account_id, staff)
    return topup_sweep.pursue(topup, now=now) if topup.is_open else topups.look(topup)
