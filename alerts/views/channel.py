"""Where a member's next alert rule tells, chosen on the Account page."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.access import member
from accounts.models import User
from alerts import subscriptions
from alerts.models import Channel
from billing.views import see_other


class ChannelForm(forms.Form):
    channel = forms.ChoiceField(
        label="My new alert rules notify me by",
        choices=Channel.choices,
        help_text="Your existing rules stay as they are.",
    )


def channel_form(user: User) -> ChannelForm | None:
    """None for who adds no rules."""
    return ChannelForm(initial={"channel": subscriptions.channel_of(user)}) if user.may("admin") else None


@require_POST
@member(role="admin")
def choose_channel(request: HttpRequest) -> HttpResponse:
    form = ChannelForm(request.POST)
    if form.is_valid():
        subscriptions.prefer(request.user, channel=form.cleaned_data["channel"])
        messages.success(request, "Saved. New alert rules start with this choice.")
    else:
        messages.error(request, "Nothing was saved. Choose one of the ways in the list, then save again.")
    return see_other(reverse("account"))
