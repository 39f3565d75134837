"""What staff type when they move money by hand: whole cents and a reason. A hidden key makes a double click one act."""

from decimal import Decimal
from typing import Any

from django import forms

from accounts import ids
from billing.amounts import Amount
from billing.forms import TopUpId
from billing.money import CENT, usd
from billing.refund_forms import RefundId


class Reason(forms.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=400, widget=forms.Textarea(attrs={"rows": 3}), **options)


class ByHandForm(forms.Form):
    key = forms.CharField(widget=forms.HiddenInput, max_length=60, initial=lambda: f"staff:{ids.uuid7()}")
    amount = Amount(max_digits=12, decimal_places=2, help_text="Dollars and whole cents.")
    reason = Reason(help_text="Kept for ever, in the ledger and the audit log.")


class GrantForm(ByHandForm):
    amount = Amount(
        max_digits=12,
        decimal_places=2,
        min_value=CENT,
        help_text="Dollars: spent before paid funds, never refunded.",
    )


class AdjustForm(ByHandForm):
    amount = Amount(
        max_digits=12, decimal_places=2, help_text="Dollars; negative takes away, and must fit the balance."
    )

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if amount == 0:
            raise forms.ValidationError("Zero changes nothing.")
        return amount


class TransferForm(forms.Form):
    """Money that came without a processor. `topup_id` is the id that its top-up gets."""

    topup_id = TopUpId(initial=lambda: ids.public("top", ids.uuid7()))
    amount = Amount(
        max_digits=12, decimal_places=2, min_value=CENT, help_text="Dollars that arrived at your bank."
    )
    reason = Reason(help_text="Such as the bank's reference. The customer does not see it.")


class FreezeForm(forms.Form):
    reason = Reason(help_text="For the audit log; the customer sees only that staff froze spending.")


class StaffRefundForm(forms.Form):
    refund = RefundId()
    amount = Amount(max_digits=12, decimal_places=2, min_value=CENT)
    reason = Reason(help_text="For the audit log; the customer does not see it.")

    def __init__(self, *args: Any, most: Decimal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("amount", most)
        self.fields["amount"].help_text = f"Dollars and whole cents, at most {usd(most)} now."
