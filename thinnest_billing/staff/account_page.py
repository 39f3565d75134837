"""Everything about one account on one screen, and what staff may do to it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts import closing, ids, staff_acts
from accounts.models import Account, StaffNote, User
from billing import auto_topup_wording
from billing.money import ZERO, usd, usd_balance, usd_exact
from billing.selectors import Funds, has_paid_balance
from thinnest_billing import overview
from thinnest_billing.staff import people_panels
from thinnest_billing.staff.money_panels import money_panels
from thinnest_billing.staff.panels import moment
from usage import periods, reports

RIGHTS = ("accounts.view_account", "billing.view_balance")
DAYS = 30


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Button:
    label: str
    url: str


class NoteForm(forms.Form):
    """The id is drawn when the form is shown: sent twice, it is one note."""

    id = forms.UUIDField(widget=forms.HiddenInput, initial=ids.uuid7)
    text = forms.CharField(
        label="New note", max_length=1000, widget=forms.Textarea(attrs={"rows": 2, "cols": 80}),
        help_text="For colleagues. Customers never see it.",
    )  # fmt: skip


@require_safe
def account_page(request: HttpRequest, public_id: str) -> HttpResponse:
    return _page(request, account_for(request, public_id), NoteForm())


@require_POST
def add_note(request: HttpRequest, public_id: str) -> HttpResponse:
    account, form = account_for(request, public_id), NoteForm(request.POST)
    if not request.user.has_perm("accounts.add_staffnote") or request.user.account_id == account.pk:
        raise PermissionDenied
    if not form.is_valid():
        return _page(request, account, form, status=422)
    if _write(account, form.cleaned_data, staff=request.user, now=timezone.now()):
        messages.success(request, "The note is written.")
    return HttpResponseRedirect(reverse("admin:account_page", args=[account.public_id]))


def _write(account: Account, data: dict[str, Any], *, staff: User, now: datetime) -> bool:
    """False: the form was sent before."""
    with transaction.atomic():
        note, is_new = StaffNote.objects.get_or_create(
            id=data["id"],
            defaults={"account": account, "text": data["text"], "written_by": staff, "written_at": now},
        )
        if is_new:
            target = f"note {note.pk}"
            staff_acts.record(staff, "write note", account_id=account.pk, target=target, now=now)
    return is_new


def account_for(request: HttpRequest, public_id: str) -> Account:
    """Raises PermissionDenied for who may not see accounts and balances, else Http404."""
    if not request.user.has_perms(RIGHTS):
        raise PermissionDenied
    pk = ids.parse("acct", public_id)
    account = Account.objects.filter(pk=pk).first() if pk else None
    if account is None:
        raise Http404
    return account


def _page(request: HttpRequest, account: Account, form: NoteForm, *, status: int = 200) -> HttpResponse:
    staff, now = request.user, timezone.now()
    funds = overview.funds_of(account.pk)
    is_own = staff.account_id == account.pk
    shown = {
        "title": account.name, "account": account, "facts": facts(account, funds, now=now), "is_own": is_own,
        "buttons": [] if is_own else buttons(account, funds, staff, now=now),
        "first": [people_panels.asked(account), people_panels.notes(account)],
        "note": form if staff.has_perm("accounts.add_staffnote") and not is_own else None,
        "panels": [
            *money_panels(account, staff=staff), people_panels.acts(account),
            *people_panels.people_panels(account, funds, now=now),
        ],
    }  # fmt: skip
    context = admin.site.each_context(request) | shown
    return render(request, "admin/account_page.html", context, status=status)


def facts(account: Account, funds: Funds, *, now: datetime) -> list[Fact]:
    standing = overview.standing_of(account.pk, now=now)
    step = auto_topup_wording.next_step(standing, now=now)
    return [
        Fact("Balance", usd_balance(funds.balance), funds.depleted),
        Fact("Granted", usd_exact(funds.granted)),
        Fact("Paid", usd_exact(funds.paid), funds.paid < 0),
        Fact("Held", usd_exact(funds.held)),
        Fact("Available", usd_exact(funds.available)),
        Fact("Paid balance", "yes" if has_paid_balance(account.pk) else "no: a trial"),
        *_troubles(account, funds),
        Fact("Lasts", _lasts(account, funds, now=now)),
        Fact("Auto-topup", f"{step.title}. {step.body}", step.kind == "bad"),
        Fact("Time zone", account.timezone),
        Fact("Opened", moment(account.opened_at) or "not yet: the address is not confirmed"),
    ]


def _troubles(account: Account, funds: Funds) -> list[Fact]:
    refused = (
        f"{moment(funds.refused_at)}: {usd_exact(funds.refused_amount)} did not fit"
        if funds.refused_at
        else ""
    )
    found = (
        ("Paused: depleted since", moment(funds.depleted_at)), ("Refused", refused),
        ("Frozen by the owner since", moment(funds.owner_froze_at)),
        ("Frozen by staff since", moment(funds.staff_froze_at)),
        ("Closed", moment(account.closed_at)), ("People erased", moment(account.erased_at)),
    )  # fmt: skip
    return [Fact(name, value, is_bad=True) for name, value in found if value]


def _lasts(account: Account, funds: Funds, *, now: datetime) -> str:
    today = periods.today(account.timezone, funds.last_day, now=now)
    days = reports.daily(account.pk, periods.last_days(DAYS, today=today))
    runway = reports.runway(funds.balance, days, today=today, born=periods.born(account))
    spent = sum((sum(day.values(), ZERO) for day in days.values()), ZERO)
    told = f"{usd(spent)} spent in {DAYS} days"
    return f"{runway.days} days at {usd(runway.a_day)} a day; {told}" if runway else told


def buttons(account: Account, funds: Funds, staff: User, *, now: datetime) -> list[Button]:
    """What this person may do here; each leads to a form with a reason."""
    acts = (
        ("billing.add_ledgerentry", "grant", "Grant credit"), ("billing.add_ledgerentry", "adjust", "Adjust balance"),
        ("billing.add_topup", "receive", "Enter a bank transfer"),
        ("billing.change_balance", *_freeze(account, funds)),
    )  # fmt: skip
    made = [
        Button(label, reverse(f"admin:{name}_balance", args=[account.pk]))
        for right, name, label in acts
        if name and staff.has_perm(right) and account.opened_at
    ]
    if closing.can_reopen(account, now=now) and staff.has_perm("billing.change_balance"):
        made.append(Button("Open it again", reverse("admin:reopen_account", args=[account.public_id])))
    if staff.has_perm("accounts.change_account"):
        made.append(Button("Name and time zone", reverse("admin:accounts_account_change", args=[account.pk])))
    return made


def _freeze(account: Account, funds: Funds) -> tuple[str, str]:
    """A closed account stays frozen: no button then."""
    if account.closed_at:
        return "", ""
    return ("unfreeze", "Lift staff's freeze") if funds.staff_froze_at else ("freeze", "Freeze spending")
