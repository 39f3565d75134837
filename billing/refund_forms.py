"""Forms of paying back. Each carries the id of the refund it makes: sent twice, it is one refund."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms

from accounts import ids
from billing.money import CENT, usd


class RefundId(forms.CharField):
    """Drawn when the form is shown."""

    widget = forms.HiddenInput

    def __init__(self, **options: Any) -> None:
        super().__init__(initial=lambda: ids.public("ref", ids.uuid7()), **options)

    def clean(self, value: object) -> UUID:
        found = ids.parse("ref", str(value or ""))
        if found is None:
            raise forms.ValidationError("This form was damaged. Nothing was refunded; please open it again.")
        return found


class OwnRefundForm(forms.Form):
    """A customer's: there is nothing to choose."""

    refund = RefundId()


class StaffRefundForm(forms.Form):
    refund = RefundId()
    amount = forms.DecimalField(max_digits=12, decimal_places=2, min_value=CENT)
    reason = forms.CharField(
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For the audit log; the customer does not see it.",
    )

    def __init__(self, *args: Any, most: Decimal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("amount", most)
        self.fields["amount"].help_text = f"Dollars and whole cents, at most {usd(most)} now."
