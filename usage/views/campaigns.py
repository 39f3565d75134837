"""Campaigns: the list with the form of a new one, and one campaign with its plan and what it will cost."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts import access
from accounts.access import member
from accounts.errors import Problem
from billing import auto_topup, selectors
from billing.selectors import Funds
from billing.views import form_page, see_other
from usage import campaign_estimate, campaigns, local_time, periods, rate_card, reports
from usage.agents import UNASSIGNED
from usage.campaign_form import CampaignForm
from usage.campaigns import CampaignNotFound
from usage.models import Agent, Campaign
from usage.periods import Period
from usage.reports import Row
from usage.running import Run, RunState
from usage.views.agents import funds_of

PER_PAGE = 25


@dataclass(frozen=True, slots=True)
class Line:
    """A campaign in the list. `spent` is what its agent spent this month, in everything it does."""

    campaign: Campaign
    run: Run
    spent: Row | None


@form_page
@never_cache
@member()
def campaign_list(request: HttpRequest) -> HttpResponse:
    """Everybody sees; admins and owners plan a new one."""
    now = timezone.now()
    if request.method != "POST":
        return _list(request, _form(request, now=now), now=now)
    _require_admin(request)
    form = _form(request, now=now, data=request.POST)
    if not form.is_valid():
        return _list(request, form, now=now)
    return see_other(url(_make(request, form, now=now)))


def _make(request: HttpRequest, form: CampaignForm, *, now: datetime) -> Campaign:
    try:
        with transaction.atomic():
            made = campaigns.create(request.account.id, form.plan, now=now, id=form.campaign_id)
    except IntegrityError:  # the same form was sent twice
        return mine(request, Campaign(pk=form.campaign_id).public_id)
    messages.success(request, f"“{made.name}” is saved as a draft. No call is placed before its launch.")
    _tell_twice(request, made)
    return made


@form_page
@never_cache
@member()
def campaign(request: HttpRequest, public_id: str) -> HttpResponse:
    """One campaign: whether it runs and why, what it will cost, and its plan until the launch."""
    now, row = timezone.now(), mine(request, public_id)
    if request.method != "POST":
        return _page(request, row, _form(request, now=now, campaign=row), now=now)
    _require_admin(request)
    form = _form(request, now=now, campaign=row, data=request.POST)
    if not form.is_valid():
        return _page(request, row, form, now=now)
    attempt(request, lambda: campaigns.edit(row, form.plan), "The plan is saved. It is still a draft.")
    _tell_twice(request, row)
    return see_other(url(row))


def attempt(request: HttpRequest, act: Callable[[], object], done: str) -> None:
    try:
        act()
    except Problem as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, done)


def _tell_twice(request: HttpRequest, row: Campaign) -> None:
    zone = request.account.timezone
    if row.scheduled_at and local_time.comes_twice(row.scheduled_at, zone):
        messages.info(
            request, f"That time comes twice that day in {zone}: the clocks go back. It starts at the first."
        )


def _require_admin(request: HttpRequest) -> None:
    if not request.user.may("admin"):
        raise PermissionDenied(access.NEEDED["admin"])


def mine(request: HttpRequest, public_id: str) -> Campaign:
    try:
        return campaigns.find(request.account.id, public_id)
    except CampaignNotFound:
        raise Http404 from None


def url(row: Campaign) -> str:
    return reverse("campaign", args=[row.public_id])


def shown(row: Campaign) -> str:
    return f"{row.calls} {row.seconds_per_call} {row.scheduled_at}"


def _form(
    request: HttpRequest, *, now: datetime, campaign: Campaign | None = None, data: Any = None
) -> CampaignForm:
    agents = list(Agent.objects.filter(account=request.account).order_by("name_key"))
    return CampaignForm(data, agents=agents, timezone=request.account.timezone, now=now, campaign=campaign)


# --- what the pages show ----------------------------------------------------------------------------------------


def _month(request: HttpRequest, funds: Funds, now: datetime) -> Period:
    return periods.month_of(periods.today(request.account.timezone, funds.last_day, now=now))


def _spent(account_id: UUID, month: Period) -> dict[str, Row]:
    """By the agent's name, cut as the overview cuts it."""
    amounts = reports.spending(account_id, month).by_agent
    return {
        row.name: row for row in reports.largest_first(amounts, step=reports.finest(sum(amounts.values())))
    }


def _agent_of(row: Campaign) -> str:
    return row.agent.name if row.agent else UNASSIGNED


def _list(request: HttpRequest, form: CampaignForm, *, now: datetime) -> HttpResponse:
    account, funds = request.account, funds_of(request.account)
    voice_minute, month = rate_card.fresh().rate("voice.minute", now), _month(request, funds, now)
    found = campaigns.of_account(account.id)
    if after := request.GET.get("after", ""):
        found = campaigns.older_than(found, mine(request, after))
    rows, spent = list(found[: PER_PAGE + 1]), _spent(account.id, month)
    context = {
        "form": form,
        "lines": [
            Line(
                row,
                campaigns.state_of(row, funds, now=now, voice_minute=voice_minute),
                spent.get(_agent_of(row)),
            )
            for row in rows[:PER_PAGE]
        ],
        "newer": reverse("campaigns") if after else "",
        "older": f"?after={rows[PER_PAGE - 1].public_id}" if len(rows) > PER_PAGE else "",
        "month": f"{month.first:%B}",
        "may_plan": request.user.may("admin"),
    }
    return render(request, "usage/campaigns.html", context)


def _page(request: HttpRequest, row: Campaign, form: CampaignForm, *, now: datetime) -> HttpResponse:
    account, funds = request.account, funds_of(request.account)
    card, month = rate_card.fresh(), _month(request, funds, now)
    voice_minute = card.rate("voice.minute", now)
    run = campaigns.state_of(row, funds, now=now, voice_minute=voice_minute)
    auto = auto_topup.of(account.id)
    context = {
        "campaign": row,
        "agent": _agent_of(row),
        "run": run,
        "why": campaigns.why_paused(row, funds, voice_minute=voice_minute)
        if run.state == RunState.PAUSED
        else None,
        "is_overdue": bool(row.scheduled_at and row.scheduled_at <= now),
        "twice": bool(row.scheduled_at and local_time.comes_twice(row.scheduled_at, account.timezone)),
        "estimate": campaign_estimate.of(row, funds, rates={"voice.minute": voice_minute}),
        "shown": shown(row),
        "auto": auto if auto and auto.enabled else None,
        "has_paid": selectors.has_paid_balance(account.id),
        "frozen": funds.frozen,
        "spent": _spent(account.id, month).get(_agent_of(row)),
        "month": f"{month.first:%B}",
        "form": form,
        "may_plan": request.user.may("admin"),
        "is_owner": request.user.may("owner"),
    }
    return render(request, "usage/campaign.html", context)
