"""When auto-topup charges, and what holds it back: the whole rule at one moment, read from rows.

Asked without a lock it tells a page; under the account's Balance lock it decides (auto_charge).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet, Sum

from billing import gateways, selectors
from billing.models import AutoTopup, PaymentMethod, TopUp
from billing.money import ZERO

PATIENCE = timedelta(hours=23)  # for the card holder to confirm a payment
DAY = timedelta(hours=24)
Status, Origin = TopUp.Status, TopUp.Origin
COUNTED = Q(status=Status.SUCCEEDED) | Q(next_look_at__isnull=False)  # succeeded or open

# What must hold for a charge and can be asked of many accounts at once. It may say yes too often: overdue holds
# still count in `held`, and limits are not looked at.
MAY_BE_DUE = """
    b.granted + b.paid - b.held < a.threshold AND b.paid >= 0
    AND b.owner_froze_at IS NULL AND b.staff_froze_at IS NULL
    AND (a.next_attempt_at IS NULL OR a.next_attempt_at <= %s)
    AND NOT EXISTS (SELECT FROM billing_topup t
        WHERE t.account_id = a.account_id AND t.origin = 'auto' AND t.next_look_at IS NOT NULL)"""
ON = "FROM billing_autotopup a JOIN billing_balance b USING (account_id) WHERE a.enabled"


class Kind(StrEnum):
    """What happens next, or why nothing does. The first that holds, in this order."""

    OFF = "off"
    STOPPED = "stopped"  # by us, until its owner turns it on again
    CHARGING = "charging"  # a payment is on its way
    CONFIRM = "confirm"  # a payment waits for the card holder
    FROZEN = "frozen"
    BELOW_ZERO = "below_zero"  # paid is negative
    NO_CARD = "no_card"  # its card is gone: stopped at the next attempt
    RETRY = "retry"  # after a decline
    COUNT_LIMIT = "count_limit"
    MONTH_LIMIT = "month_limit"
    WATCHING = "watching"  # fires below the threshold
    DUE = "due"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`at`: until when it lasts; of STOPPED and CHARGING, since when. `topup`: the open one of CHARGING and CONFIRM."""

    kind: Kind
    available: Decimal
    at: datetime | None = None
    topup: TopUp | None = None


def verdict(auto: AutoTopup, *, now: datetime) -> Verdict:
    """What auto-topup does now. Holds that are overdue do not count against what is available."""
    funds = selectors.balance_of(auto.account_id)
    waiting = open_topup(auto)
    retry_at = auto.next_attempt_at if auto.next_attempt_at and auto.next_attempt_at > now else None
    count_until, month_until = count_limit_until(auto, now=now), month_limit_until(auto, now=now)
    reasons: list[tuple[object, Kind, datetime | None]] = [
        (not auto.enabled and auto.stopped_reason, Kind.STOPPED, auto.stopped_at),
        (not auto.enabled, Kind.OFF, None),
        (waiting and waiting.status == Status.REQUIRES_ACTION, Kind.CONFIRM, _patience(waiting)),
        (waiting, Kind.CHARGING, waiting.created_at if waiting else None),
        (funds.frozen, Kind.FROZEN, None),
        (funds.paid < 0, Kind.BELOW_ZERO, None),
        (card_of(auto) is None, Kind.NO_CARD, None),
        (retry_at, Kind.RETRY, retry_at),
        (count_until, Kind.COUNT_LIMIT, count_until),
        (month_until, Kind.MONTH_LIMIT, month_until),
        (funds.available >= auto.threshold, Kind.WATCHING, None),
    ]
    kind, at = next(((kind, at) for holds, kind, at in reasons if holds), (Kind.DUE, None))
    return Verdict(kind, funds.available, at, waiting if kind in (Kind.CONFIRM, Kind.CHARGING) else None)


def _patience(topup: TopUp | None) -> datetime | None:
    return topup.created_at + PATIENCE if topup else None


def rows_of(auto: AutoTopup) -> QuerySet[TopUp]:
    return TopUp.objects.filter(account_id=auto.account_id, origin=Origin.AUTO)


def open_topup(auto: AutoTopup) -> TopUp | None:
    return rows_of(auto).filter(next_look_at__isnull=False).first()


def card_of(auto: AutoTopup) -> PaymentMethod | None:
    """The card to charge, unless it was removed or belongs to another mode."""
    own = PaymentMethod.objects.filter(account_id=auto.account_id, gateway_id=auto.card)
    return own.filter(mode=gateways.mode(), removed_at=None).first()


def count_limit_until(auto: AutoTopup, *, now: datetime) -> datetime | None:
    """Until when no more than the day's number may be charged: the oldest that counts turns 24 hours old."""
    limit = settings.AUTO_TOPUPS_PER_DAY
    recent = rows_of(auto).filter(COUNTED, created_at__gt=now - DAY).order_by("-created_at")
    times = list(recent.values_list("created_at", flat=True)[:limit])
    return times[-1] + DAY if len(times) == limit else None


def month_limit_until(auto: AutoTopup, *, now: datetime) -> datetime | None:
    """Until when the month's limit has no room for another one: the first of the account's next month."""
    if used_this_month(auto, now=now) + auto.amount <= auto.monthly_limit:
        return None
    return month_start(now, auto.account.timezone, months_ahead=1)


def used_this_month(auto: AutoTopup, *, now: datetime) -> Decimal:
    """What auto-topup charged in the account's month, or is charging; refunds do not give back."""
    since = month_start(now, auto.account.timezone)
    of_month = rows_of(auto).filter(COUNTED, created_at__gte=since)
    return of_month.aggregate(total=Sum("amount"))["total"] or ZERO


def month_start(now: datetime, timezone: str, *, months_ahead: int = 0) -> datetime:
    """Midnight of the first of the month that `now` falls in, as the account's clocks show it."""
    local = now.astimezone(ZoneInfo(timezone))
    years, month = divmod(local.month - 1 + months_ahead, 12)
    return datetime(local.year + years, month + 1, 1, tzinfo=local.tzinfo)


# --- A quick look before the whole rule -----------------------------------------------------------------------


def who_may_be_due(*, now: datetime, among: Iterable[UUID] | None = None) -> list[UUID]:
    """The accounts, of all or of some, that are worth a decision. One query by primary keys."""
    some = "" if among is None else "AND a.account_id = ANY(%s)"
    asked: list[Any] = [now] if among is None else [now, list(among)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT a.account_id {ON} AND {MAY_BE_DUE} {some} ORDER BY a.account_id", asked)
        return [account_id for (account_id,) in cursor.fetchall()]
