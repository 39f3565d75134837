"""The inbox of notifications, what has been read of it, and which email somebody wants."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from accounts import mail
from accounts.access import member
from accounts.models import Emails, User
from alerts import reading, selectors, subscriptions
from alerts.preferences_form import PreferencesForm
from billing.views import form_page, see_other

CHOSEN = {
    Emails.ALL: "Saved. You get every email, including what alert rules find.",
    Emails.IMPORTANT: "Saved. What alert rules find no longer comes by email. It is listed here.",
    Emails.NONE: "Saved. No email about the account reaches you. Everything is listed here.",
}


@require_safe
@never_cache
@member()
def notifications(request: HttpRequest) -> HttpResponse:
    """Looking changes nothing: a script or a button says that it was read."""
    asked = {side: request.GET.get(side, "") for side in ("before", "after")}
    page = selectors.inbox(request.account.id, reader=request.user, **asked)
    context = {
        "items": page.items,
        "closed_to_reader": "" if request.user.may("admin") else reverse("add_funds"),
        "through": _newest(page),
        "newer": f"?after={page.newer}" if page.newer else "",
        "older": f"?before={page.older}" if page.older else "",
        "per_page": selectors.PER_PAGE,
        "notes": _notes(request.user),
        "form": PreferencesForm(member=request.user),
    }
    return render(request, "alerts/notifications.html", context)


def _newest(page: selectors.Inbox) -> str:
    """What the button marks as read, and everything before it; nothing where nothing newer could be unread."""
    newest = next(iter(page.items), None)
    return newest.told.public_id if newest and newest.is_unread and not page.newer else ""


def _notes(user: User) -> list[dict[str, str]]:
    if mail.refusal_of(user) is None:
        return []
    body = (
        "The mail server of that address rejected it, and we do not send it again. Everything is listed here."
    )
    return [{"kind": "warn", "title": f"Our last email to {user.email} was refused", "body": body}]


@require_POST
@member()
def read_notifications(request: HttpRequest) -> HttpResponse:
    """Everything up to the notification that the page showed first; what came since stays unread."""
    newest = selectors.find(request.account.id, request.POST.get("through", ""))
    if newest is not None:
        reading.read(request.user, through=newest.created_at)
    return see_other(reverse("notifications"))


@require_POST
@member()
def choose_email(request: HttpRequest) -> HttpResponse:
    form = PreferencesForm(request.POST, member=request.user)
    if form.is_valid():
        form.save(request.user)
        messages.success(request, CHOSEN[Emails(form.cleaned_data["emails"])])
    else:
        messages.error(request, "Nothing was saved. Choose which emails you get, then save again.")
    return see_other(reverse("notifications"))


@csrf_exempt  # a mail program sends this form (RFC 8058); the signed link is the permission
@form_page
@never_cache
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """One click, signed out or in. A POST answers with the page itself: mail programs follow no redirect."""
    user = subscriptions.user_of(token)
    if user is None:
        return render(request, "alerts/unsubscribe.html", {"is_unknown": True}, status=404)
    if request.method == "POST":
        wants = request.POST.get("subscribe") == "yes"
        subscriptions.choose(user, optional=wants)
    context = {"wants_optional": subscriptions.wants_optional(user), "was_sent": request.method == "POST"}
    return render(request, "alerts/unsubscribe.html", context)
