"""Records under Settings > Billing: the list, its file, and one record with its arithmetic."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import ids
from accounts.access import member
from billing.models import LedgerEntry, TopUp
from usage import explanation, exports, flags, periods, rate_card, records
from usage.flag_form import FlagForm
from usage.forms import RecordsForm
from usage.models import Agent, Charge, Flag
from usage.views.files import csv_file

FILTERS = ("from", "to", "type", "agent", "model")


def records_form(request: HttpRequest) -> RecordsForm:
    agents = Agent.objects.filter(account=request.account).order_by("name_key")
    models = rate_card.fresh().models(timezone.now())
    return RecordsForm(request.GET, agents=agents, models=models)


@require_safe
@never_cache
@member()
def record_list(request: HttpRequest) -> HttpResponse:
    """Charges and everything else that moved the balance, newest first."""
    form = records_form(request)
    page = records.Page([], None, None)
    if form.is_valid():
        asked = form.cleaned_data
        page = records.page(request.account.id, form.wanted, before=asked["before"], after=asked["after"])
    context = {
        "form": form,
        "rows": page.records,
        "newer": _url(request, after=page.newer),
        "older": _url(request, before=page.older),
        "export": f"{reverse('records_csv')}?{urlencode(_filters(request))}",
        "per_page": records.PER_PAGE,
    }
    return render(request, "usage/records.html", context)


@require_safe
@never_cache
@member()
def records_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """What the list with the same filters shows, all of it, as a file."""
    form = records_form(request)
    if not form.is_valid():
        return render(request, "usage/records.html", {"form": form, "rows": []})
    today = periods.local_day(timezone.now(), request.account.timezone)
    rows = exports.csv_of(request.account.id, form.wanted)
    return csv_file(request, rows, name=f"billing-records-{today.isoformat()}")


def _filters(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET[name] for name in FILTERS if request.GET.get(name)}


def _url(request: HttpRequest, **moment: datetime | None) -> str:
    """The same filters from another moment; nothing when there is no such page."""
    where = {name: at.astimezone(UTC).isoformat() for name, at in moment.items() if at}
    return f"{request.path}?{urlencode(_filters(request) | where)}" if where else ""


@require_safe
@never_cache
@member()
def record(request: HttpRequest, public_id: str) -> HttpResponse:
    """A charge explained, or another entry of the ledger."""
    if public_id.startswith("entry_"):
        return _entry(request, public_id)
    return charge_page(request, mine(request, public_id), FlagForm())


def mine(request: HttpRequest, public_id: str) -> Charge:
    """A charge of the reader's account; somebody else's is none."""
    charge = Charge.objects.filter(account=request.account, id=ids.parse("bill", public_id)).first()
    if charge is None:
        raise Http404
    return charge


def url(charge: Charge) -> str:
    return reverse("record", args=[charge.public_id])


def charge_page(request: HttpRequest, charge: Charge, form: FlagForm) -> HttpResponse:
    """A charge with its arithmetic, and what members asked about it; `form` asks anew."""
    told = explanation.explain(charge)
    found = list(flags.of_charge(charge))
    context = {
        "told": told,
        "charge": charge,
        "record": records.of_charge(charge, agent=told.agent.name if told.agent else "", note=told.note),
        "form": form,
        "flags": found,
        "may_flag": not (told.original or told.reversal or (found and found[0].outcome == Flag.Outcome.OPEN)),
        "answer_days": settings.FLAG_ANSWER_DAYS,
    }
    return render(request, "usage/record.html", context)


def _entry(request: HttpRequest, public_id: str) -> HttpResponse:
    rows = records.entries(request.account.id, records.Wanted())
    entry = rows.filter(id=ids.parse("entry", public_id)).first()
    if entry is None:
        raise Http404
    topup = records.topups_of(request.account.id, [entry]).get(entry.key)
    return render(request, "usage/entry.html", _entry_context(entry, topup))


def _entry_context(entry: LedgerEntry, topup: TopUp | None) -> dict[str, object]:
    return {
        "entry": entry,
        "topup": topup,
        "record": records.of_entry(entry, topup=topup),
        "before": entry.balance_after - entry.amount,
    }
