"""The owner stops all spending, and lets it go on again. What staff froze only staff lifts."""

import logging

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts.access import CLOSED, member
from billing import ledger, selectors
from billing.errors import AccountClosed
from billing.views import form_page, see_other

WISHES = {
    "freeze": True,
    "lift": False,
}  # named, so that a form sent twice or from an old page does no other thing
log = logging.getLogger(__name__)


@form_page
@never_cache
@member(role="owner")
def freeze_page(request: HttpRequest) -> HttpResponse:
    """What stops and what goes on, and the button."""
    if request.account.opened_at is None:  # there is no balance before its owner confirms the email address
        return see_other(reverse("overview"))
    wish = WISHES.get(request.POST.get("wish", ""))
    if wish is not None:
        _set(request, frozen=wish)
        return see_other(reverse("overview"))
    return render(request, "billing/freeze.html", {"funds": selectors.balance_of(request.account.id)})


def _set(request: HttpRequest, *, frozen: bool) -> None:
    try:
        ledger.freeze(request.account.id, by="owner", frozen=frozen, now=timezone.now())
    except AccountClosed:  # a moment ago, by another owner
        raise PermissionDenied(CLOSED) from None
    log.info("%s by %s", "frozen" if frozen else "freeze lifted", request.user.public_id)
    if frozen:
        messages.success(request, "Spending is frozen: nothing new starts until you lift the freeze.")
    elif selectors.balance_of(request.account.id).frozen:
        messages.warning(
            request, "Your freeze is lifted, but ours stays: spending is still frozen. Please write to us."
        )
    else:
        messages.success(request, "The freeze is lifted: chats, calls and ingestion start again.")
