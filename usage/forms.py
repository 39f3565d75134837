"""Forms of seeing: filters of the records, and the calculator. Both are asked with GET, so that links can be shared."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError

from accounts import ids
from billing.amounts import WholeNumber
from usage.agents import UNASSIGNED
from usage.calculator import Expected
from usage.charges import FLAGGED, NOBODY, SERVICES
from usage.models import Agent
from usage.records import Wanted
from usage.reports import WITHOUT_MODEL

TYPES = (
    ("", "All types"),
    ("Charges", (("chat", "Chat"), ("voice", "Voice"), ("knowledge", "Knowledge"), (FLAGGED, "Flagged"))),
    (
        "Other",
        (("topup", "Top-ups"), ("credit", "Grants and corrections"), ("return", "Refunds and disputes")),
    ),
)


class DayInput(forms.DateInput):
    """A date field of the browser. What is no date is left out: browsers show none either, and complain."""

    def __init__(self) -> None:
        super().__init__(attrs={"type": "date"}, format="%Y-%m-%d")

    def format_value(self, value: Any) -> str | None:
        text = super().format_value(value)
        return text if text and parse_day(text) else None


def parse_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


class Day(forms.DateField):
    def __init__(self, label: str) -> None:
        widget = DayInput()
        message = {"invalid": "Choose a day, such as 2026-03-05."}
        super().__init__(label=label, required=False, widget=widget, error_messages=message)


class Moment(forms.CharField):
    """Where a page begins, as our own links name it."""

    def __init__(self) -> None:
        super().__init__(required=False, widget=forms.HiddenInput)

    def clean(self, value: Any) -> datetime | None:
        text = super().clean(value)
        try:
            return _in_utc(text) if text else None
        except (ValueError, OverflowError):
            raise ValidationError("This link is damaged. Start again from the newest records.") from None


def _in_utc(text: str) -> datetime:
    """PostgreSQL knows fewer offsets than Python. Raises ValueError and, at the ends of time, OverflowError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)


class Choice(forms.ChoiceField):
    def __init__(self, label: str, choices: Sequence[Any], *, otherwise: str) -> None:
        messages = {"invalid_choice": otherwise}
        super().__init__(label=label, choices=choices, required=False, error_messages=messages)


class AgentChoice(Choice):
    def __init__(self, agents: Sequence[Agent]) -> None:
        named = ((agent.public_id, agent.name) for agent in agents)
        choices = [("", "All agents"), *named, (NOBODY, UNASSIGNED)]
        super().__init__(
            "Agent", choices, otherwise="Choose an agent from the list: your account has no other."
        )


class ModelChoice(Choice):
    """A model, or what is charged without one."""

    def __init__(self, models: Sequence[str]) -> None:
        services = [(slug, WITHOUT_MODEL[type]) for slug, type in SERVICES.items()]
        choices = [("", "All models"), ("Models", [(name, name) for name in models]), ("Services", services)]
        super().__init__(
            "Model", choices, otherwise="Choose a model from the list: no other was ever priced."
        )


class RecordsForm(forms.Form):
    """Filters in the URL. `from` and `to` are local days, both included."""

    type = forms.ChoiceField(choices=TYPES, required=False)
    before = Moment()
    after = Moment()

    def __init__(self, data: Mapping[str, Any], *, agents: Sequence[Agent], models: Sequence[str]) -> None:
        super().__init__(data, label_suffix="")
        self.fields["from"] = Day("From")
        self.fields["to"] = Day("To")
        self.fields["agent"] = AgentChoice(agents)
        self.fields["model"] = ModelChoice(models)

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        since, until = found.get("from"), found.get("to")
        if since and until and since > until:
            self.add_error("to", "Choose a day that is not before the first one.")
        return found

    @property
    def wanted(self) -> Wanted:
        found = self.cleaned_data
        return Wanted(found["type"], agent_chosen(found["agent"]), found["from"], found["to"], found["model"])

    @property
    def is_filtered(self) -> bool:
        return any(self.data.get(name) for name in ("from", "to", "type", "agent", "model"))


def agent_chosen(choice: str) -> tuple[UUID | None] | None:
    if not choice:
        return None
    return (None,) if choice == NOBODY else (ids.parse("agent", choice),)


class Count(WholeNumber):
    """A whole number, zero unless told."""

    def __init__(self, label: str, *, most: int, initial: int = 0) -> None:
        messages = {"min_value": "Enter 0 or more.", "max_value": f"Enter at most {most:,}."}
        super().__init__(
            label=label, min_value=0, max_value=most, initial=initial, required=False, error_messages=messages
        )
        self.widget.attrs["inputmode"] = "numeric"

    def clean(self, value: Any) -> int:
        return super().clean(value) or 0


class CalculatorForm(forms.Form):
    """What a month may bring. Without a query it shows an example."""

    messages = Count("Chat messages a month", most=100_000_000, initial=3_000)
    input_tokens = Count("Input tokens per message", most=10_000_000, initial=2_000)
    output_tokens = Count("Output tokens per message", most=10_000_000, initial=500)
    retrievals = Count("Knowledge retrievals per message", most=1_000, initial=1)
    minutes = Count("Minutes of calls a month", most=10_000_000, initial=60)
    numbers = Count("Phone numbers", most=10_000, initial=1)
    pages = Count("Pages ingested", most=10_000_000, initial=100)

    def __init__(self, data: Mapping[str, Any] | None, *, models: Sequence[tuple[str, str]]) -> None:
        super().__init__(data, label_suffix="")
        self.fields["model"] = forms.ChoiceField(choices=models, initial="gpt-4o")
        self.order_fields(["model"])

    @property
    def expected(self) -> Expected | None:
        """What was asked for, or the example; None while a field is refused."""
        if not self.is_bound:
            return Expected(**{name: field.initial for name, field in self.fields.items()})
        return Expected(**self.cleaned_data) if self.is_valid() else None
