"""A month of usage for the tests of seeing: by the same code as in real life, oldest first, on a given clock."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID

from billing import ledger
from tests.usage import events
from usage import metering, reversals
from usage.agents import AgentRef, name_key
from usage.metering import Event
from usage.models import Charge

NOW = datetime(2026, 3, 18, 15, 42, tzinfo=UTC)  # where the tests' clock stands
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-3.5-sonnet", "gemini-1.5-flash")


def agent(name: str) -> AgentRef:
    return AgentRef(name=name, key=name_key(name))


def fund(account_id: UUID, dollars: str, *, at: datetime) -> None:
    ledger.credit_topup(account_id, Decimal(dollars), key=f"topup {at}", actor="tests", now=at)


def use(account_id: UUID, event: Event, *, at: datetime) -> Charge:
    """A recorded event's charge."""
    outcome = metering.record(account_id, event, now=at)
    assert outcome.status == "recorded", outcome
    return Charge.objects.get(pk=outcome.charge_id)


def the_seeds_month(account_id: UUID) -> None:
    """$1.00 of trial and $199.00 paid; what the seed's example spent in March 2026, to the cent."""
    first = datetime(2026, 3, 2, 9, tzinfo=UTC)
    fund(account_id, "199.00", at=first)
    support, sales, research = agent("Customer Support"), agent("Sales Assistant"), agent("Research Bot")
    month = [
        events.chat("support", "gpt-4o", 11_400_000, 0, agent=support),  # 28.50
        events.voice("sales", 7_230, agent=sales),  # 12.05
        events.chat("research", "gpt-4o", 1_460_000, 0, agent=research),  # 3.65
        events.voice("research call", 210, agent=research),  # 0.35
        events.pages("research pages", 327, agent=research),  # 3.27
    ]
    for number, event in enumerate(month):
        use(account_id, event, at=first + timedelta(days=number))


def some_event(draw: Random, number: int) -> Event:
    """Anything an account may be charged for; some of it free, some of it without an agent."""
    names = ("Customer Support", "Sales Assistant", "Research Bot", None, None)
    name = draw.choice(names)
    more = {"agent": agent(name)} if name else {}
    kinds = [
        lambda: events.chat(
            f"e{number}", draw.choice(MODELS), draw.randrange(20_000), draw.randrange(3_000),
            retrieval_queries=draw.choice((0, 0, 1)), **more,
        ),
        lambda: events.voice(f"e{number}", draw.randrange(1, 400), answered=draw.random() < 0.8, **more),
        lambda: events.pages(f"e{number}", draw.randrange(1, 40), **more),
    ]  # fmt: skip
    return draw.choices(kinds, weights=(7, 2, 1))[0]()


def random_month(account_id: UUID, *, seed: int, count: int = 120, days: int = 40) -> list[Charge]:
    """`count` events over the last `days` days, and every ninth reversed the day after."""
    draw, start = Random(seed), NOW - timedelta(days=days)
    fund(account_id, "500.00", at=start)
    made, step = [], timedelta(days=days) / (count + 1)
    for number in range(count):
        at = start + (number + 1) * step
        made.append(use(account_id, some_event(draw, number), at=at))
        if number % 9 == 8:
            reversals.reverse(account_id, made[-2].id, actor="tests", reason="A test", now=at + step / 2)
    return list(Charge.objects.filter(account_id=account_id).order_by("recorded_at"))
