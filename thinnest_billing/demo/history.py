"""Which work happened when, and when funds were added: a plan, made before anything is written.

The same moments make the same plan, so that a seeding that was cut off goes on where it stopped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from thinnest_billing.demo.work import AGENTS, KINDS, Work
from usage import pricing, rate_card
from usage.bodies import EVENT
from usage.metering import Event

DAY = timedelta(days=1)
WARMING_UP = 12  # days from the first visitors to a usual day
HOURS = (
    1,
    1,
    0,
    0,
    0,
    1,
    2,
    5,
    10,
    14,
    15,
    13,
    9,
    11,
    14,
    14,
    12,
    10,
    8,
    7,
    6,
    5,
    3,
    2,
)  # how busy each hour is
FIRST_DOLLARS = Decimal("0.20")  # of the trial: what is left when the owner adds funds for the first time
RUNNING_LOW = Decimal("8.00")
AMOUNTS = (Decimal(20), Decimal(25), Decimal(50), Decimal(25))
LAST_DAYS, COMFORT = 3 * DAY, Decimal("24.00")  # a visitor should not find the account nearly empty


@dataclass(frozen=True, slots=True)
class Used:
    """An agent worked."""

    at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class Funded:
    """The owner added funds, dollars."""

    at: datetime
    amount: Decimal
    number: int


def plan(
    card: rate_card.Card, *, since: datetime, until: datetime, trial: Decimal
) -> Iterator[Used | Funded]:
    """Everything that happened, oldest first: usage, and top-ups where the balance runs low."""
    balance, topups, seen, earlier = trial, 0, set[bytes](), since
    for event_at, event in usage(since=since, until=until):
        price = pricing.price(event.usage, card.rates_for(event.usage, event_at))
        if balance - price < low(event_at, until=until, is_first=not topups):
            amount = AMOUNTS[topups % len(AMOUNTS)]
            yield Funded(earlier + (event_at - earlier) / 2, amount, topups)
            balance, topups = balance + amount, topups + 1
        yield Used(event_at, event)
        if event.content_sha256 not in seen:
            balance -= price
        if event.content_sha256:
            seen.add(event.content_sha256)
        earlier = event_at


def low(at: datetime, *, until: datetime, is_first: bool) -> Decimal:
    if is_first:
        return FIRST_DOLLARS
    return COMFORT if until - at < LAST_DAYS else RUNNING_LOW


def usage(*, since: datetime, until: datetime) -> Iterator[tuple[datetime, Event]]:
    for number in range((until - since) // DAY + 2):
        day = since + number * DAY
        for place, (at, work) in enumerate(sorted(a_day(day, number), key=lambda timed: timed[0])):
            if since < at < until:
                body = EVENT.validate_python(work | {"event_id": f"demo-{number:02}-{place:03}"})
                yield at, body.event(at)


def a_day(day: datetime, number: int) -> Iterator[tuple[datetime, Work]]:
    """What a day brings. `number` counts from the first one, when hardly anybody knew the agents."""
    draw = Random(f"demo {number}")
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    mood = min(1, (number + 2) / WARMING_UP) * draw.uniform(0.8, 1.2)
    for agent in AGENTS:
        share = mood * (agent.weekend if day.weekday() >= 5 else 1)
        for kind, make in KINDS.items():
            for _ in range(count(getattr(agent, kind) * share, draw)):
                yield midnight + time_of_day(draw), make(agent, draw)


def count(mean: float, draw: Random) -> int:
    """A whole number of times, about `mean`."""
    return max(0, int(draw.gauss(mean, mean**0.5 / 2) + draw.random()))


def time_of_day(draw: Random) -> timedelta:
    hour = draw.choices(range(24), weights=HOURS)[0]
    return timedelta(hours=hour, seconds=draw.uniform(0, 3600))
