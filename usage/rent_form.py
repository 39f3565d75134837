"""The form that rents a phone number."""

from collections.abc import Sequence
from typing import Any

from django import forms

from accounts import ids
from usage.agents import NOBODY, UNASSIGNED, AgentRef
from usage.models import Agent


class RentForm(forms.Form):
    """`id` is drawn when the form is shown: sent twice, the form rents one number."""

    id = forms.UUIDField(widget=forms.HiddenInput, initial=ids.uuid7, required=False)
    agent = forms.ChoiceField(
        label="Agent", required=False, help_text="Who answers. Its rent is counted under this agent.",
        error_messages={"invalid_choice": "This agent does not exist. Choose one of these."},
    )  # fmt: skip

    def __init__(self, data: Any = None, *, agents: Sequence[Agent]) -> None:
        super().__init__(data, label_suffix="")
        self.fields["agent"].choices = [
            ("", UNASSIGNED), *((agent.public_id, agent.name) for agent in agents)
        ]  # fmt: skip

    @property
    def chosen(self) -> AgentRef:
        """Of a valid form."""
        found = self.cleaned_data["agent"]
        return AgentRef(id=ids.parse("agent", found)) if found else NOBODY
