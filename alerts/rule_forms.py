"""The forms of an alert rule: a new one, and another amount or channel. What may be saved is decided in rule_wishes."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid5

from django import forms

from accounts import ids
from alerts.models import Channel, Rule
from alerts.rule_wishes import Wish
from billing.auto_topup_form import dollars
from usage.models import Agent

Kind = Rule.Kind
KINDS = {
    Kind.DAILY_SPEND: "Daily spend goes above",
    Kind.MONTHLY_SPEND: "Monthly spend goes above",
    Kind.AGENT_DAILY_SPEND: "One agent's daily spend goes above",
    Kind.BALANCE_BELOW: "Balance drops below",
}
WAYS = {Channel.EMAIL: "Email", Channel.DASHBOARD: "Dashboard notification"}
NO_WAY = "Choose email, dashboard or both."


class EditRuleForm(forms.Form):
    """How much, and how to be told."""

    amount = dollars("Amount")
    ways = forms.MultipleChoiceField(
        label="Tell me by",
        choices=list(WAYS.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": NO_WAY, "invalid_choice": NO_WAY, "invalid_list": NO_WAY},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].widget.attrs["min"] = "0.01"

    @property
    def channel(self) -> str:
        ways = set(self.cleaned_data["ways"])
        return Channel.BOTH if len(ways) > 1 else ways.pop()

    def refuse(self, fields: Mapping[str, str]) -> None:
        for field, sentence in fields.items():
            self.add_error("ways" if field == "channel" else field, sentence)


class RuleForm(EditRuleForm):
    """`id` is drawn when the form is shown: sending the form twice adds one rule."""

    id = forms.UUIDField(widget=forms.HiddenInput, initial=ids.uuid7)
    kind = forms.ChoiceField(label="Alert me when")
    agent = forms.ChoiceField(label="Which agent", required=False)

    def __init__(self, *args: Any, account_id: UUID, agents: Iterable[Agent], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account_id = account_id
        named = [(agent.public_id, agent.name) for agent in agents]
        kind: Any = self.fields["kind"]
        agent: Any = self.fields["agent"]
        kind.choices = [
            (kind, name) for kind, name in KINDS.items() if named or kind != Kind.AGENT_DAILY_SPEND
        ]
        kind.error_messages["invalid_choice"] = "Choose what to be told about."
        agent.choices, agent.error_messages["invalid_choice"] = named, "Choose one of your agents."

    @property
    def rule_id(self) -> UUID:
        """Of this account, whatever was sent: nobody can name another one's rule."""
        return uuid5(self.account_id, str(self.cleaned_data["id"]))

    def wish(self) -> Wish:
        data = self.cleaned_data
        is_agents = data["kind"] == Kind.AGENT_DAILY_SPEND
        agent_id = ids.parse("agent", data["agent"]) if is_agents else None
        return Wish(data["kind"], data["amount"], self.channel, agent_id)


def ways(channel: str) -> list[str]:
    """The boxes that a channel ticks."""
    return [Channel.EMAIL, Channel.DASHBOARD] if channel == Channel.BOTH else [channel]
