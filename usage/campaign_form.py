"""The form of a campaign's plan: made as a draft, edited until the launch."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from accounts import ids
from accounts.text import is_unprintable, is_visible
from billing.amounts import WholeNumber
from usage import local_time
from usage.agents import UNASSIGNED
from usage.campaigns import Plan
from usage.models import Agent, Campaign

MOST_CALLS = 1_000_000
FURTHEST = timedelta(days=366)
LOCAL = "%Y-%m-%dT%H:%M"  # as browsers send and want a local time


class Quantity(WholeNumber):
    def __init__(self, label: str, *, most: int, help_text: str = "") -> None:
        sentence = f"Enter a whole number from 1 to {most:,}."
        errors = dict.fromkeys(("required", "invalid", "min_value", "max_value"), sentence)
        super().__init__(label=label, min_value=1, max_value=most, help_text=help_text, error_messages=errors)
        self.widget.attrs["inputmode"] = "numeric"


class CampaignForm(forms.Form):
    """`id` is drawn when the form is shown: sending it twice makes one campaign. Times are the account's local ones."""

    id = forms.UUIDField(widget=forms.HiddenInput, initial=ids.uuid7, required=False)
    name = forms.CharField(
        label="Name", max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Give it a name of 1 to 80 characters."},
    )  # fmt: skip
    agent = forms.ChoiceField(label="Agent", error_messages={"required": "Choose the agent that calls."})
    calls = Quantity("Planned calls", most=MOST_CALLS)
    seconds_per_call = Quantity(
        "Seconds per call",
        most=settings.LIMIT_SECONDS,
        help_text="How long you expect an answered call to last. Unanswered calls are free.",
    )
    starts = forms.DateTimeField(
        label="Start", required=False, input_formats=[LOCAL],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=LOCAL),
        error_messages={"invalid": "Choose a day and a time, such as 2026-03-05 14:30."},
    )  # fmt: skip

    def __init__(
        self,
        data: Any = None,
        *,
        agents: Sequence[Agent],
        timezone: str,
        now: datetime,
        campaign: Campaign | None = None,
    ) -> None:
        super().__init__(data, initial=_initial(campaign, timezone) if campaign else None, label_suffix="")
        self.timezone, self.now = timezone, now
        first = ("", "Choose an agent") if agents else ("", UNASSIGNED)
        self.fields["agent"].choices = [first, *((agent.public_id, agent.name) for agent in agents)]
        self.fields["agent"].required = bool(agents)
        self.fields[
            "starts"
        ].help_text = (
            f"Leave it empty to start as soon as it is launched. In {timezone} it is {self.here:%H:%M} now."
        )

    @property
    def here(self) -> datetime:
        """The clock where the account is."""
        return self.now.astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None)

    def clean_name(self) -> str:
        name = unicodedata.normalize("NFC", self.cleaned_data["name"])
        kinds = [unicodedata.category(character) for character in name]
        if any(map(is_unprintable, name)) or not {"Cs", "Zl", "Zp"}.isdisjoint(kinds):
            raise ValidationError("A name must have no control characters.")
        if not is_visible(name):
            raise ValidationError("A name must have a letter, a digit or a visible sign.")
        return name

    def clean_starts(self) -> datetime | None:
        """As a moment. A time that comes twice means the first."""
        local = self.cleaned_data["starts"]
        if local is None:
            return None
        local = local.replace(tzinfo=None)
        if local > self.here + FURTHEST:
            raise ValidationError("Choose a day within the next twelve months.")
        if local <= self.here:
            raise ValidationError("That has passed. Choose a later time, or leave it empty.")
        try:
            return local_time.moment(local, self.timezone)
        except local_time.ClockSkipsIt as skipped:
            raise ValidationError(str(skipped)) from None

    @property
    def plan(self) -> Plan:
        found = self.cleaned_data
        return Plan(
            found["name"], ids.parse("agent", found["agent"]), found["calls"], found["seconds_per_call"],
            found["starts"],
        )  # fmt: skip

    @property
    def campaign_id(self) -> UUID:
        return self.cleaned_data["id"] or ids.uuid7()


def _initial(campaign: Campaign, timezone: str) -> dict[str, Any]:
    at = campaign.scheduled_at
    return {
        "name": campaign.name,
        "agent": campaign.agent.public_id if campaign.agent else "",
        "calls": campaign.calls,
        "seconds_per_call": campaign.seconds_per_call,
        "starts": at.astimezone(ZoneInfo(timezone)).replace(tzinfo=None) if at else None,
    }
