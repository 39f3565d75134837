"""Signed links in emails: to confirm an address, and to choose a new password."""

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core import signing
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts import ids
from accounts.models import User

CONFIRM_WITHIN = 60 * 60 * 24 * 7  # seconds
_confirming = signing.TimestampSigner(salt="accounts.confirm")
_resetting = (
    PasswordResetTokenGenerator()
)  # dies with its use, with a sign-in, and after PASSWORD_RESET_TIMEOUT


def confirm_url(user: User) -> str:
    return settings.SITE_URL + reverse("confirm_email", args=[_confirming.sign(user.public_id)])


def user_to_confirm(token: str) -> User | None:
    """Whose address the link is about, or None when it is not ours or a week old."""
    try:
        public_id = _confirming.unsign(token, max_age=CONFIRM_WITHIN)
    except signing.BadSignature:
        return None
    return _active(public_id)


def reset_url(user: User) -> str:
    token = _resetting.make_token(user)
    return settings.SITE_URL + reverse("password_reset_confirm", args=[user.public_id, token])


def user_to_reset(public_id: str, token: str) -> User | None:
    user = _active(public_id)
    return user if user is not None and _resetting.check_token(user, token) else None


def _active(public_id: str) -> User | None:
    user_id = ids.parse("usr", public_id)
    return User.objects.filter(pk=user_id, is_active=True).first() if user_id else None


def fingerprint(user: User) -> str:
    """Remembered in the session of the browser that signed up; another password gives another one."""
    return salted_hmac("accounts.signed-up", f"{user.pk}{user.password}", algorithm="sha256").hexdigest()


def is_fingerprint(user: User, remembered: object) -> bool:
    return isinstance(remembered, str) and constant_time_compare(fingerprint(user), remembered)
