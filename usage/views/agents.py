"""Agents: a list with the model of each, whether they answer, and what they spent this month."""

import json
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import member
from accounts.models import Account, User
from billing import selectors
from billing.errors import NoBalance
from billing.selectors import Funds
from usage import agents, calculator, periods, price_list, rate_card, reports, wording
from usage.agent_forms import SearchForm
from usage.models import Agent
from usage.periods import Period
from usage.price_list import Model
from usage.pricing import Usage
from usage.rate_card import Card
from usage.reports import Row
from usage.running import RunState

PER_PAGE = 50
FIRST = Usage("chat", "gpt-4o-mini", 1250, 340)  # what the command of the empty list records


@dataclass(frozen=True, slots=True)
class Line:
    """An agent in the list. `model` is None before its owner chose one, `spent` where nothing was."""

    agent: Agent
    model: Model | None
    spent: Row | None


@require_safe
@never_cache
@member()
def agent_list(request: HttpRequest) -> HttpResponse:
    account, now = request.account, timezone.now()
    card, funds = rate_card.fresh(), funds_of(account)
    month = month_of(account, funds, now)
    form = SearchForm(request.GET)
    asked = form.cleaned_data["q"] if form.is_valid() else ""
    page = found(account, asked, request.GET.get("page", ""))
    amounts = reports.spending(account.id, month).by_agent
    spent = {
        row.name: row for row in reports.largest_first(amounts, step=reports.finest(sum(amounts.values())))
    }
    context = {
        "form": form,
        "asked": asked,
        "page": page,
        "lines": [Line(agent, model_of(agent, card, now), spent.get(agent.name)) for agent in page],
        "unassigned": spent.get(agents.UNASSIGNED),
        "counted": wording.counted(page.paginator.count, "agent"),
        "shown": f"{page.start_index():,} to {page.end_index():,} of {page.paginator.count:,}, by name",
        "run": agents.state_of(funds),
        "notes": notes(funds, request.user),
        "month": f"{month.first:%B} so far",
        "advice": price_list.ADVICE,
        "earlier": address(asked, page.previous_page_number()) if page.has_previous() else "",
        "later": address(asked, page.next_page_number()) if page.has_next() else "",
        "command": command() if not page.paginator.count and not asked else "",
        "price": calculator.price(FIRST, card, now),
    }
    return render(request, "usage/agents.html", context)


def found(account: Account, asked: str, number: str) -> Page[Agent]:
    rows = Agent.objects.filter(account=account).order_by("name_key")
    if asked:
        rows = rows.filter(name_key__contains=agents.name_key(asked))
    return Paginator(rows, PER_PAGE).get_page(number)


def address(asked: str, number: int) -> str:
    query = {"q": asked, "page": number} if asked else {"page": number}
    return f"{reverse('agents')}?{urlencode(query)}"


def command() -> str:
    """Makes an agent: the first message that names it does."""
    event = {
        "event_id": "first-message",
        "agent": "Customer Support",
        "type": FIRST.type,
        "model": FIRST.model,
        "input_tokens": FIRST.input_tokens,
        "output_tokens": FIRST.output_tokens,
    }
    lines = [
        f"curl -X POST {settings.SITE_URL}/billing/v3/usage",
        '-H "Authorization: Bearer YOUR_API_KEY"',
        '-H "Content-Type: application/json"',
        f"-d '{json.dumps(event, indent=2)}'",
    ]
    return " \\\n".join(lines).replace("\n", "\n  ")


def model_of(row: Agent, card: Card, now: datetime) -> Model | None:
    usable = row.model in price_list.priced_models(card, now)
    return price_list.model_of(card, row.model, now) if usable else None


def funds_of(account: Account) -> Funds:
    try:
        return selectors.balance_of(account.id)
    except NoBalance:  # its owner has not confirmed the email address yet
        return selectors.NOTHING


def month_of(account: Account, funds: Funds, now: datetime) -> Period:
    today = periods.today(account.timezone, funds.last_day, now=now)
    return periods.month_of(today).until(today)


def notes(funds: Funds, reader: User) -> list[dict[str, str]]:
    """Why agents do not answer, with the next step for those who may take it."""
    run = agents.state_of(funds)
    if run.state == RunState.ACTIVE:
        return []
    note = {"kind": "bad", "icon": "pause", "title": "Your agents are paused", "body": run.reason}
    may_add = agents.why_paused(funds) == agents.Why.BALANCE and reader.may("admin")
    return [note | ({"cta": "Add funds", "href": reverse("add_funds")} if may_add else {})]
