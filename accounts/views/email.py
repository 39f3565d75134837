"""A new email address: asked for with the password, confirmed by a button behind the link in its mailbox."""

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import access, email_change, proof
from accounts.account_forms import DeviceProofForm, EmailChangeForm, ProofForm
from accounts.email_change import Wish
from accounts.models import User

form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
@never_cache
@sensitive_post_parameters("password")
@access.member()
def change_email(request: HttpRequest) -> HttpResponse:
    """The answer is the same whether or not the new address has a user; its mailbox hears which."""
    form = EmailChangeForm(request.POST or None)
    if not _is_proved(request, form, of=request.user):
        return render(request, "accounts/change_email.html", {"form": form})
    email = form.cleaned_data["email"]
    if email == request.user.email:
        form.add_error("email", "That is your address already.")
    elif not email_change.ask(request.user, email, now=timezone.now()):
        form.add_error(None, "You asked for many changes within an hour. Nothing was sent; try again later.")
    else:
        messages.success(request, f"We wrote to {email}. Nothing changes before you confirm it there.")
        return redirect("account")
    return render(request, "accounts/change_email.html", {"form": form})


@form_page
@never_cache
@sensitive_post_parameters("password")
def confirm_new_email(request: HttpRequest, token: str) -> HttpResponse:
    """A button changes it, not the link itself. Who opens it elsewhere types the password: a mistyped address must
    not let its owner in."""
    wish = email_change.wish_of(token)
    if wish is None:
        return render(request, "accounts/link_expired.html", {"again": "change_email"}, status=404)
    form = None if request.user == wish.user else DeviceProofForm(request.POST or None)
    if request.method == "POST" and (form is None or _is_proved(request, form, of=wish.user)):
        return _change(request, wish)
    return render(request, "accounts/confirm_new_email.html", {"form": form, "wish": wish})


def _is_proved(request: HttpRequest, form: ProofForm, *, of: User) -> bool:
    if not form.is_valid():
        return False
    refusal = proof.refusal(request, form.cleaned_data["password"], of=of)
    if refusal:
        form.add_error("password", refusal)
    return not refusal


def _change(request: HttpRequest, wish: Wish) -> HttpResponse:
    if email_change.change(wish, now=timezone.now()):
        messages.success(request, f"You sign in with {wish.email} from now on.")
    else:
        messages.error(request, f"Nothing was changed: {wish.email} belongs to another user now.")
    if request.user.is_authenticated and request.user != wish.user:
        logout(request)
    return redirect("account" if request.user == wish.user else "sign_in")
