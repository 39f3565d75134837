"""The form by which a member asks about a charge."""

from django import forms
from django.core.exceptions import ValidationError

from accounts.text import is_visible
from usage.flags import LONGEST


class FlagForm(forms.Form):
    text = forms.CharField(
        label="What looks wrong?", max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"Our staff read it beside the record. At most {LONGEST} characters; no passwords or card numbers.",
        error_messages={"required": "Say in a few words what looks wrong."},
    )  # fmt: skip

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        if not is_visible(text):
            raise ValidationError("Say in a few words what looks wrong.")
        return text
