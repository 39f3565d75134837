"""What a member prefers: which emails about the account reach them, and where a new rule of theirs tells."""

from typing import Any

from django import forms

from accounts import recipients
from accounts.models import Emails, User
from alerts import subscriptions
from alerts.models import Channel

WORDS = {
    Emails.ALL: "Everything: what matters, and what alert rules find",
    Emails.IMPORTANT: "What matters: payments, and what stops and starts again",
    Emails.NONE: "Nothing: I read it in the dashboard",
}


class PreferencesForm(forms.Form):
    """`channel` is asked of those who may add rules."""

    emails = forms.ChoiceField(label="Emails I get", widget=forms.RadioSelect)
    channel = forms.ChoiceField(
        label="My new alert rules notify me by",
        choices=Channel.choices,
        help_text="You can choose differently for each rule. Your existing rules stay as they are.",
    )

    def __init__(self, *args: Any, member: User, **kwargs: Any) -> None:
        wish, channel = recipients.wish_of(member), subscriptions.channel_of(member)
        super().__init__(*args, **kwargs | {"initial": {"emails": wish, "channel": channel}})
        emails = self.fields["emails"]
        assert isinstance(emails, forms.ChoiceField)
        emails.choices = [(wish.value, WORDS[wish]) for wish in recipients.choices_of(member)]
        if not member.may("admin"):
            del self.fields["channel"]

    def save(self, member: User) -> None:
        recipients.choose(member, Emails(self.cleaned_data["emails"]))
        if "channel" in self.cleaned_data:
            subscriptions.prefer(member, channel=self.cleaned_data["channel"])
