"""Settings > Billing > Usage: where the money went, by days, and broken down; and the same table as a file."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import member
from usage import breakdown, chart, periods, rate_card, spans, tiles, usage_export
from usage.breakdown import Breakdown, Line
from usage.chart import Chart
from usage.models import Agent
from usage.spans import Span
from usage.usage_form import BY, UsageForm
from usage.views.agents import funds_of
from usage.views.files import csv_file

MOST_LINES = 100  # on the page; the file has them all
MOST_BARS = 92  # days; with more of them the bars are months
CHANGEABLE = {"category": "type", "agent": "agent", "model": "model"}  # what a line's key is in an address


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for. `form` says what of it is not understood."""

    form: UsageForm
    names: dict[UUID, str]
    today: date
    born: date


@dataclass(frozen=True, slots=True)
class Entry:
    """A line with where it leads: its records, and an agent's own page. Empty where there is none."""

    line: Line
    records: str
    agent: str


@require_safe
@never_cache
@member()
def usage(request: HttpRequest) -> HttpResponse:
    asked = asked_by(request)
    context: dict[str, Any] = {"form": asked.form}
    if asked.form.is_valid():
        context |= _told(request, asked)
    return render(request, "usage/usage.html", context)


@require_safe
@never_cache
@member()
def usage_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The table of the page with the same address, all lines of it."""
    asked = asked_by(request)
    if not asked.form.is_valid():
        return render(request, "usage/usage.html", {"form": asked.form}, status=422)
    wanted = asked.form.wanted
    lines = breakdown.read(request.account.id, wanted, names=asked.names).lines
    first, last = wanted.period.first.isoformat(), wanted.period.last.isoformat()
    name = f"usage-by-{wanted.by}-{first}-to-{last}"
    return csv_file(request, usage_export.csv_of(wanted.by, lines), name=name)


def asked_by(request: HttpRequest) -> Asked:
    account, now = request.account, timezone.now()
    today = periods.today(account.timezone, funds_of(account).last_day, now=now)
    born = periods.born(account)
    agents = list(Agent.objects.filter(account=account).order_by("name_key"))
    models = rate_card.fresh().models(now)
    form = UsageForm(request.GET, agents=agents, models=models, today=today, born=born)
    return Asked(form, {agent.id: agent.name for agent in agents}, today, born)


def _told(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    form, wanted, span = asked.form, asked.form.wanted, asked.form.span
    spent = breakdown.read(request.account.id, wanted, names=asked.names)
    query = urlencode({name: form[name].value() for name in form.fields if form[name].value()})
    return {
        "spent": spent,
        "range": spans.told(span.period, today=asked.today),
        "money": tiles.money(spent, span, born=asked.born, today=asked.today),
        "work": list(tiles.work(spent)),
        "chart": drawn(spent),
        "by": dict(BY)[wanted.by],
        "entries": [_entry(line, form, span) for line in breakdown.shortened(spent.lines, most=MOST_LINES)],
        "is_short": len(spent.lines) > MOST_LINES,
        "export": f"{reverse('usage_csv')}?{query}",
        "everything": f"{reverse('usage')}?{urlencode({'period': form.cleaned_data['period']} | _dates(form))}",
        "statement": f"{reverse('statement')}?month={span.period.last:%Y-%m}",
        "statement_of": f"{span.period.last:%B %Y}",
        "agent_page": _agent_page(form.filters.get("agent", "")),
    }


def drawn(spent: Breakdown) -> Chart | None:
    if not any(cost for amounts in spent.days.values() for cost in amounts.values()):
        return None
    if len(spent.days) > MOST_BARS:
        return chart.chart(chart.by_month(spent.days), unit="month")
    return chart.chart(spent.days)


def _entry(line: Line, form: UsageForm, span: Span) -> Entry:
    if not line.key:
        return Entry(line, "", "")
    by = form.cleaned_data["by"]
    days = {"from": span.period.first.isoformat(), "to": span.period.last.isoformat()}
    own = {"from": line.key, "to": line.key} if by == "day" else {CHANGEABLE[by]: line.key}
    records = f"{reverse('records')}?{urlencode(days | form.filters | own)}"
    return Entry(line, records, _agent_page(line.key) if by == "agent" else "")


def _agent_page(agent: str) -> str:
    return reverse("agent", args=[agent]) if agent.startswith("agent_") else ""


def _dates(form: UsageForm) -> dict[str, str]:
    found = form.cleaned_data
    return {name: found[name].isoformat() for name in ("from", "to") if found[name]}
