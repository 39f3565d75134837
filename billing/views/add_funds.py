"""Add funds: an amount, a way to pay, and the top-up it becomes."""

import logging
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts.access import member
from accounts.errors import Problem
from accounts.nudges import nudge
from billing import gateways, payment_methods, selectors, topups
from billing.errors import FormReused
from billing.forms import AddFundsForm
from billing.gateways import GatewayError
from billing.models import TopUp
from billing.tasks import pursue_topup
from billing.views import form_page, see_other

NO_ANSWER = "The payment service does not answer. Nothing was charged; please try again in a minute."
log = logging.getLogger(__name__)


@form_page
@never_cache
@member(role="admin")
def add_funds(
    request: HttpRequest, pace_of: Callable[[UUID, datetime], Decimal] | None = None
) -> HttpResponse:
    """`pace_of(account_id, now)`: dollars spent a day, told by the composition root (billing knows no usage)."""
    if request.account.opened_at is None:  # there is no balance before its owner confirms the email address
        return see_other(reverse("overview"))
    cards = list(payment_methods.of_account(request.account.id))
    if request.method != "POST":
        return _add_funds_page(request, AddFundsForm(cards=cards), pace_of)
    form = AddFundsForm(request.POST, cards=cards)
    if form.is_valid():
        topup = _begin(request, form)
        if topup is not None:
            return see_other(reverse("topup", args=[topup.public_id]))
    return _add_funds_page(request, form, pace_of)


def _begin(request: HttpRequest, form: AddFundsForm) -> TopUp | None:
    """The top-up of a sent form, paid or on its way; None when the form says why not."""
    order = form.order(actor=request.user.public_id)
    try:
        topup, is_new = topups.begin(request.account.id, order, now=timezone.now())
    except FormReused as refusal:
        form.with_new_id().add_error(None, f"{refusal.detail} Press Pay again if you want this one too.")
    except Problem as refusal:
        form.add_error(None, refusal.detail)
    except GatewayError as error:
        log.warning("Add funds: %s", error)
        form.add_error(None, NO_ANSWER)
    else:
        if is_new and topups.pay(topup).status == TopUp.Status.UNKNOWN:
            nudge(pursue_topup, str(topup.id), countdown=2)
        return topup
    return None


def _add_funds_page(
    request: HttpRequest, form: AddFundsForm, pace_of: Callable[[UUID, datetime], Decimal] | None
) -> HttpResponse:
    context = {
        "form": form,
        "balance": selectors.balance_of(request.account.id).balance,
        "pace": pace_of(request.account.id, timezone.now()) if pace_of else None,
        "gateway": gateways.gateway(),
        "smallest": settings.TOPUP_MIN,
        "largest": settings.TOPUP_MAX,
    }
    return render(request, "billing/add_funds.html", context)
