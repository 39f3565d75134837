"""What somebody may want an alert rule to be, and the sentences for what cannot be saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from alerts.models import Channel, Rule
from billing.money import is_whole_cents, usd
from usage.models import Agent

Kind = Rule.Kind
NO_AGENT = "Choose one of your agents."


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to be told. `amount` in dollars; `agent_id` only with the kind agent_daily_spend."""

    kind: str
    amount: Decimal
    channel: str = Channel.BOTH
    agent_id: UUID | None = None


class RuleRefused(Exception):
    """Nothing was saved. `fields`: a sentence for the person, by the field it belongs to."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(fields.values()))
        self.fields = dict(fields)


def check(account_id: UUID, wish: Wish, *, changed: Rule | None = None) -> None:
    """Raises RuleRefused. `changed`: the rule that is to become so."""
    others = Rule.objects.filter(account_id=account_id)
    if changed is not None:
        others = others.exclude(pk=changed.pk)
    refusals = _refusals(account_id, wish, others=others)
    wrong = {field: sentence for field, sentence in refusals.items() if sentence}
    if wrong:
        raise RuleRefused(wrong)


def _refusals(account_id: UUID, wish: Wish, *, others: QuerySet[Rule]) -> dict[str, str]:
    """A sentence for each field that cannot be saved, an empty one for the others."""
    refused = {
        "kind": "" if wish.kind in Kind.values else "Choose what to be told about.",
        "amount": _refuse_amount(wish.amount),
        "channel": "" if wish.channel in Channel.values else "Choose email, dashboard or both.",
        "agent": _refuse_agent(account_id, wish),
    }
    if not any(refused.values()):
        refused["amount"] = _refuse_another(wish, others)
    return refused


def _refuse_amount(amount: Decimal) -> str:
    if not amount.is_finite():
        return "Type an amount such as 25.00."
    if amount <= 0:
        return "Type an amount above zero, such as 25.00."
    if amount > settings.ALERT_MAX:
        return f"Type at most {usd(settings.ALERT_MAX)}."
    return "" if is_whole_cents(amount) else "Use dollars and whole cents, such as 25.00."


def _refuse_agent(account_id: UUID, wish: Wish) -> str:
    """Somebody else's agent is as unknown as one that never was."""
    if wish.kind != Kind.AGENT_DAILY_SPEND:
        return "" if wish.agent_id is None else "Only one agent's daily spend is about an agent."
    named = wish.agent_id and Agent.objects.filter(account_id=account_id, pk=wish.agent_id).exists()
    return "" if named else NO_AGENT


def _refuse_another(wish: Wish, others: QuerySet[Rule]) -> str:
    if others.filter(kind=wish.kind, amount=wish.amount, agent_id=wish.agent_id).exists():
        return "You have this alert already. Change that one, or choose another amount."
    if others.count() >= settings.LIMIT_RULES:
        return f"An account may have {settings.LIMIT_RULES} alerts. Remove one first."
    return ""
