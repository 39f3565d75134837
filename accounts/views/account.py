"""Settings > Account: the account's name and time zone, one's own password, and the way to everything else."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts import access, members, people
from accounts.forms import AccountForm, ChangePasswordForm

More = Callable[[HttpRequest], dict[str, Any]]  # what other apps put on the page; accounts knows none of them


@access.member()
def account(request: HttpRequest, more: More) -> HttpResponse:
    if request.method != "POST":
        return _page(request, more)
    if not request.user.may("owner"):
        raise PermissionDenied(access.NEEDED["owner"])
    form = AccountForm(request.POST, instance=request.account)
    if not form.is_valid():
        request.account.refresh_from_db()  # a form that is refused has written on it
        return _page(request, more, form=form)
    form.save()
    messages.success(request, "Your changes are saved.")
    return redirect("account")


@require_POST
@sensitive_post_parameters()
@access.member()
def change_password(request: HttpRequest, more: More) -> HttpResponse:
    form = ChangePasswordForm(request.POST, user=request.user)
    if not form.is_valid():
        return _page(request, more, password_form=form)
    people.set_password(request.user, form.cleaned_data["new_password"], now=timezone.now())
    update_session_auth_hash(request, request.user)
    messages.success(request, "Your password has been changed. Other devices are signed out.")
    return redirect("account")


def _page(
    request: HttpRequest,
    more: More,
    *,
    form: AccountForm | None = None,
    password_form: ChangePasswordForm | None = None,
) -> HttpResponse:
    context = {
        "form": form or AccountForm(instance=request.account),
        "password_form": password_form or ChangePasswordForm(user=request.user),
        "members": members.of_account(request.account.id).count(),
        "now": timezone.now(),
    }
    return render(request, "accounts/account.html", context | more(request))
