"""Saved cards: see, add, prefer, remove."""

import logging

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
from billing import gateways, payment_methods
from billing.gateways import GatewayError
from billing.views import form_page, see_other

log = logging.getLogger(__name__)


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
        page = payment_methods.setup_page(request.account.id, now=timezone.now())
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
