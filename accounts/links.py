"""Signed links in emails: to confirm an address, to choose a new password, and to join an account."""

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core import signing
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts import ids
from accounts.models import Invitation, User

CONFIRM_WITHIN = 60 * 60 * 24 * 7  # seconds
_confirming = signing.TimestampSigner(salt="accounts.confirm")
_inviting = signing.Signer(salt="accounts.invite")  # how long it works stands in its row
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


def invitation_url(invitation: Invitation) -> str:
    return settings.SITE_URL + reverse("invitation", args=[_inviting.sign(invitation.public_id)])


def invitation_of(token: str) -> Invitation | None:
    """The invitation of a link, whatever became of it, or None when the link is not ours."""
    try:
        invitation_id = ids.parse("inv", _inviting.unsign(token))
    except signing.BadSignature:
        return None
    if invitation_id is None:
        return None
    return Invitation.objects.select_related("account", "invited_by").filter(pk=invitation_id).first()


def _active(public_id: str) -> User | None:
    user_id = ids.parse("usr", public_id)
    if user_id is None:
        return None
    return User.objects.filter(pk=user_id, is_active=True).exclude(account__closed_at__isnull=False).first()


def fingerprint(user: User) -> str:
    """Remembered in the session of the browser that signed up; another password gives another one."""
    return salted_hmac("accounts.signed-up", f"{user.pk}{user.password}", algorithm="sha256").hexdigest()


def is_fingerprint(user: User, remembered: object) -> bool:
    return isinstance(remembered, str) and constant_time_compare(fingerprint(user), remembered)
