"""Rented numbers for tests, on a given clock, by the same code as in real life."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from accounts import ids
from accounts.models import User
from billing import ledger, selectors, topups
from billing.models import TopUp
from tests.billing import paying
from usage import phone_numbers
from usage.agents import NOBODY, AgentRef
from usage.models import Charge, PhoneNumber, UsageType
from usage.running import Run

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PERIOD = 30 * DAY


def on(text: str) -> datetime:
    """`on("30 January")`: nine in the morning of that day in 2026."""
    return datetime.strptime(f"{text} 2026 09", "%d %B %Y %H").replace(tzinfo=UTC)


def top_up(user: User, dollars: str, *, at: datetime) -> TopUp:
    """By a saved card, settled at once: this makes a balance a paid one."""
    order = topups.Order(Decimal(dollars), TopUp.Origin.PAGE, user.public_id, paying.save_card(user))
    return topups.pay(topups.begin(user.account_id, order, now=at)[0], now=at)


def leave(user: User, dollars: str, *, at: datetime) -> None:
    """Spend down to a balance: staff's debit, without a charge."""
    change = Decimal(dollars) - selectors.balance_of(user.account_id).balance
    ledger.adjust(user.account_id, change, key=str(ids.uuid7()), actor="tests", reason="A test", now=at)


def rent(user: User, *, at: datetime, agent: AgentRef = NOBODY) -> PhoneNumber:
    return phone_numbers.rent(user.account_id, agent=agent, actor=user.public_id, now=at)


def state(number: PhoneNumber, *, at: datetime) -> Run:
    number.refresh_from_db()
    return phone_numbers.state_of(number, selectors.balance_of(number.account_id), now=at)


def paid_until(number: PhoneNumber) -> datetime:
    number.refresh_from_db()
    return number.paid_until


def rents(user: User) -> list[tuple[datetime, Decimal]]:
    """Since when each period is paid, and what it cost."""
    made = Charge.objects.filter(account_id=user.account_id, type=UsageType.NUMBER)
    return list(made.order_by("recorded_at").values_list("occurred_at", "cost"))
