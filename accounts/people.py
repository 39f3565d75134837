"""How a person comes in: sign-up, the confirmed email address, and with it the birth of the account."""

from datetime import datetime

from django.db import transaction

from accounts.models import Account, User
from accounts.signals import account_opened


@transaction.atomic
def register(*, email: str, password: str, name: str, timezone: str, now: datetime) -> User:
    """An account and its owner, both waiting for the email address to be confirmed."""
    account = Account.objects.create(name=name, timezone=timezone, created_at=now)
    return User.objects.create_user(email, password, account=account, role=User.Role.OWNER, created_at=now)


@transaction.atomic
def confirm(user: User, *, now: datetime) -> bool:
    """The address is the user's own: open the account. False when that had happened before.

    The row lock lets two clicks at once open it only once, so the trial is granted once.
    """
    user = User.objects.select_for_update().get(pk=user.pk)
    if user.email_confirmed_at is not None:
        return False
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


def _open(account_id: object, *, now: datetime) -> None:
    if Account.objects.filter(pk=account_id, opened_at=None).update(opened_at=now):
        account_opened.send(Account, account_id=account_id)
