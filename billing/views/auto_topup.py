"""Auto-topup: its owner says when, how much and from which card; everybody sees what happens next, or why not."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts.access import member
from accounts.models import User
from billing import auto_charge, auto_due, auto_topup, auto_topup_form, gateways, payment_methods
from billing import auto_topup_wording as wording
from billing.auto_due import Kind
from billing.auto_topup import Standing, Wish
from billing.auto_topup_form import AutoTopupForm
from billing.gateways import sandbox_cards
from billing.models import TopUp
from billing.money import usd
from billing.views import form_page, see_other

PaceOf = Callable[[UUID, datetime], Decimal]
OWNER_ONLY = "Only the owner of the account may change auto-topup. Nothing was changed."
SHOWN = 12  # past top-ups
log = logging.getLogger(__name__)


@form_page
@never_cache
@member()
def auto_topup_page(request: HttpRequest, pace_of: PaceOf | None = None) -> HttpResponse:
    """`pace_of(account_id, now)`: dollars spent a day, told by the composition root (billing knows no usage)."""
    now = timezone.now()
    if request.method == "POST" and not request.user.may("owner"):
        raise PermissionDenied(OWNER_ONLY)
    if request.account.opened_at is None:  # there is no balance before its owner confirms the email address
        return see_other(reverse("overview"))
    cards = list(payment_methods.of_account(request.account.id))
    pace = pace_of(request.account.id, now) if pace_of else None
    standing = auto_topup.standing(request.account.id, now=now)
    if request.method != "POST":
        shown = auto_topup_form.initial(standing, cards=cards, asked=request.GET, pace=pace)
        return _page(
            request,
            AutoTopupForm(initial=shown, cards=cards, standing=standing),
            standing,
            pace=pace,
            now=now,
        )
    form = AutoTopupForm(request.POST, cards=cards, standing=standing)
    if _save(request, form, standing, now=now):
        return _result(request, now=now)
    return _page(request, form, standing, pace=pace, now=now)


def _save(request: HttpRequest, form: AutoTopupForm, standing: Standing, *, now: datetime) -> bool:
    """Whether it was saved; else the form says why not. Turning off works whatever the other fields say."""
    wish = form.wish() if form.is_valid() else _as_it_was(form, standing)
    if wish is None:
        return False
    try:
        auto_charge.save(request.account.id, wish, actor=request.user.public_id, now=now)
    except auto_charge.WishRefused as refusal:
        form.refuse(refusal.fields)
        return False
    return True


def _as_it_was(form: AutoTopupForm, standing: Standing) -> Wish | None:
    auto = standing.auto
    if auto is None or not form.turns_off:
        return None
    return Wish(False, auto.threshold, auto.amount, auto.card, auto.monthly_limit)


def _result(request: HttpRequest, *, now: datetime) -> HttpResponse:
    """To the payment, if saving began one; else back to the page, which says what happens next."""
    standing = auto_topup.standing(request.account.id, now=timezone.now())
    if not standing.is_on:
        messages.success(request, "Auto-topup is off. Your settings are kept for another time.")
        return see_other(reverse("auto_topup"))
    begun = standing.topup if standing.topup and standing.topup.created_at >= now else None
    if begun is None:
        messages.success(request, "Auto-topup is on.")
        return see_other(reverse("auto_topup"))
    messages.success(
        request,
        f"Auto-topup is on. Less than {usd(standing.auto.threshold)} was available, so we asked your bank at once.",
    )
    return see_other(reverse("topup", args=[begun.public_id]))


def _page(
    request: HttpRequest, form: AutoTopupForm, standing: Standing, *, pace: Decimal | None, now: datetime
) -> HttpResponse:
    month = auto_due.month_start(now, request.account.timezone)
    form.hint(lasts=lambda dollars: wording.lasts(dollars, pace), month=f"{month:%B}")
    rehearsal = sandbox_cards.by_token("pm_card_authenticationRequired") if gateways.is_sandbox() else None
    context = {
        "form": form,
        "standing": standing,
        "is_stopped": standing.kind is Kind.STOPPED,
        "next": _next(request, standing, now=now),
        "past": _past(request.account.id),
        "may_save": request.user.may("owner"),
        "owners": User.objects.filter(account=request.account, role=User.Role.OWNER, is_active=True),
        "per_day": settings.AUTO_TOPUPS_PER_DAY,
        "rehearsal": rehearsal,
    }
    return render(request, "billing/auto_topup.html", context)


def _next(request: HttpRequest, standing: Standing, *, now: datetime) -> dict[str, str] | None:
    """What happens next, or why not; that it is off is told by the switch."""
    if standing.kind is Kind.OFF:
        return None
    told = asdict(wording.next_step(standing, now=now))
    if standing.kind is Kind.CONFIRM and standing.topup and request.user.may("admin"):
        told |= {"cta": "Confirm", "href": reverse("topup", args=[standing.topup.public_id])}
    return told


def _past(account_id: UUID) -> list[wording.Past]:
    rows = TopUp.objects.filter(account_id=account_id, origin=TopUp.Origin.AUTO).order_by("-created_at")
    return [wording.past(topup) for topup in rows[:SHOWN]]
