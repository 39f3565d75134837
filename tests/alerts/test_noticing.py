"""Noticing: one look a second at all that moved, and what may be news is evaluated."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import afterwards
from accounts.models import User
from alerts import facts, noticing, rules, tasks
from alerts.models import Rule
from billing import ledger
from billing.models import Balance
from billing.selectors import balance_of
from billing.signals import billing_changed
from tests.alerts.watching import rule, told
from tests.billing.paying import clock
from tests.usage.campaigning import launched
from tests.usage.renting import leave, top_up
from usage import campaigns

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    seen: list[tuple[Any, ...]] = []
    monkeypatch.setattr(noticing, "nudge", lambda task, *args, **_: seen.append((task, *args)))
    monkeypatch.setattr(noticing, "_asked_about", {})
    return seen


@pytest.fixture
def ada(ada: User) -> User:
    """With $26.00, topped up long ago."""
    top_up(ada, "25.00", at=clock() - timedelta(days=2))
    return ada


def move(*users: User, times: int = 1) -> int:
    """Money moved, and a second passes; how many queries the look made."""
    with CaptureQueriesContext(connection) as queries:
        for user in users * times:
            billing_changed.send(sender=None, account_id=user.account_id)
        afterwards.flush()
    return len([query for query in queries if "alerts_rule" in query["sql"]])


def test_it_looks_once_however_much_moved(ada: User, cy: User, asked: list[Any]) -> None:
    assert move(ada, cy, times=100) == 1
    assert asked == []


def test_it_asks_where_something_may_be_new_and_nowhere_else(ada: User, cy: User, asked: list[Any]) -> None:
    leave(ada, "0.20", at=clock())  # the first rule's bound
    move(ada, cy)
    assert asked == []
    leave(ada, "0.19", at=clock())
    move(ada, cy, times=100)
    assert asked == [(tasks.evaluate_account, str(ada.account_id))]


@pytest.mark.parametrize("kind", [Rule.Kind.DAILY_SPEND, Rule.Kind.MONTHLY_SPEND])
def test_it_asks_after_a_charge_until_a_spending_rule_has_told(
    ada: User, asked: list[Any], kind: str
) -> None:
    """S40: evaluated right after the charge."""
    watching = rule(ada, kind, "1.00", now=clock())
    move(ada)
    assert len(asked) == 1
    day = balance_of(ada.account_id).last_day
    window = f"{day:%Y-%m}" if kind == Rule.Kind.MONTHLY_SPEND else str(day)
    Rule.objects.filter(pk=watching.pk).update(told_window=window)
    move(ada)
    assert len(asked) == 1


@pytest.mark.parametrize(
    "what", ["depleted", "refused", "frozen", "topped up", "campaign paused", "was depleted"]
)
def test_it_asks_where_something_happened(ada: User, asked: list[Any], what: str) -> None:
    now = clock()
    for one in rules.of_account(ada.account_id):
        rules.remove(one)
    if what == "depleted":
        leave(ada, "0.00", at=now)
    elif what == "frozen":
        ledger.freeze(ada.account_id, by="owner", frozen=True, now=now)
    elif what == "topped up":
        top_up(ada, "5.00", at=now)
    elif what == "campaign paused":
        campaign = launched(ada, now=now - timedelta(hours=1))
        campaigns.pause(campaign, now=now)
    elif what == "was depleted":
        leave(ada, "0.00", at=now - timedelta(hours=1))
        facts.evaluate(ada.account_id, now=now - timedelta(hours=1))
        leave(ada, "20.00", at=now)
    else:
        Balance.objects.filter(pk=ada.account_id).update(refused_at=now)
    move(ada)
    assert len(asked) == 1


def test_it_asks_once_about_an_account_that_goes_on_being_refused(ada: User, asked: list[Any]) -> None:
    """Its agents may ask a thousand times an hour: one evaluation, until something changes."""
    for one in rules.of_account(ada.account_id):
        rules.remove(one)
    leave(ada, "0.00", at=clock())
    for _ in range(5):
        move(ada)
    assert len(asked) == 1
    facts.evaluate(ada.account_id, now=clock())
    leave(ada, "20.00", at=clock())
    move(ada)
    assert len(asked) == 2


def test_it_evaluates_what_it_was_asked_for(ada: User) -> None:
    leave(ada, "0.00", at=clock())
    tasks.evaluate_account(str(ada.account_id))
    assert "Your balance ran out: your agents are paused" in told(ada)
