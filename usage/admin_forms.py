"""What staff type: a new price, and the reason for a reversal."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.utils import timezone

from accounts.errors import Invalid
from billing.money import usd_exact
from usage import pricing, rate_card
from usage.models import Price

FACTOR = 10  # more than this is more often a slip of the decimal point than a price


class PriceForm(forms.ModelForm):
    effective_from = forms.SplitDateTimeField(
        required=False, widget=AdminSplitDateTime, help_text="UTC. Empty: from now on."
    )
    confirmed = forms.BooleanField(
        required=False,
        label="Yes, this price is meant",
        help_text="Only asked when a price is far from the last one.",
    )

    class Meta:
        model = Price
        fields = ("meter", "rate", "reason")
        help_texts = {
            "meter": "retrieval.query, voice.minute, number.period, knowledge.page, knowledge.chunk, or "
            "<model>.input and <model>.output.",
            "rate": "Dollars: per 1,000,000 tokens, per minute, query, page, chunk, or 30 days.",
        }

    def clean_effective_from(self) -> datetime | None:
        moment: datetime | None = self.cleaned_data["effective_from"]
        if moment is not None and moment < timezone.now():
            raise forms.ValidationError("A price cannot begin in the past. Leave it empty for now.")
        return moment

    def clean_meter(self) -> str:
        try:
            rate_card.check_meter(self.cleaned_data["meter"])
        except Invalid as refusal:
            raise forms.ValidationError(refusal.detail) from None
        return str(self.cleaned_data["meter"])

    def clean_rate(self) -> Decimal:
        rate: Decimal = self.cleaned_data["rate"]
        if rate < 0:
            raise forms.ValidationError("A rate is a number of dollars from 0 on.")
        return rate

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        meter, rate, start = found.get("meter"), found.get("rate"), found.get("effective_from")
        if meter and rate is not None and "effective_from" not in self.errors:
            if start and Price.objects.filter(meter=meter, effective_from=start).exists():
                self.add_error("effective_from", "This meter already has a price from that moment on.")
            self._ask_if_meant(meter, rate, start or timezone.now())
        return found

    def _ask_if_meant(self, meter: str, rate: Decimal, start: datetime) -> None:
        try:
            last = rate_card.fresh().rate(meter, start)
        except pricing.UnknownMeter:
            return
        if is_far(rate, last) and not self.cleaned_data.get("confirmed"):
            text = (
                f"{usd_exact(rate)} is more than {FACTOR} times off the price until then, {usd_exact(last)}."
            )
            self.add_error("confirmed", f"{text} Nothing was added. Tick this if it is meant.")


def is_far(rate: Decimal, last: Decimal) -> bool:
    return rate != last and (rate > last * FACTOR or rate * FACTOR < last)


class ReversalForm(forms.Form):
    reason = forms.CharField(
        max_length=400, widget=forms.TextInput(attrs={"size": 80}),
        help_text="Kept for ever, and shown to the customer beside the reversal.",
    )  # fmt: skip
