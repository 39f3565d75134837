"""What alert rules find is optional email: whom it reaches, and the links by which anybody ends it."""

from django.conf import settings
from django.core import signing
from django.urls import reverse

from accounts import ids, recipients
from accounts.models import Emails, User
from alerts.models import Channel, Reader

_unsubscribing = signing.Signer(salt="alerts.unsubscribe")  # no end: an old email must still let go


def url(user: User) -> str:
    """The link in an optional email. It works signed out, in any browser, and tells nobody the address."""
    return settings.SITE_URL + reverse("unsubscribe", args=[_unsubscribing.sign(user.public_id)])


def user_of(token: str) -> User | None:
    """Whose link it is, or None when it is not ours or they are gone."""
    try:
        user_id = ids.parse("usr", _unsubscribing.unsign(token))
    except signing.BadSignature:
        return None
    return User.objects.filter(pk=user_id, is_active=True).first() if user_id else None


def wants_optional(user: User) -> bool:
    return recipients.wish_of(user) == Emails.ALL


def choose(user: User, *, optional: bool) -> None:
    """Subscribe to optional email, or keep only what matters. Who gets less than that already stays as they are."""
    if optional != wants_optional(user):
        recipients.choose(user, Emails.ALL if optional else Emails.IMPORTANT)


def channel_of(user: User) -> str:
    """Where this member wants their next alert rule to tell; one of Channel."""
    found = Reader.objects.filter(user=user).values_list("channel", flat=True).first()
    return found or Channel.BOTH


def prefer(user: User, *, channel: str) -> None:
    """Rules that exist keep theirs."""
    Reader.objects.update_or_create(user=user, defaults={"channel": channel})
