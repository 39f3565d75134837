"""A clock's time at an account's place as a moment, also on the days when clocks are changed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


class ClockSkipsIt(ValueError):
    """The clocks go forward over this time: it does not exist that day. Says so to the person."""


def moment(local: datetime, timezone: str) -> datetime:
    """In UTC; of a time that comes twice the first. Raises ClockSkipsIt."""
    zone = ZoneInfo(timezone)
    at = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) != local:
        after = at.astimezone(zone)
        raise ClockSkipsIt(
            f"{local:%H:%M} does not exist on {_day(local)} in {timezone}: the clocks go forward over it. "
            f"Choose {after:%H:%M} or another time."
        )
    return at


def comes_twice(at: datetime, timezone: str) -> bool:
    """Whether clocks there show this moment's time twice that day."""
    local = at.astimezone(ZoneInfo(timezone))
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _day(local: datetime) -> str:
    return f"{local.day} {local:%B %Y}"
