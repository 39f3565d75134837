"""A new email address to sign in with: asked for with the password, made by a button behind a link to that mailbox.

Nobody learns here whether an address has a user: its mailbox is told, the browser is not.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts import ids, limits, mail
from accounts.closing import is_over
from accounts.models import Account, User

WITHIN = 60 * 60 * 24  # seconds that the link works
MAILS_AN_HOUR = 5  # to one address, and by one person
SALT = "accounts.email-change"


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants which address, as a link says it."""

    user: User
    email: str


def ask(user: User, email: str, *, now: datetime) -> bool:
    """Write to both addresses; False when this person has asked too often, and nothing was sent.

    The new one gets the link, or word that it has a user already. The old one hears that somebody asked.
    """
    if not limits.allow("email-change", str(user.pk), limit=MAILS_AN_HOUR, seconds=3600, without_redis=3):
        return False
    with transaction.atomic():
        _write_to_new(user, email, now=now)
        mail.send(user.email, "email_change_asked", {"new": email, "at": now}, user=user, now=now)
    return True


def _write_to_new(user: User, email: str, *, now: datetime) -> None:
    if not limits.allow("mail-to", email, limit=MAILS_AN_HOUR, seconds=3600):
        return
    owner = _owner_of(email)
    if owner is not None:
        mail.send(email, "already_signed_up", {}, user=owner, now=now)
    else:
        mail.send(
            email,
            "email_change",
            {"old": user.email, "link": url(user, email)},
            user=user,
            secret=True,
            now=now,
        )


def _owner_of(email: str) -> User | None:
    """Who has this address for good. Somebody who signed up with it and never confirmed it has it not."""
    return User.objects.filter(email=email).exclude(**_WAITING).first()


_WAITING = {
    "email_confirmed_at": None,
    "is_staff": False,
    "account__isnull": False,
    "account__opened_at": None,
}


def url(user: User, email: str) -> str:
    token = signing.dumps([user.public_id, email, _stamp(user)], salt=SALT, compress=True)
    return settings.SITE_URL + reverse("confirm_new_email", args=[token])


def wish_of(token: str) -> Wish | None:
    """What a link asks for; None when it is not ours, a day old, used, or older than another password."""
    try:
        public_id, email, stamp = signing.loads(token, salt=SALT, max_age=WITHIN)
    except (signing.BadSignature, ValueError):
        return None
    user_id = ids.parse("usr", public_id)
    people = User.objects.select_related("account").filter(is_active=True)
    user = people.filter(pk=user_id).first() if user_id else None
    if user is None or is_over(user) or not constant_time_compare(_stamp(user), stamp):
        return None
    return Wish(user, email)


def _stamp(user: User) -> str:
    """Another one after every change of the address or the password, so that a link works once."""
    return salted_hmac(SALT, f"{user.pk}{user.email}{user.password}", algorithm="sha256").hexdigest()


def change(wish: Wish, *, now: datetime) -> bool:
    """Make the new address the one to sign in with, and tell the old one. False when it has a user by now."""
    old = wish.user.email
    try:
        with transaction.atomic():
            _give_way(wish.email)
            changed = User.objects.filter(pk=wish.user.pk, email=old).update(
                email=wish.email, email_confirmed_at=now
            )
            if changed:
                mail.send(old, "email_changed", {"new": wish.email, "at": now}, user=wish.user, now=now)
    except IntegrityError:
        return False
    return bool(changed)


def _give_way(email: str) -> None:
    """Who proves that the mailbox is theirs comes before a sign-up that never did."""
    waiting = User.objects.select_for_update(of=("self",)).filter(email=email, **_WAITING).first()
    if waiting is not None and waiting.account is not None:
        account = waiting.account
        waiting.delete()
        Account.objects.filter(pk=account.pk, opened_at=None, members=None).delete()
