"""Days, months and years as an account lives them: local to its time zone, first and last day included."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from accounts.errors import Invalid
from accounts.models import Account

DAY = timedelta(days=1)
NAMED = {"day": 10, "month": 7, "year": 4}  # how much of an ISO date names it
SHAPE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")


@dataclass(frozen=True, slots=True)
class Period:
    """`name` is what the API calls it: 2026-03-05, 2026-03 or 2026."""

    name: str
    first: date
    last: date

    def days(self) -> list[date]:
        return [self.first + number * DAY for number in range((self.last - self.first).days + 1)]

    def until(self, today: date) -> "Period":
        """The same period without the days that are still to come."""
        return Period(self.name, self.first, min(self.last, today))


def local_day(at: datetime, timezone: str) -> date:
    return at.astimezone(ZoneInfo(timezone)).date()


def born(account: Account) -> date:
    """The account's first day."""
    return local_day(account.opened_at or account.created_at, account.timezone)


def midnight(day: date, timezone: str) -> datetime:
    """When a local day begins."""
    return datetime.combine(day, time(), ZoneInfo(timezone))


def today(timezone: str, last_day: date | None, *, now: datetime) -> date:
    """The account's day now: never before its newest posting (`last_day`), as the ledger itself counts."""
    local = local_day(now, timezone)
    return local if last_day is None else max(local, last_day)


def resolve(text: str, *, today: date) -> Period:
    """What `period=` means: day, month or year of today, or a date, month or year. Raises Invalid."""
    name = today.isoformat()[: NAMED[text]] if text in NAMED else text
    try:
        period = _named(name)
    except ValueError:
        raise Invalid.at(
            "/period", "Use day, month or year, or one such as 2026-03-05, 2026-03 or 2026."
        ) from None
    if period.first > today:
        raise Invalid.at("/period", f"This is in the future: it is {today.isoformat()} for this account.")
    return period


def month_of(day: date) -> Period:
    return _named(day.isoformat()[:7])


def last_days(count: int, *, today: date) -> Period:
    """The `count` days that end today."""
    first = today - (count - 1) * DAY
    return Period(f"{first.isoformat()}/{today.isoformat()}", first, today)


def _named(name: str) -> Period:
    if not SHAPE.fullmatch(name):
        raise ValueError(name)
    first = date.fromisoformat(name + "-01-01"[len(name) - 4 :])
    return Period(name, first, _last(first, len(name)))


def _last(first: date, length: int) -> date:
    if length == NAMED["day"]:
        return first
    if length == NAMED["year"]:
        return first.replace(month=12, day=31)
    return first.replace(day=monthrange(first.year, first.month)[1])
