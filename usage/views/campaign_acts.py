"""What people do with a campaign: its owner launches, pauses and resumes it; whoever plans may discard a draft."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.access import View, member
from billing.views import form_page, see_other
from usage import campaigns
from usage.models import Campaign
from usage.views.campaigns import attempt, mine, shown, url


def _act(view: Callable[[HttpRequest, Campaign, datetime], None]) -> View:
    """A button of the campaign's owner: does it, says what happened, and goes back to the campaign."""

    @require_POST
    @member(role="owner")
    @wraps(view)
    def acted(request: HttpRequest, public_id: str) -> HttpResponse:
        row = mine(request, public_id)
        view(request, row, timezone.now())
        return see_other(url(row))

    return acted


@_act
def launch(request: HttpRequest, row: Campaign, now: datetime) -> None:
    """As it was shown: the form carries the plan that the estimate was made for."""
    if request.POST.get("shown") != shown(row):
        messages.error(
            request, "The plan was changed meanwhile. It was not launched: look at the new estimate."
        )
        return
    begins = "It starts at its time." if row.scheduled_at and row.scheduled_at > now else "It starts now."
    attempt(
        request, lambda: campaigns.launch(row, actor=request.user.public_id, now=now), f"Launched. {begins}"
    )


def _is_over(request: HttpRequest, row: Campaign) -> bool:
    """Whether there is nothing to pause or resume any more, as an old page may offer; then it says so."""
    if row.finished_at:
        messages.info(request, "It is finished: all its calls are placed. Nothing was changed.")
    return row.finished_at is not None


@_act
def pause(request: HttpRequest, row: Campaign, now: datetime) -> None:
    if _is_over(request, row):
        return
    said = "Paused. Calls on the line are finished; no new one is placed until you resume it."
    attempt(request, lambda: campaigns.pause(row, now=now), said)


@_act
def resume(request: HttpRequest, row: Campaign, now: datetime) -> None:
    if _is_over(request, row):
        return
    said = "Resumed. It goes on from here: what fell due meanwhile is not placed all at once."
    attempt(request, lambda: campaigns.resume(row, now=now), said)


@form_page
@never_cache
@member(role="admin")
def discard(request: HttpRequest, public_id: str) -> HttpResponse:
    """Asks first: a draft that is gone is gone."""
    row = mine(request, public_id)
    if request.method != "POST" and row.launched_at is None:
        return render(request, "usage/discard_campaign.html", {"campaign": row})
    if request.method == "POST":
        attempt(request, lambda: campaigns.discard(row), f"“{row.name}” is discarded.")
    return see_other(url(row) if row.launched_at else reverse("campaigns"))
