"""What a member prefers: where a new rule of theirs tells, and whether optional email reaches them."""

from django import forms

from alerts.models import Channel


class PreferencesForm(forms.Form):
    channel = forms.ChoiceField(
        label="My new alert rules tell by",
        choices=Channel.choices,
        help_text="For each rule you may choose otherwise. Rules you have stay as they are.",
    )
    optional = forms.BooleanField(
        label="Email me what alert rules find",
        required=False,
        widget=forms.CheckboxInput(attrs={"role": "switch"}),
    )
