"""What the tests of campaigns begin with: an owner with a paid balance, and a campaign of hers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from accounts import ids
from accounts.models import User
from billing import ledger, selectors, topups
from usage import agents, campaigns
from usage.campaigns import Plan
from usage.models import Campaign

NOON = datetime(2026, 5, 12, 12, 0, tzinfo=UTC)


def fund(user: User, dollars: str = "25.00") -> None:
    """A top-up that counts as a paid balance."""
    topups.record_manual(user.account_id, Decimal(dollars), actor="tests", reason="for the test")


def set_balance(user: User, dollars: str) -> None:
    """To the cent, by an adjustment."""
    change = Decimal(dollars) - selectors.balance_of(user.account_id).balance
    if change:
        ledger.adjust(user.account_id, change, key=str(ids.uuid7()), actor="tests", reason="for the test")


def draft(user: User, *, now: datetime = NOON, agent: str = "Sales", **changes: Any) -> Campaign:
    """200 calls of 72 seconds, $24.00 at ten cents a minute."""
    agent_id = agents.resolve(user.account_id, agents.reference(agent)) if agent else None
    plan: dict[str, Any] = {"name": "Spring catalogue", "calls": 200, "seconds_per_call": 72}
    return campaigns.create(user.account_id, Plan(agent_id=agent_id, **(plan | changes)), now=now)


def launched(user: User, *, now: datetime = NOON, **changes: Any) -> Campaign:
    campaign = draft(user, now=now, **changes)
    assert campaigns.launch(campaign, actor=user.public_id, now=now)
    return campaign
