"""Whether the person in front of a signed-in browser is who signed in: asked before what cannot be undone."""

from django.contrib.auth import authenticate
from django.http import HttpRequest

from accounts.models import User

WRONG = "That is not your password."
TOO_MANY = "Too many tries. Wait a minute, then try again."


def refusal(request: HttpRequest, password: str, *, of: User) -> str:
    """Why not, as a sentence; empty if it is theirs. Tries count as those of signing in do."""
    if authenticate(request, username=of.email, password=password) == of:
        return ""
    return TOO_MANY if getattr(request, "too_many_tries", False) else WRONG
