"""Saved cards: see, add, prefer, remove."""

import logging
from datetime import datetime
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.access import member
from accounts.errors import Problem
from billing import auto_topup, gateways, payment_methods
from billing.auto_topup_wording import why_stopped
from billing.gateways import GatewayError
from billing.models import AutoTopup, PaymentMethod
from billing.views import form_page, see_other

CARD_FOR, AUTO_TOPUP = "card_for", "auto-topup"  # what a new card is for: in the session and the address
log = logging.getLogger(__name__)


@require_safe
@never_cache
@member()
def payment_method_list(request: HttpRequest) -> HttpResponse:
    if "returned" in request.GET and request.user.may("admin"):
        _fetch_new_cards(request)
        return see_other(_after_new_card(request))
    cards = list(payment_methods.of_account(request.account.id))
    auto = auto_topup.of(request.account.id)
    context = {
        "cards": cards,
        "today": timezone.now(),
        "may_act": request.user.may("admin"),
        "auto_card": auto.card if auto and auto.enabled else "",
        "notes": _turn_on_again(auto, cards, now=timezone.now()) if request.user.may("owner") else [],
    }
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


def _after_new_card(request: HttpRequest) -> str:
    """Back to auto-topup with the newest card, if that was what it was for."""
    newest = payment_methods.of_account(request.account.id).order_by("-created_at").first()
    if request.session.pop(CARD_FOR, "") != AUTO_TOPUP or newest is None:
        return reverse("payment_methods")
    return use_card_url(newest)


def use_card_url(card: PaymentMethod) -> str:
    """Auto-topup's form with this card chosen. Nothing is on before its owner saves it."""
    return f"{reverse('auto_topup')}?{urlencode({'card': card.gateway_id})}"


def _turn_on_again(
    auto: AutoTopup | None, cards: list[PaymentMethod], *, now: datetime
) -> list[dict[str, str]]:
    """While auto-topup is stopped: why, and the newest card to go on with."""
    if auto is None or not auto.stopped_reason or not cards:
        return []
    newest = max(cards, key=lambda card: card.created_at)
    body = f"{why_stopped(auto)} You can go on with {newest}."
    note = {"kind": "warn", "icon": "refresh-cw", "title": "Auto-topup is off", "body": body}
    return [note | {"cta": "Use this card and turn on again", "href": use_card_url(newest)}]


@form_page
@never_cache
@member(role="admin")
def add_card(request: HttpRequest) -> HttpResponse:
    """Consent, then the processor's page. A form may not redirect there itself: the policy forbids it."""
    is_for_auto = request.GET.get("for") == AUTO_TOPUP
    back = reverse("auto_topup" if is_for_auto else "payment_methods")
    context = {"gateway": gateways.gateway(), "is_for_auto": is_for_auto, "back": back}
    if request.method != "POST":
        url = request.session.pop("card_page", "")
        return render(request, "billing/add_card.html", context | {"forward": url})
    try:
        page = payment_methods.setup_page(request.account.id, now=timezone.now())
    except GatewayError as error:
        log.warning("Add a card for %s: %s", request.account.public_id, error)
        messages.error(request, "The payment service does not answer. No card was saved; please try again.")
        return render(request, "billing/add_card.html", context)
    request.session["card_page"] = page.url.removeprefix(settings.SITE_URL)
    request.session[CARD_FOR] = AUTO_TOPUP if is_for_auto else ""
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
    auto = auto_topup.of(request.account.id)
    stops_auto = bool(auto and auto.enabled and auto.card == card)
    if request.method != "POST":
        return render(request, "billing/remove_card.html", {"card": found, "stops_auto": stops_auto})
    try:
        payment_methods.remove(request.account.id, card, now=timezone.now())
    except GatewayError as error:
        log.warning("Remove %s: %s", card, error)
        messages.error(request, "The payment service does not answer. The card was not removed; try again.")
    else:
        also = " Auto-topup is off now." if stops_auto else ""
        messages.success(request, f"{found} is removed. It will not be charged again.{also}")
    return see_other(reverse("payment_methods"))
