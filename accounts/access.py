"""Who may see a page: members of an account, by role. Sets `request.account`."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

View = Callable[..., HttpResponse]

NEEDED = {
    "viewer": "This page belongs to an account, and you are not a member of one.",
    "admin": "Only admins and owners may do that. Ask the owner of your account to change your role.",
    "owner": "Only the owner may do that.",
}


CLOSED = "This account is closed. Until it is erased, another member of staff can open it again."


def member(*, role: str = "viewer") -> Callable[[View], View]:
    """Only members whose role includes `role` (viewer < admin < owner); others sign in or get 403."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            if request.user.account_id is None:
                raise PermissionDenied(NEEDED["viewer"])
            if not request.user.may(role):
                raise PermissionDenied(NEEDED[role])
            if request.user.account.closed_at is not None:  # staff still sign in
                raise PermissionDenied(CLOSED)
            request.account = request.user.account
            return view(request, *args, **kwargs)

        return login_required(guarded)

    return decorate
