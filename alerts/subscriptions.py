"""Who gets email about their account, what they prefer, and the links by which they end what is optional."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse

from accounts import ids
from accounts.models import User
from alerts.models import Channel, Reader

WRITTEN_TO = (User.Role.OWNER, User.Role.ADMIN)  # viewers read the dashboard
_unsubscribing = signing.Signer(salt="alerts.unsubscribe")  # no end: an old email must still let go


def readers(account_id: UUID) -> list[User]:
    """The members who get the emails of their account."""
    found = User.objects.filter(account_id=account_id, is_active=True, role__in=WRITTEN_TO)
    return list(found.order_by("created_at", "id"))


def subscribed(readers: list[User]) -> list[User]:
    """Those of them whom optional email reaches."""
    gone = Reader.objects.filter(user__in=readers).exclude(unsubscribed_at=None)
    unsubscribed = set(gone.values_list("user_id", flat=True))
    return [reader for reader in readers if reader.pk not in unsubscribed]


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
    """Whoever never said anything is subscribed."""
    return not Reader.objects.filter(user=user).exclude(unsubscribed_at=None).exists()


def choose(user: User, *, optional: bool, now: datetime) -> None:
    """Subscribe to optional email or unsubscribe from it; a repeat keeps the first moment."""
    if optional:
        Reader.objects.filter(user=user).update(unsubscribed_at=None)
        return
    Reader.objects.get_or_create(user=user)
    Reader.objects.filter(user=user, unsubscribed_at=None).update(unsubscribed_at=now)


def channel_of(user: User) -> str:
    """Where this member wants their next alert rule to tell; one of Channel."""
    found = Reader.objects.filter(user=user).values_list("channel", flat=True).first()
    return found or Channel.BOTH


def prefer(user: User, *, channel: str) -> None:
    """Rules that exist keep theirs."""
    Reader.objects.update_or_create(user=user, defaults={"channel": channel})
