"""Pages of paying, under Settings > Billing: add funds, one top-up, payment methods. And the processor's webhook."""

import logging
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import ids
from accounts.access import member
from accounts.errors import BodyTooLarge, Problem
from accounts.nudges import nudge
from billing import gateways, payment_methods, selectors, topups, webhooks
from billing.errors import FormReused, UnsignedEvent
from billing.forms import AddFundsForm
from billing.gateways import BadSignature, GatewayError
from billing.models import TopUp
from billing.tasks import pursue_topup
from billing.topup_page import status_of

LARGEST_EVENT = 256 * 1024  # bytes
NO_ANSWER = "The payment service does not answer. Nothing was charged; please try again in a minute."
form_page = require_http_methods(["GET", "HEAD", "POST"])
log = logging.getLogger(__name__)


def see_other(url: str) -> HttpResponseRedirect:
    """303: the browser goes on with GET, so that reloading never pays again."""
    return HttpResponseRedirect(url, status=303)


@form_page
@never_cache
@member(role="admin")
def add_funds(
    request: HttpRequest, pace_of: Callable[[UUID, datetime], Decimal] | None = None
) -> HttpResponse:
    """`pace_of(account_id, now)`: dollars spent a day, told by the composition root (billing knows no usage)."""
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


# --- One top-up -----------------------------------------------------------------------------------------------


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
    return render(request, "billing/topup.html", {"topup": row, "status": status})


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
    except (GatewayError, topups.NotOurs) as error:  # the page shows what we know; the sweep goes on asking
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


# --- Payment methods ------------------------------------------------------------------------------------------


@require_safe
@never_cache
@member()
def payment_method_list(request: HttpRequest) -> HttpResponse:
    if "returned" in request.GET and request.user.may("admin"):
        _fetch_new_cards(request)
        return see_other(reverse("payment_methods"))
    cards = list(payment_methods.of_account(request.account.id))
    context = {"cards": cards, "today": timezone.now(), "may_act": request.user.may("admin")}
    return render(request, "billing/payment_methods.html", context)


def _fetch_new_cards(request: HttpRequest) -> None:
    known = set(payment_methods.of_account(request.account.id).values_list("pk", flat=True))
    try:
        payment_methods.refresh(request.account.id, now=timezone.now())
    except GatewayError as error:
        log.warning("Cards of %s: %s", request.account.public_id, error)
        messages.warning(request, "The payment service does not answer. A card you saved appears here soon.")
    for card in payment_methods.of_account(request.account.id).exclude(pk__in=known):
        messages.success(request, f"{card} is saved.")


@form_page
@never_cache
@member(role="admin")
def add_card(request: HttpRequest) -> HttpResponse:
    """Consent, then the processor's page. A form may not redirect there itself: the policy forbids it."""
    context = {"gateway": gateways.gateway()}
    if request.method != "POST":
        url = request.session.pop("card_page", "")
        return render(request, "billing/add_card.html", context | {"forward": url})
    try:
        page = payment_methods.setup_page(request.account.id)
    except GatewayError as error:
        log.warning("Add a card for %s: %s", request.account.public_id, error)
        messages.error(request, "The payment service does not answer. No card was saved; please try again.")
        return render(request, "billing/add_card.html", context)
    request.session["card_page"] = page.url.removeprefix(settings.SITE_URL)
    return see_other(reverse("add_card"))


@require_POST
@member(role="admin")
def make_default(request: HttpRequest, card: str) -> HttpResponse:
    try:
        found = payment_methods.make_default(request.account.id, card)
    except Problem as gone:
        raise Http404 from gone
    messages.success(request, f"{found} is now your default card.")
    return see_other(reverse("payment_methods"))


@form_page
@never_cache
@member(role="admin")
def remove_card(request: HttpRequest, card: str) -> HttpResponse:
    try:
        found = payment_methods.find(request.account.id, card)
    except Problem as gone:
        raise Http404 from gone
    if request.method != "POST":
        return render(request, "billing/remove_card.html", {"card": found})
    try:
        payment_methods.remove(request.account.id, card, now=timezone.now())
    except GatewayError as error:
        log.warning("Remove %s: %s", card, error)
        messages.error(request, "The payment service does not answer. The card was not removed; try again.")
    else:
        messages.success(request, f"{found} is removed. It will not be charged again.")
    return see_other(reverse("payment_methods"))


# --- The processor's events -----------------------------------------------------------------------------------


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """200: stored and done, or not for us. 400: not signed. 500: stored, failed, send it again."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > LARGEST_EVENT:
        raise BodyTooLarge(f"Send at most {LARGEST_EVENT:,} bytes.")
    try:
        done = webhooks.receive(request.body, request.headers.get("Stripe-Signature", ""), now=timezone.now())
    except BadSignature as error:
        raise UnsignedEvent(str(error)) from None
    return HttpResponse(status=200 if done else 500)
