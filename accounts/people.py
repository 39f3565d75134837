"""How a person comes in: sign-up, the confirmed email address and with it the birth of the account, passwords.

Nothing here answers differently for an address that exists: the mailbox is told, the browser is not.
"""

from datetime import datetime
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import CASCADE, ForeignObjectRel

from accounts import closing, limits, links, mail
from accounts.models import Account, User
from accounts.signals import account_opened

MAILS_AN_HOUR = 5  # to one address that did not sign in


@transaction.atomic
def sign_up(*, email: str, password: str, name: str, timezone: str, now: datetime) -> User | None:
    """Write to the address: a link that confirms it, or that it has an account already (then None)."""
    details = {"password": password, "name": name, "timezone": timezone}
    try:
        with transaction.atomic():
            user = _waiting(email, **details) or register(email=email, now=now, **details)
    except IntegrityError:  # the address belongs to somebody, perhaps since a moment ago
        make_password(password)  # as slow as the other way
        if (owner := User.objects.filter(email=email).first()) is None:  # and gone since
            return sign_up(email=email, now=now, **details)
        _write(owner, "already_signed_up", now=now)
        return None
    send_confirmation(user, now=now)
    return user


@transaction.atomic
def send_confirmation(user: User, *, now: datetime) -> None:
    """Nobody hears of a sign-up that is gone: see `_sign_up_of`."""
    if _sign_up_of(user) is not None:
        _write(user, "confirm_email", now=now, link=links.confirm_url(user))


def forgot_password(email: str, *, now: datetime) -> None:
    """Send a link for a new password, if the address is somebody's."""
    user = User.objects.select_related("account").filter(email=email, is_active=True).first()
    if user is not None and not closing.is_over(user):
        _write(user, "password_reset", now=now, link=links.reset_url(user))


@transaction.atomic
def set_password(user: User, password: str, *, now: datetime) -> None:
    """A new password ends every session. Told by email, so that a stranger's change does not go unseen."""
    user.set_password(password)
    user.save(update_fields=["password"])
    mail.send(user.email, "password_changed", {"at": now}, user=user, now=now)


@transaction.atomic
def reset_password(user: User, password: str, *, now: datetime) -> bool:
    """Who reads the mailbox owns the address: a new password confirms it too. False when the sign-up is gone."""
    if _sign_up_of(user) is None:
        return False
    set_password(user, password, now=now)
    confirm(user, now=now)
    return True


def sign_out_everywhere(user: User, *, now: datetime) -> None:
    """Every session ends, this one too."""
    user.signed_out_at = now
    user.save(update_fields=["signed_out_at"])


@transaction.atomic
def part(user: User) -> None:
    """Somebody belongs to their account no more. Staff stay staff; of anybody else nothing personal is kept.

    The row itself stays, nameless: actors, keys and addresses of the API (`/billing/history/usr_…`) name it. The email
    address is free for an invitation or an account of its own.
    """
    if user.is_staff:
        User.objects.filter(pk=user.pk).update(account=None)
        return
    _delete_belongings(user)
    user.email, user.is_active = f"{user.public_id.lower()}@removed.invalid", False
    user.set_unusable_password()
    user.save()


def _delete_belongings(user: User) -> None:
    """What a deleted user would take along: mail, what they have read, groups."""
    for relation in User._meta.get_fields(include_hidden=True):
        if isinstance(relation, ForeignObjectRel) and relation.on_delete is CASCADE:
            relation.related_model._default_manager.filter(**{relation.field.name: user}).delete()


@transaction.atomic
def register(*, email: str, password: str, name: str, timezone: str, now: datetime) -> User:
    """An account and its owner, both waiting for the email address to be confirmed."""
    account = Account.objects.create(name=name, timezone=timezone, created_at=now)
    return User.objects.create_user(email, password, account=account, role=User.Role.OWNER, created_at=now)


@transaction.atomic
def confirm(user: User, *, now: datetime) -> bool:
    """The address is the user's own: open the account. False when that had happened before, or the sign-up is gone.

    The row lock lets two clicks at once open it only once, so the trial is granted once.
    """
    found = _sign_up_of(user)
    if found is None or found.email_confirmed_at is not None:
        return False
    user = found
    user.email_confirmed_at = now
    user.save(update_fields=["email_confirmed_at"])
    if user.account_id is not None:
        _open(user.account_id, now=now)
    return True


@transaction.atomic
def create_owner(*, email: str, password: str, name: str, timezone: str, now: datetime) -> User:
    """A confirmed owner of an open account, for commands and demo data."""
    user = register(email=email, password=password, name=name, timezone=timezone, now=now)
    confirm(user, now=now)
    return User.objects.select_related("account").get(pk=user.pk)


def _open(account_id: UUID, *, now: datetime) -> None:
    if Account.objects.filter(pk=account_id, opened_at=None).update(opened_at=now):
        account_opened.send(Account, account_id=account_id)


def _sign_up_of(user: User) -> User | None:
    """The user as they are now, locked. None: somebody else proved that the mailbox is theirs, and got the address."""
    return User.objects.select_for_update().filter(pk=user.pk).first()


def _waiting(email: str, *, password: str, name: str, timezone: str) -> User | None:
    """Somebody signed up with this address and never confirmed it: the last one to sign up is right."""
    unconfirmed = User.objects.filter(email=email, email_confirmed_at=None, is_staff=False)
    user = (
        unconfirmed.filter(account__isnull=False, account__opened_at=None)
        .select_for_update(of=("self",))
        .first()
    )
    if user is not None:
        user.set_password(password)
        user.save(update_fields=["password"])
        Account.objects.filter(members=user).update(name=name, timezone=timezone)
    return user


def _write(user: User, template: str, *, now: datetime, **context: object) -> None:
    """At most five an hour to one address: our forms must not serve to flood a stranger's mailbox."""
    if limits.allow("mail-to", user.email, limit=MAILS_AN_HOUR, seconds=3600):
        mail.send(user.email, template, context, user=user, now=now, secret="link" in context)
