"""Sign-in by email and password, slowed down for guessers. Serves our own page and Django's admin alike."""

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts import closing, limits
from accounts.models import User


class EmailBackend(ModelBackend):
    """At most 10 tries a minute per network address and 5 per email; of staff also 10 in a quarter of an hour.

    `request.too_many_tries` tells why it failed.
    """

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
        user = super().authenticate(request, username=email, password=password)
        if user is not None and closing.is_over(user):
            if request is not None:
                request.closed_account = user.account  # told to nobody but who knows the password
            raise PermissionDenied
        return user

    def get_user(self, user_id: object) -> User | None:
        """Who a session belongs to, with their account. Sessions end with it."""
        user = User.objects.select_related("account").filter(pk=user_id).first()
        return user if user and self.user_can_authenticate(user) and not closing.is_over(user) else None


def _may_try(request: HttpRequest, email: str) -> bool:
    address = limits.client_address(request)
    return (
        limits.allow("sign-in", address, limit=10, seconds=60, without_redis=3)
        and limits.allow("sign-in-email", email, limit=5, seconds=60, without_redis=3)
        and (
            not _is_staff(email)
            or limits.allow("sign-in-staff", email, limit=10, seconds=900, without_redis=2)
        )
    )


def _is_staff(email: str) -> bool:
    return User.objects.filter(email=email, is_staff=True).exists()
