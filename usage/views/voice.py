"""Phone & Voice Billing: what calls and numbers cost, when, and what happens when the balance does not cover them."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import member
from usage import price_list, rate_card, rent_history, rents, voice_prices
from usage.voice_form import VoiceForm

METERS = ("voice.minute", "number.period")


@require_safe
@never_cache
@member()
def voice_billing(request: HttpRequest) -> HttpResponse:
    card, now = rate_card.fresh(), timezone.now()
    form = VoiceForm(request.GET or None)
    expected = form.expected
    context = {
        "minute": price_list.rate_of(card, "voice.minute", now),
        "number": price_list.rate_of(card, "number.period", now),
        "changes": price_list.changes(card, now, meters=METERS),
        "examples": voice_prices.examples(card, now),
        "reservation": voice_prices.reservation(card, now),
        "days": days(),
        "form": form,
        "expected": expected,
        "estimate": voice_prices.estimate(expected, card, now) if expected else None,
        "month": voice_prices.MONTH,
        "timezone": request.account.timezone,
        "may_add": request.user.may("admin"),
    }
    return render(request, "usage/voice_billing.html", context)


def days() -> dict[str, int]:
    """The days in the life of a number, counted from its renting."""
    due = rents.PERIOD.days
    return {
        "period": due,
        "announced": due - rent_history.ANNOUNCED.days,
        "before": rent_history.ANNOUNCED.days,
        "grace": rents.GRACE.days,
        "suspended": due + rents.GRACE.days,
        "next": 2 * due,
    }
