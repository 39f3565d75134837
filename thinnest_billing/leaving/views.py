"""Settings > Account > Close: what happens, what must be settled first, and the password."""

import logging

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import members, proof
from accounts.access import member
from accounts.account_forms import ProofForm
from accounts.closing import REGRET
from billing import payment_methods, selectors
from billing.views import form_page, see_other
from thinnest_billing.leaving import closing
from thinnest_billing.leaving.closing import StillNeeded

log = logging.getLogger(__name__)


@form_page
@never_cache
@sensitive_post_parameters("password")
@member(role="owner")
def close_account(request: HttpRequest) -> HttpResponse:
    """Hindrances first: while there is one, nothing asks for a password."""
    if request.account.opened_at is None:
        return see_other(reverse("overview"))
    form = ProofForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        refusal = proof.refusal(request, form.cleaned_data["password"], of=request.user)
        if not refusal:
            return _close(request)
        form.add_error("password", refusal)
    return _page(request, form)


def _close(request: HttpRequest) -> HttpResponse:
    user, account = request.user, request.account
    try:
        closing.close(account.id, by=user, now=timezone.now())
    except StillNeeded:
        messages.error(request, "The account was not closed: something must be settled first.")
        return _page(request, ProofForm())
    log.info("account closed by %s", user.public_id)
    logout(request)
    messages.success(request, f"The account “{account.name}” is closed. We wrote to every member of it.")
    return see_other(reverse("sign_in"))


def _page(request: HttpRequest, form: ProofForm) -> HttpResponse:
    now, account_id = timezone.now(), request.account.id
    context = {
        "form": form,
        "hindrances": closing.hindrances(account_id, now=now),
        "funds": selectors.balance_of(account_id),
        "members": members.of_account(account_id).count(),
        "keys": request.account.api_keys.filter(revoked_at=None).count(),
        "cards": payment_methods.of_account(account_id).count(),
        "erased_on": now + REGRET,
    }
    return render(request, "accounts/close_account.html", context)
