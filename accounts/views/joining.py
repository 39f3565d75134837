"""Where the link of an invitation leads, and signing out everywhere."""

from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import invitations, links, people
from accounts.invitations import NotJoined, State
from accounts.member_forms import JoinForm
from accounts.models import Invitation, User
from accounts.roles import WORDS, sentence
from accounts.views.entrance import form_page

TAKEN = "taken"


@form_page
@never_cache
@sensitive_post_parameters("password")
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """A password makes a member of whoever reads the mailbox: the link came by email. Looking changes nothing."""
    found = links.invitation_of(token)
    if found is None:
        return _closed(request, None, "unknown")
    if why := _why_closed(request, found):
        return _closed(request, found, why)
    form = JoinForm(request.POST if request.method == "POST" else None, email=found.email)
    if not form.is_valid():
        return _join_page(request, found, form)
    try:
        person = invitations.accept(found, password=form.cleaned_data["password"], now=timezone.now())
    except NotJoined as refusal:
        return _closed(request, found, refusal.state or TAKEN)
    login(request, person)
    messages.success(
        request, f"Welcome. You are {WORDS[User.Role(person.role)]} of {person.account.name} now."
    )
    return redirect("overview")


@login_required
@form_page
@never_cache
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return render(request, "accounts/sign_out_everywhere.html")
    people.sign_out_everywhere(request.user, now=timezone.now())
    logout(request)
    messages.success(request, "You are signed out on every device.")
    return redirect("sign_in")


def _why_closed(request: HttpRequest, found: Invitation) -> str:
    """Why nobody can join by it just now: a State, `taken` or `elsewhere`; empty when somebody can."""
    state = invitations.state_of(found, now=timezone.now())
    if state != State.OPEN:
        return state
    if invitations.has_user(found.email):
        return TAKEN
    return "elsewhere" if request.user.is_authenticated else ""


def _join_page(request: HttpRequest, found: Invitation, form: JoinForm) -> HttpResponse:
    role = User.Role(found.role)
    context = {"invitation": found, "form": form, "role": WORDS[role], "means": sentence(role)}
    return render(request, "accounts/invitation.html", context)


def _closed(request: HttpRequest, found: Invitation | None, why: str) -> HttpResponse:
    """Signed in as somebody else is no dead end: everything else answers 404 or, once gone, 410."""
    status = {"unknown": 404, "elsewhere": 200, TAKEN: 200}.get(why, 410)
    if found is not None and why in (State.USED, TAKEN):
        request.session["wrote_to"] = found.email  # what the sign-in page proposes
    return render(
        request, "accounts/invitation_closed.html", {"invitation": found, "why": why}, status=status
    )
