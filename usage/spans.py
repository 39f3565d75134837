"""The periods that the usage page offers, what each is compared with, and how they are called."""

from dataclasses import dataclass
from datetime import date

from usage import periods
from usage.periods import DAY, Period

DEFAULT, CUSTOM = "last-30-days", "custom"
LAST_DAYS = {"last-7-days": 7, "last-30-days": 30, "last-90-days": 90}
NAMES = {
    "this-month": "This month",
    "last-month": "Last month",
    "last-7-days": "Last 7 days",
    "last-30-days": "Last 30 days",
    "last-90-days": "Last 90 days",
    CUSTOM: "From and to",
}
Months = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Span:
    """A period of the account's own days, and the one before it that it is compared with."""

    period: Period
    before: Period


def months(first: date, *, today: date) -> Months:
    """Every month from the one of `first` to today's, the newest first: `2026-03`, `Mar 2026`."""
    found, month = [], today.replace(day=1)
    while month >= first.replace(day=1):
        found.append((f"{month:%Y-%m}", f"{month:%b %Y}"))
        month = (month - DAY).replace(day=1)
    return found


def named(name: str, *, today: date) -> Span:
    """What a choice of NAMES (but `custom`) or a month such as 2026-03 means today."""
    if name in LAST_DAYS:
        return custom(today - (LAST_DAYS[name] - 1) * DAY, today)
    if name == "this-month":
        return _month(today, today=today)
    if name == "last-month":
        return _month(today.replace(day=1) - DAY, today=today)
    return _month(date.fromisoformat(f"{name}-01"), today=today)


def custom(first: date, last: date) -> Span:
    """Any days, compared with as many before them."""
    count = (last - first).days + 1
    before = first - count * DAY, first - DAY
    return Span(_between(first, last), _between(*before))


def _month(day: date, *, today: date) -> Span:
    """A month, compared with the one before: while it runs, with as much of that."""
    month = periods.month_of(day).until(today)
    earlier = periods.month_of(month.first - DAY)
    if month.last == today:
        earlier = earlier.until(min(earlier.last, earlier.first + (month.last - month.first)))
    return Span(month, earlier)


def _between(first: date, last: date) -> Period:
    return Period(f"{first.isoformat()}/{last.isoformat()}", first, last)


def told(period: Period, *, today: date) -> str:
    """`17 February to 18 March`, `1 to 18 March`, `1 March`; with years unless it is all in this one."""
    first, last = period.first, period.last
    year = "" if first.year == last.year == today.year else f" {last.year}"
    if first == last:
        return f"{last.day} {last:%B}{year}"
    start = f"{first.day}"
    if (first.year, first.month) != (last.year, last.month):
        start += f" {first:%B}"
    if first.year != last.year:
        start += f" {first.year}"
    return f"{start} to {last.day} {last:%B}{year}"
