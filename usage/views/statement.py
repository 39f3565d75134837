"""Settings > Billing > Statement: a month from opening to closing balance, to print, and its entries as a file."""

import logging
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import member
from billing import receipts
from usage import periods, statement_export, statement_lines, statements
from usage.statement_form import StatementForm
from usage.statement_lines import StatementLine
from usage.views.agents import funds_of
from usage.views.files import csv_file

log = logging.getLogger(__name__)


@require_safe
@never_cache
@member()
def statement(request: HttpRequest) -> HttpResponse:
    form = _form(request)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        context |= _told(request, form)
    return render(request, "usage/statement.html", context)


@require_safe
@never_cache
@member()
def statement_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Every entry of the month."""
    form = _form(request)
    if not form.is_valid():
        return render(request, "usage/statement.html", {"form": form}, status=422)
    account_id, month = request.account.id, form.month
    read = statements.read(account_id, month, now=timezone.now())
    return csv_file(request, statement_export.csv_of(account_id, read), name=f"statement-{month.name}")


def _form(request: HttpRequest) -> StatementForm:
    account, now = request.account, timezone.now()
    today = periods.today(account.timezone, funds_of(account).last_day, now=now)
    first = statements.first_day(account.id, otherwise=periods.born(account))
    return StatementForm(request.GET, first=first, today=today)


def _told(request: HttpRequest, form: StatementForm) -> dict[str, Any]:
    account_id, month = request.account.id, form.month
    read = statements.read(account_id, month, now=timezone.now())
    if not read.check.is_good:
        log.critical("The statement of %s for %s does not tie: %s", account_id, month.name, read.check)
    return {
        "read": read,
        "lines": [(line, _records(line, form)) for line in statement_lines.lines(read)],
        "proof": statement_lines.proof(account_id, read),
        "buyer": receipts.details_of(account_id),
        "month": month,
        "previous": _url("statement", form.previous),
        "next": _url("statement", form.next),
        "export": _url("statement_csv", month.name),
        "usage": f"{reverse('usage')}?{urlencode({'period': month.name})}",
    }


def _url(name: str, month: str) -> str:
    return f"{reverse(name)}?{urlencode({'month': month})}" if month else ""


def _records(line: StatementLine, form: StatementForm) -> str:
    days = {"from": form.month.first.isoformat(), "to": form.month.last.isoformat()}
    return f"{reverse('records')}?{urlencode(days | {'type': line.records})}" if line.records else ""
