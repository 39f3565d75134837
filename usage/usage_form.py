"""What the usage page is asked: a period, how to break it down, and filters. All in the address, asked with GET."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import forms

from usage import spans
from usage.breakdown import Wanted
from usage.forms import AgentChoice, Choice, Day, ModelChoice, agent_chosen
from usage.models import Agent
from usage.reports import CATEGORIES
from usage.spans import CUSTOM, DEFAULT, Span

BY = (("category", "Category"), ("agent", "Agent"), ("model", "Model"), ("day", "Day"))
MOST_DAYS = 366
FILTERS = ("type", "agent", "model")
DATES = ("from", "to")


class UsageForm(forms.Form):
    """`from` and `to` count with the period "From and to" only, and make it the period where none is named."""

    field_order = ("period", *DATES, "by", *FILTERS)

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        agents: Sequence[Agent],
        models: Sequence[str],
        today: date,
        born: date,
    ) -> None:
        asked = {name: data[name] for name in self.field_order if data.get(name)}
        dated = any(name in asked for name in DATES)
        super().__init__({"period": CUSTOM if dated else DEFAULT, "by": "category"} | asked, label_suffix="")
        self.today, self.born = today, born
        periods = [*spans.NAMES.items(), ("Months", spans.months(born, today=today))]
        since = f"Choose one from the list: your account has months from {born:%B %Y} to now."
        self.fields["period"] = Choice("Period", periods, otherwise=since)
        self.fields["by"] = Choice("Break down by", BY, otherwise="Choose one from the list.")
        self.fields["from"], self.fields["to"] = Day("From"), Day("To")
        self.fields["type"] = Choice(
            "Category", [("", "All categories"), *CATEGORIES.items()], otherwise="Choose one from the list."
        )
        self.fields["agent"], self.fields["model"] = AgentChoice(agents), ModelChoice(models)
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        if found.get("period") == CUSTOM and "from" in found and "to" in found:
            self._check_days(found["from"], found["to"])
        return found

    def _check_days(self, first: date | None, last: date | None) -> None:
        last = last or self.today
        if first is None:
            self.add_error("from", "Choose the first day.")
        elif first > self.today:
            self.add_error(
                "from", f"This day is in the future: it is {self.today.isoformat()} for your account."
            )
        elif last > self.today:
            self.add_error(
                "to", f"This day is in the future: it is {self.today.isoformat()} for your account."
            )
        elif first > last:
            self.add_error("to", "Choose a day that is not before the first one.")
        elif last < self.born:
            self.add_error("to", f"Your account began on {self.born.isoformat()}.")
        elif (last - max(first, self.born)).days >= MOST_DAYS:
            self.add_error("from", f"Choose at most {MOST_DAYS} days at a time.")

    @property
    def span(self) -> Span:
        """Days before the account's first are left out of days that were chosen one by one."""
        found = self.cleaned_data
        if found["period"] != CUSTOM:
            return spans.named(found["period"], today=self.today)
        return spans.custom(max(found["from"], self.born), found["to"] or self.today)

    @property
    def wanted(self) -> Wanted:
        found, span = self.cleaned_data, self.span
        return Wanted(
            period=span.period,
            before=span.before,
            by=found["by"],
            category=found["type"],
            agent=agent_chosen(found["agent"]),
            service=found["model"],
        )

    @property
    def filters(self) -> dict[str, str]:
        """The filters in force, as an address has them."""
        return {name: self.cleaned_data[name] for name in FILTERS if self.cleaned_data[name]}

    @property
    def refused(self) -> str:
        """The labels of what was not understood."""
        return ", ".join(str(self.fields[name].label) for name in self.errors if name in self.fields)

    @property
    def unused_dates(self) -> str:
        """The query that applies dates which stand beside another period; empty where there are none."""
        found = self.cleaned_data
        if found["period"] == CUSTOM or not (found["from"] or found["to"]):
            return ""
        dates = {name: found[name].isoformat() for name in DATES if found[name]}
        return urlencode({"period": CUSTOM, "by": found["by"]} | dates | self.filters)

    @property
    def left_out(self) -> bool:
        """Whether days before the account's first were asked for."""
        found = self.cleaned_data
        return found["period"] == CUSTOM and found["from"] < self.born
