"""What the demo's owner wants to be told of, since the day of the first top-up."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid5

from alerts import rules
from alerts.models import Channel, Rule
from alerts.rule_wishes import Wish
from thinnest_billing.demo.work import AGENTS
from usage.agents import name_key
from usage.models import Agent

Kind = Rule.Kind


def add_rules(account_id: UUID, *, now: datetime) -> None:
    """Three beside the one that every account begins with. Repeatable."""
    busiest = Agent.objects.get(account_id=account_id, name_key=name_key(AGENTS[0].name)).pk
    for wish in (
        Wish(Kind.DAILY_SPEND, Decimal("2.25")),
        Wish(Kind.AGENT_DAILY_SPEND, Decimal("1.25"), Channel.DASHBOARD, busiest),
        Wish(Kind.MONTHLY_SPEND, Decimal("60.00"), Channel.EMAIL),
    ):
        rules.add(account_id, wish, rule_id=uuid5(account_id, f"demo {wish.kind}"), now=now)
