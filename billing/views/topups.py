"""One top-up: its state, and what its card holder may do about it."""

import logging
from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts import ids
from accounts.access import member
from billing import auto_topup, payment_methods, selectors, settling, topups
from billing.auto_topup_status import automatic
from billing.gateways import GatewayError
from billing.models import TopUp
from billing.refund_page import returns_of
from billing.refund_rules import customer_may
from billing.topup_page import status_of
from billing.views import see_other

log = logging.getLogger(__name__)


@require_safe
@never_cache
@member()
def topup(request: HttpRequest, topup_id: str) -> HttpResponse:
    """One top-up's state. Whoever comes back from the processor's page does not wait for its event."""
    row = own_topup(request, topup_id)
    returned = "returned" in request.GET
    if returned and row.is_open:
        row = _look(row)
    funds = selectors.balance_of(request.account.id)
    status = status_of(row, balance=funds.balance, forward=not returned, may_act=request.user.may("admin"))
    now, is_automatic = timezone.now(), row.origin == TopUp.Origin.AUTO
    if is_automatic:
        status = automatic(status, row, auto_topup.standing(row.account_id, now=now), now=now)
    may_refund = request.user.may("owner") and customer_may(row, now=now)
    context = {"topup": row, "status": status, "returns": returns_of(row), "may_refund": may_refund}
    context["is_automatic"] = is_automatic
    return render(request, "billing/topup.html", context)


def own_topup(request: HttpRequest, public_id: str) -> TopUp:
    topup_id = ids.parse("top", public_id)
    found = TopUp.objects.filter(pk=topup_id, account=request.account).first() if topup_id else None
    if found is None:
        raise Http404
    return found


def _look(row: TopUp) -> TopUp:
    try:
        row = topups.look(row)
        if row.save_card and row.status == TopUp.Status.SUCCEEDED:
            payment_methods.refresh(row.account_id, now=timezone.now())
    except (GatewayError, settling.NotOurs) as error:  # the page shows what we know; the sweep goes on asking
        log.warning("%s: %s", row.public_id, error)
    return row


@require_POST
@member(role="admin")
def confirm_topup(request: HttpRequest, topup_id: str) -> HttpResponse:
    return _act(request, topup_id, topups.confirm)


@require_POST
@member(role="admin")
def cancel_topup(request: HttpRequest, topup_id: str) -> HttpResponse:
    return _act(request, topup_id, topups.withdraw)


def _act(request: HttpRequest, topup_id: str, act: Callable[[TopUp], TopUp]) -> HttpResponse:
    row = own_topup(request, topup_id)
    back = reverse("topup", args=[row.public_id])
    try:
        act(row)
    except GatewayError as error:
        log.warning("%s: %s", row.public_id, error)
        messages.error(request, "The payment service does not answer, so nothing changed. Please try again.")
        back += "?returned=1"
    return see_other(back)
