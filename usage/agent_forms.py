"""Forms about agents: finding one, its name, its model."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from usage import agents
from usage.models import Agent


class SearchForm(forms.Form):
    q = forms.CharField(
        label="Find an agent", required=False, max_length=80, widget=forms.TextInput(attrs={"type": "search"})
    )

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(data, label_suffix="")


class NameForm(forms.Form):
    """The name as people write it; `clean` keeps it as agents.clean_name does."""

    name = forms.CharField(
        label="Name",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Records follow the new name. A program that still sends the old one makes a new agent.",
        error_messages={"required": "Type a name of 1 to 80 characters."},
    )

    def __init__(self, agent: Agent, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial={"name": agent.name}, label_suffix="")

    def clean_name(self) -> str:
        try:
            return agents.clean_name(self.cleaned_data["name"])
        except ValueError as refused:
            raise ValidationError(str(refused)) from None


class ModelForm(forms.Form):
    """One of the models that have a price."""

    def __init__(self, agent: Agent, data: Mapping[str, Any] | None = None, *, models: Sequence[str]) -> None:
        super().__init__(data, initial={"model": agent.model}, label_suffix="")
        self.fields["model"] = forms.ChoiceField(
            choices=[(name, name) for name in models],
            error_messages={
                "required": "Choose one of the models.",
                "invalid_choice": "There is no such model. Choose one of these.",
            },
        )
