"""Endless top-ups are impossible: so many in 24 hours, so much in a month, then a stop that is told, once a day."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from accounts.models import Account, User
from billing import auto_due
from billing.models import AutoTopup, TopUp
from tests.billing.paying import credits
from tests.billing.topping_up import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    attempt,
    auto_topups,
    letters,
    row,
    run_low,
    standing,
    turn_on,
    watching,
)

pytestmark = pytest.mark.django_db


def drain(user: User, *, since: datetime = NOON, until: datetime, every: int = 10) -> Iterator[datetime]:
    """A loop that spends everything and asks for more, every few minutes: when it got some."""
    now = since
    while now < until:
        run_low(user, Decimal(0))
        if attempt(user, now=now) is not None:
            yield now
        now += every * MINUTE


def test_a_drain_loop_meets_five_in_twenty_four_hours(ada: User) -> None:
    """A rival's ran for weeks. Told once a day; it goes on by itself when the first is a day old."""
    watching(ada, amount=Decimal(10))
    times = list(drain(ada, until=NOON + DAY))
    assert times == [NOON + number * 10 * MINUTE for number in range(5)]
    assert letters(ada).count("limited") == 2  # on the 12th and on the 13th of May
    found = standing(ada, now=NOON + HOUR)
    assert (found.kind, found.at, found.is_below) == ("count_limit", NOON + DAY, True)
    assert row(ada).enabled
    again = [NOON + DAY, NOON + DAY + 10 * MINUTE]  # when the first and the second are a day old
    assert list(drain(ada, since=NOON + DAY, until=NOON + DAY + 20 * MINUTE)) == again
    assert len(credits(ada)) == 7


def test_a_drain_loop_meets_the_monthly_limit(ada: User) -> None:
    """Gross: $100 of $100, then nothing until the first of the next month, told once a day."""
    watching(ada, amount=Decimal(50), monthly_limit=Decimal(100))
    times = list(drain(ada, until=NOON + 3 * DAY, every=360))
    assert times == [NOON, NOON + 6 * HOUR]
    assert letters(ada).count("limited") == 3  # the 13th, 14th and 15th
    found = standing(ada, now=NOON + 3 * DAY)
    assert (found.kind, found.at) == ("month_limit", datetime(2026, 6, 1, tzinfo=UTC))
    assert (found.used_this_month, found.monthly_limit) == (Decimal(100), Decimal(100))
    june = datetime(2026, 6, 1, tzinfo=UTC)
    assert attempt(ada, now=june - SECOND) is None
    assert attempt(ada, now=june) is not None
    assert standing(ada, now=june).used_this_month == Decimal(50)


def test_it_uses_the_month_to_the_cent(ada: User) -> None:
    watching(ada, threshold=Decimal(10), amount=Decimal("25.00"), monthly_limit=Decimal("50.00"))
    assert len(list(drain(ada, until=NOON + HOUR))) == 2
    AutoTopup.objects.update(monthly_limit=Decimal("74.99"))
    assert attempt(ada, now=NOON + HOUR) is None
    AutoTopup.objects.update(monthly_limit=Decimal("75.00"))
    assert attempt(ada, now=NOON + HOUR) is not None


def test_it_is_not_told_while_nothing_would_be_charged_anyway(ada: User) -> None:
    """The page says that the limit is reached; a letter comes when it keeps somebody waiting."""
    watching(ada, monthly_limit=Decimal(25))
    run_low(ada)
    attempt(ada)
    assert standing(ada).kind == "month_limit"
    assert attempt(ada, now=NOON + HOUR) is None
    assert "limited" not in letters(ada)
    run_low(ada)
    assert attempt(ada, now=NOON + HOUR) is None
    assert "limited" in letters(ada)


def test_neither_limit_mutes_the_other(ada: User) -> None:
    watching(ada, amount=Decimal(10), monthly_limit=Decimal(50))
    list(drain(ada, until=NOON + HOUR))
    attempt(ada, now=NOON + HOUR)
    AutoTopup.objects.update(count_limit_told_on=None)
    TopUp.objects.update(created_at=NOON - 2 * DAY)
    attempt(ada, now=NOON + HOUR)
    assert letters(ada).count("limited") == 2
    assert row(ada).month_limit_told_on == NOON.date()


def test_failed_ones_do_not_count(ada: User) -> None:
    watching(ada, monthly_limit=Decimal(25))
    run_low(ada)
    attempt(ada)
    TopUp.objects.update(status="failed", received=None)
    assert standing(ada).used_this_month == Decimal(0)
    assert standing(ada).kind == "watching"


def test_other_topups_do_not_count(ada: User) -> None:
    watching(ada, monthly_limit=Decimal(25))
    run_low(ada)
    attempt(ada)
    TopUp.objects.update(origin="page")
    assert standing(ada).used_this_month == Decimal(0)


def test_raising_the_limit_goes_on_at_once(ada: User) -> None:
    auto = watching(ada, monthly_limit=Decimal(25))
    list(drain(ada, until=NOON + HOUR))
    assert standing(ada).kind == "month_limit"
    turn_on(ada, card=auto.card, monthly_limit=Decimal(50), now=NOON + HOUR)
    assert len(auto_topups(ada)) == 2


# --- Months as the account lives them -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "new_month"),
    [
        ("America/New_York", datetime(2026, 6, 1, 4, 0, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2026, 5, 31, 18, 30, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2026, 5, 31, 10, 0, tzinfo=UTC)),
        ("Pacific/Pago_Pago", datetime(2026, 6, 1, 11, 0, tzinfo=UTC)),
    ],
)
def test_a_month_begins_at_midnight_where_the_account_lives(
    ada: User, zone: str, new_month: datetime
) -> None:
    Account.objects.filter(pk=ada.account_id).update(timezone=zone)
    watching(ada, monthly_limit=Decimal(25), now=new_month - HOUR)
    run_low(ada)
    assert attempt(ada, now=new_month - HOUR) is not None
    run_low(ada)
    assert standing(ada, now=new_month - SECOND).at == new_month
    assert attempt(ada, now=new_month - SECOND) is None
    assert attempt(ada, now=new_month) is not None


@pytest.mark.parametrize(
    ("now", "months", "start"),
    [
        # Daylight saving ends on 1 November 2026, after midnight; it began on 8 March.
        (datetime(2026, 11, 15, tzinfo=UTC), 0, datetime(2026, 11, 1, 4, 0, tzinfo=UTC)),
        (datetime(2026, 10, 15, tzinfo=UTC), 1, datetime(2026, 11, 1, 4, 0, tzinfo=UTC)),
        (datetime(2026, 11, 15, tzinfo=UTC), 1, datetime(2026, 12, 1, 5, 0, tzinfo=UTC)),
        (datetime(2026, 3, 15, tzinfo=UTC), 0, datetime(2026, 3, 1, 5, 0, tzinfo=UTC)),
        (datetime(2026, 3, 31, 23, tzinfo=UTC), 1, datetime(2026, 4, 1, 4, 0, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, tzinfo=UTC), 1, datetime(2027, 1, 1, 5, 0, tzinfo=UTC)),
    ],
)
def test_a_month_begins_by_the_clocks_of_that_day(now: datetime, months: int, start: datetime) -> None:
    assert auto_due.month_start(now, "America/New_York", months_ahead=months) == start


def test_a_day_of_letters_is_the_accounts(ada: User) -> None:
    """In Auckland 12 May begins at noon UTC of the 11th."""
    Account.objects.filter(pk=ada.account_id).update(timezone="Pacific/Auckland")
    evening = datetime(2026, 5, 12, 11, 50, tzinfo=UTC)
    watching(ada, monthly_limit=Decimal(25), now=evening - HOUR)
    run_low(ada)
    attempt(ada, now=evening - HOUR)
    run_low(ada)
    for now in (evening, evening + 5 * MINUTE, evening + 10 * MINUTE, evening + 20 * MINUTE):
        attempt(ada, now=now)
    assert letters(ada).count("limited") == 2


def test_a_change_of_zone_does_not_tell_a_day_twice(ada: User) -> None:
    """Westward it is yesterday again."""
    watching(ada, monthly_limit=Decimal(25))
    list(drain(ada, until=NOON + HOUR))
    Account.objects.filter(pk=ada.account_id).update(timezone="Pacific/Pago_Pago")
    before = letters(ada).count("limited")
    attempt(ada, now=NOON - 11 * HOUR)
    assert letters(ada).count("limited") == before == 1
