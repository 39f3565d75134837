"""The form of what an account wants printed on its receipts."""

import re

from django import forms
from django.core.exceptions import ValidationError

from accounts.text import is_unprintable, is_visible
from billing.models import BillingDetails

LINES = 6


class Printed(forms.CharField):
    """Text that will be printed: one line, or `lines` of them."""

    def __init__(
        self, label: str, *, max_length: int, lines: int = 1, hint: str = "", autocomplete: str = ""
    ) -> None:
        widget = forms.Textarea(attrs={"rows": 4}) if lines > 1 else forms.TextInput()
        widget.attrs |= {"autocomplete": autocomplete} if autocomplete else {}
        super().__init__(label=label, max_length=max_length, required=False, widget=widget, help_text=hint)
        self.lines = lines

    def clean(self, value: object) -> str:
        text: str = super().clean(value)
        lines = [" ".join(line.split()) for line in re.split(r"\r\n|\r|\n", text)]
        lines = [line for line in lines if line]
        if any(map(is_unprintable, "".join(lines))):
            raise ValidationError("It has a character that cannot be printed. Type it again.")
        if any(not is_visible(line) for line in lines):
            raise ValidationError("It has no visible character. Type it again, or leave it empty.")
        if len(lines) > self.lines:
            raise ValidationError(f"Write at most {self.lines} lines.")
        return "\n".join(lines)


class BillingDetailsForm(forms.ModelForm):
    name = Printed(
        "Name or company", max_length=120, autocomplete="organization",
        hint="Left empty, the name of your account is printed.",
    )  # fmt: skip
    address = Printed(
        "Address", max_length=400, lines=LINES, autocomplete="street-address",
        hint=f"As it should be printed, at most {LINES} lines.",
    )  # fmt: skip
    tax_id = Printed(
        "Tax id", max_length=40, autocomplete="off",
        hint="Such as a VAT number. Printed as you type it; we do not verify it.",
    )  # fmt: skip

    class Meta:
        model = BillingDetails
        fields = ("name", "address", "tax_id")
