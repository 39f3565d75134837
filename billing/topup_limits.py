"""How much and how often: counted from top-up rows, under the Balance lock, never in Redis."""

from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from uuid import UUID

from django.conf import settings

from billing.errors import CardTesting, TooManyTopUps
from billing.models import TopUp
from billing.money import is_whole_cents, usd

HOUR = timedelta(hours=1)
NOT_ASKED_FOR = (TopUp.Origin.STAFF, TopUp.Origin.AUTO)  # auto-topup has limits of its own
REST = timedelta(hours=24)  # after too many declines: somebody may be trying stolen cards


def amount_refusal(amount: Decimal) -> str:
    """What is wrong with an amount of dollars, as a sentence; nothing if it may be added."""
    smallest, largest = settings.TOPUP_MIN, settings.TOPUP_MAX
    if not amount.is_finite() or amount < smallest:
        return f"The smallest amount is {usd(smallest)}."
    if amount > largest:
        return f"The largest amount is {usd(largest)}."
    return "" if is_whole_cents(amount) else "Use dollars and whole cents, such as 25.00."


def check(account_id: UUID, *, now: datetime) -> None:
    """Raises CardTesting or TooManyTopUps. Nothing has been charged then."""
    until = resting_until(account_id, now=now)
    if until is not None:
        raise CardTesting(
            "Too many cards were declined within an hour, so no card is charged until "
            f"{until:%d %B, %H:%M} UTC. Ask your bank, or write to us.",
            retry_after=_seconds(until - now),
        )
    _check_rate(account_id, now=now)


def resting_until(account_id: UUID, *, now: datetime) -> datetime | None:
    """Until when the account's top-ups rest because of declined cards."""
    declines = TopUp.objects.filter(
        account_id=account_id, status=TopUp.Status.FAILED, declined_at__gt=now - REST - HOUR
    )
    times = [at for at in declines.order_by("declined_at").values_list("declined_at", flat=True) if at]
    rounds = zip(times, times[settings.DECLINES_PER_HOUR - 1 :], strict=False)
    ends = [last + REST for first, last in rounds if last - first <= HOUR and last + REST > now]
    return ends[-1] if ends else None


def _check_rate(account_id: UUID, *, now: datetime) -> None:
    limit = settings.TOPUPS_PER_HOUR
    recent = TopUp.objects.filter(account_id=account_id, created_at__gt=now - HOUR)
    recent = recent.exclude(origin__in=NOT_ASKED_FOR).order_by("-created_at")
    times = list(recent.values_list("created_at", flat=True)[:limit])
    if len(times) == limit:
        wait = _seconds(times[-1] + HOUR - now)
        raise TooManyTopUps(
            f"An account may start {limit} top-ups an hour. Try again in {ceil(wait / 60)} minutes.",
            retry_after=wait,
            headers={"RateLimit": f'"topups";r=0;t={wait}', "RateLimit-Policy": f'"topups";q={limit};w=3600'},
        )


def _seconds(span: timedelta) -> int:
    return max(1, ceil(span.total_seconds()))
