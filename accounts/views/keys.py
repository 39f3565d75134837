"""Settings > API keys: list, create (the text is shown once), revoke."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts import access, api_keys, ids
from accounts.access import member
from accounts.forms import ApiKeyForm
from accounts.models import ApiKey, Scope

# A request that works with each scope, the most telling first.
EXAMPLES = {
    Scope.BALANCE_READ: "/billing/v3/balance?period=month",
    Scope.HISTORY_READ: "/billing/history/me?limit=10",
    Scope.USAGE_WRITE: "/billing/v3/authorize?type=chat",
    Scope.TOPUP_WRITE: "/billing/v3/payment-methods",
}


@member()
@never_cache
def api_key_list(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, ApiKeyForm(may_top_up=request.user.may("owner")))
    if not request.user.may("admin"):
        raise PermissionDenied(access.NEEDED["admin"])
    form = ApiKeyForm(request.POST, may_top_up=request.user.may("owner"))
    if not form.is_valid():
        return _page(request, form)
    try:
        return _create(request, form)
    except IntegrityError:  # the same form was sent twice
        messages.info(
            request, "This key was created already. Its text was shown once and cannot be shown again."
        )
        return redirect("api_keys")


@member(role="admin")
def revoke_api_key(request: HttpRequest, key: str) -> HttpResponse:
    row = get_object_or_404(ApiKey, pk=_key_id(key), account=request.account)
    if request.method != "POST":
        return render(request, "accounts/revoke_api_key.html", {"key": row})
    api_keys.revoke(row, now=timezone.now())
    messages.success(request, f"The key “{row.name}” is revoked. Requests with it now get a 401 error.")
    return redirect("api_keys")


def _create(request: HttpRequest, form: ApiKeyForm) -> HttpResponse:
    """Answers with the page itself, not a redirect: the plain text is kept nowhere."""
    now, lifetime = timezone.now(), form.lifetime
    with transaction.atomic():
        row, plain = api_keys.create(
            id=form.cleaned_data["id"],
            account=request.account,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            created_by=request.user,
            expires_at=now + lifetime if lifetime else None,
            now=now,
        )
    may = ", ".join(Scope(scope).label.lower() for scope in row.scopes)
    context = {"key": row, "plain": plain, "curl": _curl(row, plain), "may": may}
    return render(request, "accounts/api_key_created.html", context)


def _curl(row: ApiKey, plain: str) -> str:
    path = next(path for scope, path in EXAMPLES.items() if scope in row.scopes)
    return f'curl "{settings.SITE_URL}{path}" \\\n  -H "Authorization: Bearer {plain}"'


def _page(request: HttpRequest, form: ApiKeyForm) -> HttpResponse:
    now = timezone.now()
    keys = [(key, key.is_usable(now)) for key in request.account.api_keys.order_by("-created_at", "-id")]
    usable_first = sorted(keys, key=lambda pair: not pair[1])
    return render(request, "accounts/api_keys.html", {"form": form, "keys": usable_first, "now": now})


def _key_id(public_id: str) -> UUID:
    key_id = ids.parse("key", public_id)
    if key_id is None:
        raise Http404
    return key_id
