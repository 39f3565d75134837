"""Settings > Account: the account's name and time zone, its members, one's own password."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts import access, people
from accounts.forms import AccountForm, ChangePasswordForm


@access.member()
def account(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request)
    if not request.user.may("owner"):
        raise PermissionDenied(access.NEEDED["owner"])
    form = AccountForm(request.POST, instance=request.account)
    if not form.is_valid():
        return _page(request, form=form)
    form.save()
    messages.success(request, "The account is saved.")
    return redirect("account")


@require_POST
@sensitive_post_parameters()
@access.member()
def change_password(request: HttpRequest) -> HttpResponse:
    form = ChangePasswordForm(request.POST, user=request.user)
    if not form.is_valid():
        return _page(request, password_form=form)
    people.set_password(request.user, form.cleaned_data["new_password"], now=timezone.now())
    update_session_auth_hash(request, request.user)
    messages.success(request, "Your password is changed. Other devices are signed out.")
    return redirect("account")


def _page(
    request: HttpRequest,
    *,
    form: AccountForm | None = None,
    password_form: ChangePasswordForm | None = None,
) -> HttpResponse:
    context = {
        "form": form or AccountForm(instance=request.account),
        "password_form": password_form or ChangePasswordForm(user=request.user),
        "members": request.account.members.filter(is_active=True).order_by("created_at", "id"),
        "now": timezone.now(),
    }
    return render(request, "accounts/account.html", context)
