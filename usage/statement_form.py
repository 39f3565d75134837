"""Which month a statement is asked for."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms

from usage import periods, spans
from usage.periods import Period

MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class StatementForm(forms.Form):
    """A month from the account's first to the running one, which it is where none is named."""

    def __init__(self, data: Mapping[str, Any], *, first: date, today: date) -> None:
        month = str(data.get("month") or f"{today:%Y-%m}")
        super().__init__({"month": month}, label_suffix="")
        self.first, self.today = first.replace(day=1), today
        choices = forms.Select(choices=spans.months(first, today=today))
        self.fields["month"] = forms.CharField(label="Month", widget=choices, max_length=7)
        self.fields["month"].error_messages["max_length"] = "Choose a month from the list."

    def clean_month(self) -> str:
        month = str(self.cleaned_data["month"])
        first, last = f"{self.first:%Y-%m}", f"{self.today:%Y-%m}"
        if not MONTH.fullmatch(month):
            raise forms.ValidationError("Choose a month from the list, such as 2026-03.")
        if month < first:
            raise forms.ValidationError(f"Your account's first statement is that of {self.first:%B %Y}.")
        if month > last:
            raise forms.ValidationError("This month is in the future: it has no statement yet.")
        return month

    @property
    def month(self) -> Period:
        """The whole month, also while it runs."""
        return periods.month_of(date.fromisoformat(f"{self.cleaned_data['month']}-01"))

    @property
    def is_running(self) -> bool:
        return self.month.last >= self.today

    @property
    def previous(self) -> str:
        """The month before, as an address has it; empty where there is none."""
        before = self.month.first - periods.DAY
        return f"{before:%Y-%m}" if before >= self.first else ""

    @property
    def next(self) -> str:
        return "" if self.is_running else f"{self.month.last + periods.DAY:%Y-%m}"
