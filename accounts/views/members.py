"""Settings > Account > Members: who belongs to the account, their roles, and how they come and go."""

from django.contrib import messages
from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import access, invitations, members, roles
from accounts.access import member
from accounts.invitations import NotSent
from accounts.member_forms import InviteForm, OwnerForm, RemoveForm, RoleForm
from accounts.members import NotChanged
from accounts.models import Invitation, User

form_page = require_http_methods(["GET", "HEAD", "POST"])


@form_page
@member()
@never_cache
def member_list(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, InviteForm())
    if not request.user.may("owner"):
        raise PermissionDenied(access.NEEDED["owner"])
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    try:
        sent = invitations.invite(
            form.cleaned_data["email"], form.cleaned_data["role"], by=request.user, now=timezone.now()
        )
    except NotSent as refusal:
        form.add_error(None, str(refusal))
        return _page(request, form)
    messages.success(request, f"{sent.email} is invited. The link in the email works for 7 days.")
    return redirect("members")


@form_page
@member(role="owner")
@never_cache
def member_role(request: HttpRequest, public_id: str) -> HttpResponse:
    """One member: another role, and the ways to making them an owner or removing them."""
    person = _member(request, public_id)
    form = RoleForm(_posted(request), initial={"role": person.role})
    if not form.is_valid():
        return _member_page(request, "accounts/member.html", person, form)
    try:
        members.change_role(person, form.cleaned_data["role"], by=request.user, now=timezone.now())
    except NotChanged as refusal:
        form.add_error(None, str(refusal))
        return _member_page(request, "accounts/member.html", person, form)
    words = roles.WORDS[User.Role(form.cleaned_data["role"])]
    messages.success(request, f"{person.email} is {words} now, and we told them.")
    return redirect("members")


@form_page
@member(role="owner")
@never_cache
def make_owner(request: HttpRequest, public_id: str) -> HttpResponse:
    person = _member(request, public_id)
    form = OwnerForm(_posted(request), initial={"me": "owner"})
    if not form.is_valid():
        return _member_page(request, "accounts/make_owner.html", person, form)
    stays = form.cleaned_data["me"] == User.Role.OWNER
    try:
        members.make_owner(person, by=request.user, stays=stays, now=timezone.now())
    except NotChanged as refusal:
        form.add_error(None, str(refusal))
        return _member_page(request, "accounts/make_owner.html", person, form)
    messages.success(request, f"{person.email} is an owner now.{'' if stays else ' You are an admin.'}")
    return redirect("members")


@form_page
@member(role="owner")
@never_cache
def remove_member(request: HttpRequest, public_id: str) -> HttpResponse:
    person = _member(request, public_id)
    if person == request.user:
        return redirect("leave_account")
    form, now = RemoveForm(_posted(request)), timezone.now()
    keys = list(members.usable_keys_of(person, now=now))
    if not form.is_valid():
        return _member_page(request, "accounts/remove_member.html", person, form, keys=keys)
    try:
        members.remove(person, by=request.user, revoke_keys=form.cleaned_data["revoke_keys"], now=now)
    except NotChanged as refusal:
        form.add_error(None, str(refusal))
        return _member_page(request, "accounts/remove_member.html", person, form, keys=keys)
    messages.success(request, f"{person.email} is removed and signed out everywhere.")
    return redirect("members")


@form_page
@member()
@never_cache
def leave_account(request: HttpRequest) -> HttpResponse:
    """The last owner reads what to do instead."""
    now, refusal = timezone.now(), ""
    if request.method == "POST":
        try:
            members.leave(request.user, now=now)
        except NotChanged as error:
            refusal = str(error)
        else:
            return _gone(request)
    owners = members.of_account(request.account.id).filter(role=User.Role.OWNER)
    context = {
        "is_last_owner": list(owners) == [request.user],
        "refusal": refusal,
        "keys": members.usable_keys_of(request.user, now=now),
    }
    return render(request, "accounts/leave_account.html", context)


@require_POST
@member(role="owner")
def invite_again(request: HttpRequest, public_id: str) -> HttpResponse:
    invitation = _invitation(request, public_id)
    try:
        invitations.send_again(invitation, by=request.user, now=timezone.now())
    except NotSent as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"Sent to {invitation.email} again. The link works for 7 more days.")
    return redirect("members")


@require_POST
@member(role="owner")
def withdraw_invitation(request: HttpRequest, public_id: str) -> HttpResponse:
    invitation = _invitation(request, public_id)
    try:
        invitations.withdraw(invitation, by=request.user, now=timezone.now())
    except NotSent as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request, f"The invitation of {invitation.email} is withdrawn. Its link lets nobody in."
        )
    return redirect("members")


def _page(request: HttpRequest, form: InviteForm) -> HttpResponse:
    now = timezone.now()
    waiting = invitations.open_of(request.account.id)
    context = {
        "form": form,
        "members": members.of_account(request.account.id),
        "invitations": [(one, one.expires_at > now) for one in waiting],
        "roles": [(role.label, words) for role, words in roles.MEANS.items()],
        "table": roles.table(),
    }
    return render(request, "accounts/members.html", context)


def _member_page(
    request: HttpRequest, template: str, person: User, form: object, **more: object
) -> HttpResponse:
    return render(request, template, {"person": person, "form": form, **more})


def _posted(request: HttpRequest) -> QueryDict | None:
    """What was sent, even if it is nothing at all."""
    return request.POST if request.method == "POST" else None


def _member(request: HttpRequest, public_id: str) -> User:
    person = members.find(request.account.id, public_id)
    if person is None:
        raise Http404
    return person


def _invitation(request: HttpRequest, public_id: str) -> Invitation:
    invitation = invitations.find(request.account.id, public_id)
    if invitation is None:
        raise Http404
    return invitation


def _gone(request: HttpRequest) -> HttpResponse:
    logout(request)
    messages.success(request, "You have left the account and are signed out everywhere.")
    return redirect("sign_in")
