"""Sign up, confirm the address, sign in and out, reset the password."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import closing, limits, links, people
from accounts.forms import ConfirmForm, EmailForm, NewPasswordForm, SignInForm, SignUpForm
from accounts.models import User

form_page = require_http_methods(["GET", "HEAD", "POST"])
HOUR = 3600  # seconds


@form_page
@never_cache
@sensitive_post_parameters("password")
def sign_up(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return HttpResponseRedirect(_home(request.user))
    form = SignUpForm(request.POST or None)
    if not form.is_valid():
        return render(request, "accounts/sign_up.html", {"form": form})
    if not limits.allow("sign-up", limits.client_address(request), limit=5, seconds=HOUR, without_redis=3):
        return _too_many(
            request, "accounts/sign_up.html", form, "Nothing was created. Try again in an hour.", HOUR
        )
    user = people.sign_up(**form.cleaned_data, now=timezone.now())
    request.session["signed_up"] = links.fingerprint(user or User(email=form.cleaned_data["email"]))
    request.session["wrote_to"] = form.cleaned_data["email"]
    return redirect("check_email")


@require_GET
@never_cache
def check_email(request: HttpRequest) -> HttpResponse:
    """Where sign-up and reset end: the same words whether or not the address is known."""
    email = request.session.get("wrote_to")
    return render(request, "accounts/check_email.html", {"email": email}) if email else redirect("sign_in")


@form_page
@never_cache
@sensitive_post_parameters("password")
def confirm_email(request: HttpRequest, token: str) -> HttpResponse:
    """A button confirms, not the link itself: mail scanners follow links.

    Who opens it in another browser than the one that signed up types the password: so nobody opens an account for
    somebody else who signed up with a stranger's address.
    """
    user = links.user_to_confirm(token)
    if user is None:
        return render(request, "accounts/link_expired.html", {"again": "sign_up"}, status=404)
    if user.email_confirmed_at is not None:
        return _welcome_back(request, user)
    same_browser = links.is_fingerprint(user, request.session.get("signed_up"))
    form = None if same_browser else ConfirmForm(request.POST or None)
    if request.method == "POST" and (form is None or _knows_password(request, form, user)):
        people.confirm(user, now=timezone.now())
        if links.user_to_confirm(token) is None:  # the address went to whoever proved it first
            return render(request, "accounts/link_expired.html", {"again": "sign_up"}, status=404)
        return _enter(request, user)
    return render(request, "accounts/confirm_email.html", {"form": form, "person": user})


@form_page
@never_cache
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return HttpResponseRedirect(_home(request.user))
    form = SignInForm(request.POST or None, initial={"email": request.session.get("wrote_to")})
    if not form.is_valid():
        return render(request, "accounts/sign_in.html", {"form": form})
    email, password = form.cleaned_data["email"], form.cleaned_data["password"]
    user = authenticate(request, username=email, password=password)
    if user is None:
        return _not_signed_in(request, form)
    if user.email_confirmed_at is None:
        return _unconfirmed(request, user)
    return _enter(request, user)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    messages.success(request, "You are signed out.")
    return redirect(_target(request) or "sign_in")


@form_page
@never_cache
def password_reset(request: HttpRequest) -> HttpResponse:
    form = EmailForm(request.POST or None)
    if not form.is_valid():
        return render(request, "accounts/password_reset.html", {"form": form})
    if not limits.allow("reset", limits.client_address(request), limit=5, seconds=HOUR, without_redis=3):
        detail = "Nothing was sent. Try again in an hour."
        return _too_many(request, "accounts/password_reset.html", form, detail, HOUR)
    people.forgot_password(form.cleaned_data["email"], now=timezone.now())
    request.session["wrote_to"] = form.cleaned_data["email"]
    return redirect("check_email")


@form_page
@never_cache
@sensitive_post_parameters("new_password")
def password_reset_confirm(request: HttpRequest, user: str, token: str) -> HttpResponse:
    person = links.user_to_reset(user, token)
    if person is None:
        return render(request, "accounts/link_expired.html", {"again": "password_reset"}, status=404)
    form = NewPasswordForm(request.POST or None, user=person)
    if not form.is_valid():
        return render(request, "accounts/password_reset_confirm.html", {"form": form, "person": person})
    if not people.reset_password(person, form.cleaned_data["new_password"], now=timezone.now()):
        return render(request, "accounts/link_expired.html", {"again": "password_reset"}, status=404)
    messages.success(request, "Your password has been changed. Other devices are signed out.")
    return _enter(request, person)


def _knows_password(request: HttpRequest, form: ConfirmForm, user: User) -> bool:
    if not form.is_valid():
        return False
    if authenticate(request, username=user.email, password=form.cleaned_data["password"]) == user:
        return True
    form.add_error("password", _why_not(request, "This is not the password that was chosen at sign-up."))
    return False


def _not_signed_in(request: HttpRequest, form: SignInForm) -> HttpResponse:
    if getattr(request, "too_many_tries", False):
        return _too_many(request, "accounts/sign_in.html", form, "You were not signed in. Wait a minute.", 60)
    if closed := getattr(request, "closed_account", None):
        form.add_error(None, closing.words(closed))
        return render(request, "accounts/sign_in.html", {"form": form})
    form.add_error(None, "This email and password do not match.")
    return render(request, "accounts/sign_in.html", {"form": form})


def _why_not(request: HttpRequest, otherwise: str) -> str:
    tried = getattr(request, "too_many_tries", False)
    return "Too many tries. Wait a minute, then try again." if tried else otherwise


def _unconfirmed(request: HttpRequest, user: User) -> HttpResponse:
    """The password is right, so this browser is the one that signed up: send the link once more."""
    people.send_confirmation(user, now=timezone.now())
    request.session["signed_up"] = links.fingerprint(user)
    request.session["wrote_to"] = user.email
    return redirect("check_email")


def _welcome_back(request: HttpRequest, user: User) -> HttpResponse:
    if request.user == user:
        return HttpResponseRedirect(_home(user))
    request.session["wrote_to"] = user.email
    messages.success(request, "Your email address is confirmed. Sign in to go on.")
    return redirect("sign_in")


def _enter(request: HttpRequest, user: User) -> HttpResponse:
    login(request, user)
    for name in ("signed_up", "wrote_to"):
        request.session.pop(name, None)
    return HttpResponseRedirect(_target(request) or _home(user))


def _target(request: HttpRequest) -> str:
    """Where the request asks to go on to, if that is on our own site."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else ""


def _home(user: User) -> str:
    return resolve_url(
        "admin:index" if user.account_id is None and user.is_staff else settings.LOGIN_REDIRECT_URL
    )


def _too_many(request: HttpRequest, template: str, form: object, detail: str, wait: int) -> HttpResponse:
    form.add_error(None, f"Too many tries from here. {detail}")
    response = render(request, template, {"form": form}, status=429)
    response["Retry-After"] = str(wait)
    return response
