"""Forms of paying."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings

from accounts import ids
from billing import topup_limits
from billing.amounts import Amount
from billing.models import PaymentMethod, TopUp
from billing.money import CENT, usd
from billing.topups import Order

PRESETS = ("10", "25", "50", "100", "250", "500")  # dollars
NEW = "new"


class TopUpId(forms.CharField):
    """Drawn when the form is shown: sent twice, the form is one payment."""

    widget = forms.HiddenInput

    def clean(self, value: object) -> UUID:
        found = ids.parse("top", str(value or ""))
        if found is None:
            raise forms.ValidationError("This form was damaged. Please choose again.")
        return found


class AddFundsForm(forms.Form):
    topup = TopUpId(initial=lambda: ids.public("top", ids.uuid7()))
    preset = forms.ChoiceField(label="Amount", required=False, initial="25")
    amount = Amount(label="Other amount", required=False)
    method = forms.ChoiceField(label="Pay with")
    save_card = forms.BooleanField(label="Save the new card for later", required=False)

    def __init__(self, *args: object, cards: list[PaymentMethod], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.cards = cards
        self.presets = [text for text in PRESETS if not topup_limits.amount_refusal(Decimal(text))]
        self.fields["preset"].choices = [(text, f"${text}") for text in self.presets]
        self.fields["method"].choices = [*((card.gateway_id, str(card)) for card in cards), (NEW, "New card")]
        self.fields["method"].error_messages |= {
            "required": "Choose how to pay.",
            "invalid_choice": "This card is no longer saved. Choose another way to pay.",
        }
        self.initial.setdefault("method", cards[0].gateway_id if cards else NEW)
        smallest, largest = usd(settings.TOPUP_MIN), usd(settings.TOPUP_MAX)
        other = self.fields["amount"]
        other.error_messages["invalid"] = "Type an amount such as 25.00."
        other.help_text = f"From {smallest} to {largest}. An amount typed here replaces the choice above."
        other.widget.attrs |= {
            "min": settings.TOPUP_MIN, "max": settings.TOPUP_MAX, "step": "0.01",
            "inputmode": "decimal", "autocomplete": "off",
        }  # fmt: skip

    def clean_amount(self) -> Decimal | None:
        typed: Decimal | None = self.cleaned_data["amount"]
        if typed is not None and (refusal := topup_limits.amount_refusal(typed)):
            raise forms.ValidationError(refusal)
        return typed

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "amount" in data and data["amount"] is None and not data.get("preset"):
            self.add_error("amount", "Choose an amount, or type one.")
        return data

    def order(self, actor: str) -> Order:
        data = self.cleaned_data
        is_new_card = data["method"] == NEW
        return Order(
            amount=(data["amount"] or Decimal(data["preset"])).quantize(CENT),
            origin=TopUp.Origin.PAGE,
            actor=actor,
            card="" if is_new_card else data["method"],
            save_card=is_new_card and data["save_card"],
            topup_id=data["topup"],
        )

    def with_new_id(self) -> "AddFundsForm":
        """The same choices in a form that is another payment."""
        self.data = {**self.data.dict(), "topup": ids.public("top", ids.uuid7())}
        return self


class CheckoutForm(forms.Form):
    """The sandbox's payment page: one of the test cards, picked or typed."""

    pick = forms.ChoiceField(required=False)
    number = forms.CharField(
        label="Another test card's number", required=False, max_length=80,
        help_text="Test cards only: never type a real card here.",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )  # fmt: skip
