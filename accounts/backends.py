"""Sign-in by email and password, slowed down for guessers. Serves our own page and Django's admin alike."""

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts import limits
from accounts.models import User


class EmailBackend(ModelBackend):
    """At most 10 tries a minute per network address and 5 per email; `request.too_many_tries` tells why it failed."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **more: object,
    ) -> User | None:
        email = (username or str(more.get("email", ""))).strip().lower()
        if request is not None and not _may_try(request, email):
            request.too_many_tries = True
            raise PermissionDenied
        return super().authenticate(request, username=email, password=password)


def _may_try(request: HttpRequest, email: str) -> bool:
    address = limits.client_address(request)
    return limits.allow("sign-in", address, limit=10, seconds=60, without_redis=3) and limits.allow(
        "sign-in-email", email, limit=5, seconds=60, without_redis=3
    )
