"""One agent: what it cost, its name, and its model beside what the last 30 days would have cost on every other."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts import access, ids
from accounts.access import member
from billing.views import form_page, see_other
from usage import agents, periods, price_list, rate_card, what_if
from usage.agent_forms import ModelForm, NameForm
from usage.models import Agent
from usage.price_list import Group, Model
from usage.rate_card import Card
from usage.views.agents import funds_of, model_of, notes
from usage.what_if import Priced, WhatIf


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that an agent may use; `cost` is what its last 30 days would have cost on it."""

    model: Model
    cost: Priced | None
    is_chosen: bool


@form_page
@never_cache
@member()
def agent(request: HttpRequest, public_id: str) -> HttpResponse:
    """Everybody sees; admins and owners rename it and choose its model."""
    row = Agent.objects.filter(account=request.account, pk=ids.parse("agent", public_id)).first()
    if row is None:
        raise Http404
    now, card = timezone.now(), rate_card.fresh()
    names = price_list.priced_models(card, now)
    if request.method != "POST":
        return agent_page(request, row, NameForm(row), ModelForm(row, models=names), card=card, now=now)
    if not request.user.may("admin"):
        raise PermissionDenied(access.NEEDED["admin"])
    if request.POST.get("change") == "name":
        name, model = NameForm(row, request.POST), ModelForm(row, models=names)
        is_done = name.is_valid() and renamed(request, row, name)
    else:
        name, model = NameForm(row), ModelForm(row, request.POST, models=names)
        is_done = model.is_valid() and chosen(request, row, model)
    if is_done:
        return see_other(reverse("agent", args=[row.public_id]))
    return agent_page(request, row, name, model, card=card, now=now)


def renamed(request: HttpRequest, row: Agent, form: NameForm) -> bool:
    try:
        kept = agents.rename(row, form.cleaned_data["name"])
    except agents.NameTaken as refused:
        form.add_error("name", str(refused))
        return False
    messages.success(request, f"The agent is called “{kept}” now.")
    return True


def chosen(request: HttpRequest, row: Agent, form: ModelForm) -> bool:
    model = form.cleaned_data["model"]
    agents.choose_model(row, model)
    name = price_list.NAMES.get(model, model)
    messages.success(request, f"{row.name} uses {name}: the platform switches with its next message.")
    return True


def agent_page(
    request: HttpRequest, row: Agent, name: NameForm, model: ModelForm, *, card: Card, now: datetime
) -> HttpResponse:
    account, funds = request.account, funds_of(request.account)
    today = periods.today(account.timezone, funds.last_day, now=now)
    thirty = periods.last_days(what_if.DAYS, today=today)
    used = what_if.used_by(account.id, row.id, thirty)
    since = periods.midnight(thirty.first, account.timezone)
    compared = what_if.compare(used, card, now, since=since)
    rows = what_if.spent(used)
    context = {
        "agent": row,
        "run": agents.state_of(funds),
        "notes": notes(funds, request.user),
        "model": model_of(row, card, now),
        "name_form": name,
        "model_form": model,
        "groups": grouped(card, now, row, compared, marked=model["model"].value()),
        "compared": compared,
        "advice": price_list.ADVICE,
        "spent": rows,
        "total": sum(part.total for part in rows),
        "range": thirty,
        "records": f"{reverse('records')}?{urlencode({'agent': row.public_id})}",
        "usage": f"{reverse('usage')}?{urlencode({'agent': row.public_id, 'by': 'model'})}",
        "may_change": request.user.may("admin"),
    }
    return render(request, "usage/agent.html", context)


def grouped(
    card: Card, now: datetime, row: Agent, compared: WhatIf | None, *, marked: str
) -> list[tuple[Group, list[Choice]]]:
    """The models under the advice they belong to."""
    on = compared.on if compared else {}
    return [
        (group, [Choice(model, on.get(model.id), model.id == marked) for model in group.models])
        for group in price_list.groups(card, now)
    ]
