"""Forms of paying back. Each carries the id of the refund it makes: sent twice, it is one refund."""

from typing import Any
from uuid import UUID

from django import forms

from accounts import ids


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
