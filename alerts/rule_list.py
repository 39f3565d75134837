"""What the page of alerts lists: each rule with where it stands, and what rules have told."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts import recipients
from alerts import rule_values, rule_wording, rules
from alerts.models import Notification, Rule
from alerts.rule_values import Value

SENT = 20  # of the history
NAMED = 2  # readers; more are counted


@dataclass(frozen=True, slots=True)
class Line:
    """One rule: its sentence, `now` where it stands, `share` of the amount in percent (None: of a balance)."""

    rule: Rule
    name: str
    now: str
    share: int | None
    pause: str  # once told: until when it is silent

    @property
    def by(self) -> str:
        return self.rule.get_channel_display()


def lines(account_id: UUID, *, now: datetime) -> list[Line]:
    found = list(rules.of_account(account_id))
    names = rule_wording.agent_names(found)
    values = rule_values.of_account(account_id, now=now)
    return [_line(rule, names[rule.agent_id], values[rule.pk]) for rule in found if rule.pk in values]


def sent(account_id: UUID) -> QuerySet[Notification]:
    """What rules told, newest first, those that are gone too."""
    told = Notification.objects.filter(account_id=account_id, kind__in=Rule.Kind.values)
    return told.order_by("-created_at", "-id")[:SENT]


def readers(account_id: UUID) -> str:
    """Who gets the email of a rule, in words."""
    emails = [reader.email for reader in recipients.of_account(account_id, optional=True)]
    if len(emails) > NAMED:
        return f"to {len(emails)} people"
    return (
        f"to {' and '.join(emails)}"
        if emails
        else "reaches nobody: all chose less email, and read it in the dashboard"
    )


def _line(rule: Rule, agent: str, value: Value) -> Line:
    is_spend = rule.kind != Rule.Kind.BALANCE_BELOW
    share = min(100, max(0, int(100 * value.value / rule.amount))) if is_spend else None
    name, standing = rule_wording.condition(rule, agent), rule_wording.standing(rule, value)
    return Line(rule, name, standing, share, rule_wording.pause(rule, value))
