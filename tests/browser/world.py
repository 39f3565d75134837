"""The people whose pages the gates look at: one with everything, her colleague, a newcomer, one who ran out."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from accounts.models import User
from billing import holds, payment_methods, topups
from billing.models import TopUp
from tests import factories
from tests.usage import events
from usage import agents, metering

DAY = timedelta(days=1)
SUPPORT, SALES, LONG = map(
    agents.reference,
    ("Customer Support", "Sales", "Überseehandelskundenbetreuung für Großkunden rund um die Uhr"),
)


def populate() -> dict[str, User]:
    """By name. Times are real ones, for the pages ask the real clock."""
    now = timezone.now()
    ada = factories.owner(now=now - 45 * DAY)
    bo = factories.member(ada.account, email="bo@example.com", now=now - 44 * DAY)
    live(ada, now=now)
    cy = factories.owner("cy@example.net", name="Cy's shop", timezone="America/New_York", now=now)
    di = factories.owner("di@example.org", name="Di's desk", now=now - 3 * DAY)
    run_out(di.account_id, now=now)
    return {"ada": ada, "bo": bo, "cy": cy, "di": di}


def live(ada: User, *, now: datetime) -> None:
    """Cards and every outcome of a top-up, forty days of usage in all categories, and something held."""
    account_id, start = ada.account_id, now - 41 * DAY
    cards = {
        token: payment_methods.add_sandbox_card(account_id, token, now=start)
        for token in ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
    }
    for hours, card in enumerate(cards.values()):
        add_funds(ada, card, now=start + timedelta(hours=hours))
    for day in range(40, 0, -1):
        use(account_id, f"ada-{day}", number=day, now=now - day * DAY)
    use(account_id, "ada-now", number=41, now=now)
    holds.hold(
        account_id, key="call", request_hash=b"call", amount=Decimal("1.5"), purpose="call",
        terms={}, lifetime=DAY, now=now,
    )  # fmt: skip


def add_funds(ada: User, card: str, *, now: datetime) -> None:
    order = topups.Order(amount=Decimal(25), origin=TopUp.Origin.PAGE, actor=ada.email, card=card)
    topup, _ = topups.begin(ada.account_id, order, now=now)
    topups.pay(topup, now=now)


def use(account_id: UUID, name: str, *, number: int, now: datetime) -> None:
    """A day's work, each time a little different."""
    work = [
        events.chat(f"{name}-chat", "gpt-4o", 40_000 + 1_000 * number, 9_000, agent=SUPPORT),
        events.chat(f"{name}-small", agent=LONG),
        events.voice(f"{name}-call", 60 + 5 * number, agent=SALES),
    ]
    if number % 4 == 0:
        work.append(events.pages(f"{name}-pages", 12))
    for event in work:
        assert metering.record(account_id, event, now=now).is_recorded


def run_out(account_id: UUID, *, now: datetime) -> None:
    """The whole trial on one long call, and one message more that did not fit."""
    assert metering.record(account_id, events.voice("di-call", 600), now=now - DAY).is_recorded
    assert metering.record(account_id, events.chat("di-chat"), now=now).status == "short"
