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
FIRST_AMOUNT = Decimal(20)  # dollars
THRESHOLD, AMOUNT = Decimal(15), Decimal(25)  # of auto-topup, on since the day after the first top-up
SOON = timedelta(seconds=9)  # from a crossing to the top-up
NUMBERS = (  # rented how long ago, for which agent. Still paid today: else the sweep beside us would renew them now
    (timedelta(days=27, hours=5), "+12025550147", "Sales Assistant"),
    (timedelta(days=11, hours=3), "+12025550162", "Customer Support"),
)


@dataclass(frozen=True, slots=True)
class Used:
    """An agent worked."""

    at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class Funded:
    """The owner added funds, dollars, and turned auto-topup on."""

    at: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ToppedUp:
    """The balance crossed auto-topup's threshold."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Rented:
    """The owner rented a phone number for an agent, and the platform set it up."""

    at: datetime
    digits: str
    agent: str


def plan(
    card: rate_card.Card, *, since: datetime, until: datetime, trial: Decimal
) -> Iterator[Used | Funded | ToppedUp | Rented]:
    """Everything that happened, oldest first: usage, the owner's first top-up, and those that came by themselves."""
    balance, is_funded, seen, earlier = trial, False, set[bytes](), since
    coming: list[Rented] = []
    for event_at, event in usage(since=since, until=until):
        price = pricing.price(event.usage, card.rates_for(event.usage, event_at))
        if not is_funded and balance - price < FIRST_DOLLARS:
            yield Funded(earlier + (event_at - earlier) / 2, FIRST_AMOUNT)
            balance, is_funded = balance + FIRST_AMOUNT, True
            coming = rents(since=event_at, until=until)
        while coming and coming[0].at <= event_at:
            balance -= card.rate("number.period", coming[0].at)
            yield coming.pop(0)
        yield Used(event_at, event)
        if event.content_sha256 not in seen:
            balance -= price
        if event.content_sha256:
            seen.add(event.content_sha256)
        if is_funded and balance < THRESHOLD and event_at + SOON < until:
            yield ToppedUp(event_at + SOON)
            balance += AMOUNT
        earlier = event_at


def rents(*, since: datetime, until: datetime) -> list[Rented]:
    """Oldest first; none before the first top-up, for a trial rents no number."""
    return [Rented(until - ago, digits, agent) for ago, digits, agent in NUMBERS if until - ago > since]


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
