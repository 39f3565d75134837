"""Rules, and what makes them speak, as short as a test wants them."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounts.models import User
from alerts import rules
from alerts.models import Notification, Rule
from alerts.rule_wishes import Wish
from tests.usage import events, spending
from usage.models import Agent

Kind = Rule.Kind
D = Decimal


def rule(user: User, kind: str, amount: str, *, now: datetime, **more: Any) -> Rule:
    return rules.add(user.account_id, Wish(kind, D(amount), **more), now=now)


def spend(user: User, dollars: str, *, at: datetime, agent: str = "", model: str = "gpt-4o") -> None:
    """Exactly so many dollars (in steps of $0.0000025) of input tokens on GPT-4o."""
    named = {"agent": spending.agent(agent)} if agent else {}
    tokens = D(dollars) * 1_000_000 / D("2.50")
    assert tokens == int(tokens), "not a whole number of tokens"
    spending.use(user.account_id, events.chat(f"spend {at}", model, int(tokens), 0, **named), at=at)


def agent_id(user: User, name: str) -> UUID:
    return Agent.objects.get(account_id=user.account_id, name=name).pk


def told(user: User) -> list[str]:
    """Titles, oldest first."""
    rows = Notification.objects.filter(account_id=user.account_id).order_by("created_at", "id")
    return list(rows.values_list("title", flat=True))


def bodies(user: User) -> list[str]:
    rows = Notification.objects.filter(account_id=user.account_id).order_by("created_at", "id")
    return list(rows.values_list("body", flat=True))
