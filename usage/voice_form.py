"""The small calculator of the Phone & Voice Billing page. Asked with GET, so that its result can be shared."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms

from billing.amounts import Amount
from usage.forms import Count
from usage.voice_prices import Expected

LONGEST = 1_440  # minutes: a day, the longest call there is


class Minutes(Amount):
    def __init__(self) -> None:
        sentence = f"Enter minutes from 0 to {LONGEST:,}, such as 2.5."
        messages = dict.fromkeys(("invalid", "min_value", "max_value", "max_decimal_places"), sentence)
        super().__init__(
            label="Minutes per call", min_value=0, max_value=LONGEST, decimal_places=2, required=False,
            initial=Decimal("2.5"), error_messages=messages,
            widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "any"}),
        )  # fmt: skip

    def clean(self, value: Any) -> Decimal:
        return super().clean(value) or Decimal(0)


class VoiceForm(forms.Form):
    """Without a query it shows an example."""

    calls = Count("Answered calls a day", most=1_000_000, initial=20)
    minutes = Minutes()
    numbers = Count("Phone numbers", most=10_000, initial=1)

    def __init__(self, data: Mapping[str, Any] | None) -> None:
        super().__init__(data, label_suffix="")

    @property
    def expected(self) -> Expected | None:
        """What was asked for, or the example; None while a field is refused."""
        if not self.is_bound:
            return Expected(**{name: field.initial for name, field in self.fields.items()})
        return Expected(**self.cleaned_data) if self.is_valid() else None
