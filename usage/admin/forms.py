"""What staff type: a new price, the reason for a reversal, and the answer to a flag."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.utils import timezone

from accounts.errors import Invalid
from billing.amounts import Amount
from billing.money import usd_exact
from usage import dry_run, flags, pricing, rate_card
from usage.models import Flag, Price

FACTOR = 10  # this far off is more often a slip of the decimal point than a price


class PriceForm(forms.ModelForm):
    tried_on: dry_run.DryRun | None = None

    effective_from = forms.SplitDateTimeField(
        required=False, widget=AdminSplitDateTime, help_text="UTC. Empty: from now on."
    )
    tried = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)
    confirmed = forms.BooleanField(
        required=False,
        label="Yes, this price is meant",
        help_text="Only asked when a price is far from the last one.",
    )

    class Meta:
        model = Price
        fields = ("meter", "rate", "reason")
        field_classes = {"rate": Amount}
        help_texts = {
            "meter": "retrieval.query, voice.minute, number.period, knowledge.page, knowledge.chunk, or a model's "
            "two, such as gpt-4o.input and gpt-4o.output.",
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
        if not meter or rate is None or "effective_from" in self.errors:
            return found
        if start and Price.objects.filter(meter=meter, effective_from=start).exists():
            self.add_error("effective_from", "This meter already has a price from that moment on.")
        if not found.get("confirmed"):
            self._ask_if_meant(meter, rate, start or timezone.now())
        self._try(meter, rate, start)
        return found

    def _ask_if_meant(self, meter: str, rate: Decimal, start: datetime) -> None:
        last = rate_until(meter, start)
        if last is not None and is_far(rate, last):
            off = f"{usd_exact(rate)} is {FACTOR} times off the price until then, {usd_exact(last)}, or more."
            self.add_error("confirmed", f"{off} Nothing was added. Tick this if it is meant.")

    def _try(self, meter: str, rate: Decimal, start: datetime | None) -> None:
        """Last week is shown with exactly this price before it can be added."""
        self.tried_on = dry_run.try_price(meter, rate, now=timezone.now())
        wanted = f"{meter} {rate} {start and start.isoformat()}"
        if self.cleaned_data.get("tried") != wanted:
            self.data = {**self.data.dict(), "tried": wanted}
            self.add_error(None, "Nothing was added yet. See what this price would have done, then add it.")


def rate_until(meter: str, start: datetime) -> Decimal | None:
    """What applies until a new price begins."""
    try:
        return rate_card.fresh().rate(meter, start)
    except pricing.UnknownMeter:
        return None


def is_far(rate: Decimal, last: Decimal) -> bool:
    """A slip of the decimal point is exactly ten times off."""
    return rate != last and (rate >= last * FACTOR or rate * FACTOR <= last)


class ReversalForm(forms.Form):
    reason = forms.CharField(
        max_length=400, widget=forms.TextInput(attrs={"size": 80}),
        help_text="Kept for ever, and shown to the customer beside the reversal.",
    )  # fmt: skip


class AnswerForm(forms.Form):
    outcome = forms.ChoiceField(widget=forms.RadioSelect)
    text = forms.CharField(
        label="Answer", max_length=flags.LONGEST, widget=forms.Textarea(attrs={"rows": 4, "cols": 80}),
        help_text="The customer reads it beside the charge.",
    )  # fmt: skip

    def __init__(self, *args: Any, may_reverse: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(Flag.Outcome.EXPLAINED.value, "Explain it: the charge stays")]
        if may_reverse:
            choices.append((Flag.Outcome.REVERSED.value, "Reverse it: the money goes back today"))
        self.fields["outcome"].choices = choices
