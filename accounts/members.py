"""The members of an account: what role each has, and how they leave. An account always keeps an owner.

Every act locks the account first (in a way that lets charges and top-ups pass) and asks again who acts: of two owners
who remove each other at once, one is left.
"""

from datetime import datetime
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import api_keys, ids, member_letters, people
from accounts.access import NEEDED
from accounts.models import Account, ApiKey, User

Role = User.Role


class NotChanged(Exception):
    """The members stay as they are; the text says why and what to do."""


class Gone(NotChanged):
    """Whom it is about has left the account meanwhile."""

    def __init__(self) -> None:
        super().__init__("They are no longer a member of this account. Nothing was changed.")


LAST_OWNER = "An account always has an owner. Make another member an owner first. Nothing was changed."


def of_account(account_id: UUID) -> QuerySet[User]:
    return User.objects.filter(account_id=account_id, is_active=True).order_by("created_at", "id")


def find(account_id: UUID, public_id: str) -> User | None:
    """The member with this id (usr_…), if they belong to the account."""
    user_id = ids.parse("usr", public_id)
    return of_account(account_id).filter(pk=user_id).first() if user_id else None


def usable_keys_of(member: User, *, now: datetime) -> QuerySet[ApiKey]:
    """The account's keys that this member made and that work still."""
    alive = Q(expires_at=None) | Q(expires_at__gt=now)
    made = ApiKey.objects.filter(alive, created_by=member, account=member.account_id, revoked_at=None)
    return made.order_by("-created_at", "-id")


def lock(account_id: UUID) -> Account:
    """Hold the account until the transaction ends. Rows that point to it can be written meanwhile."""
    return Account.objects.select_for_update(no_key=True).get(pk=account_id)


def lock_as_owner(by: User) -> Account:
    """As `lock`, for an act of an owner: who was one when the page was shown need not be one any more."""
    account = lock(_account_of(by))
    if not _owners(account.pk).filter(pk=by.pk).exists():
        raise PermissionDenied(NEEDED["owner"])
    return account


@transaction.atomic
def change_role(member: User, role: str, *, by: User, now: datetime) -> None:
    """A viewer or admin from now on; told to the member."""
    lock_as_owner(by)
    member = _again(member, _account_of(by))
    if member.role == role:
        return
    _keep_an_owner(member)
    was, member.role = member.role, Role(role)
    member.save(update_fields=["role"])
    member_letters.role_changed(member, was=was, by=by, now=now)


@transaction.atomic
def make_owner(member: User, *, by: User, stays: bool, now: datetime) -> None:
    """Told to all owners. Who hands over (`stays` is false) becomes an admin."""
    lock_as_owner(by)
    member = _again(member, _account_of(by))
    if member.pk == by.pk or member.role == Role.OWNER:
        raise NotChanged(f"{member.email} is an owner already. Nothing was changed.")
    was, member.role = member.role, Role.OWNER
    member.save(update_fields=["role"])
    member_letters.role_changed(member, was=was, by=by, now=now)
    if not stays:
        User.objects.filter(pk=by.pk).update(role=Role.ADMIN)
    member_letters.new_owner(member, by=by, stays=stays, now=now)


@transaction.atomic
def remove(member: User, *, by: User, revoke_keys: bool, now: datetime) -> None:
    """Their sessions end with this. The keys they made are the account's: they work on unless `revoke_keys`."""
    lock_as_owner(by)
    member = _again(member, _account_of(by))
    _keep_an_owner(member)
    if revoke_keys:
        for key in usable_keys_of(member, now=now):
            api_keys.revoke(key, now=now)
    _part(member, by=by, now=now)


@transaction.atomic
def leave(member: User, *, now: datetime) -> None:
    """Go of one's own will. The last owner cannot."""
    account_id = _account_of(member)
    lock(account_id)
    member = _again(member, account_id)
    _keep_an_owner(member)
    _part(member, by=member, now=now)


def _account_of(member: User) -> UUID:
    if member.account_id is None:
        raise PermissionDenied(NEEDED["viewer"])
    return member.account_id


def _part(member: User, *, by: User, now: datetime) -> None:
    others = [owner for owner in _owners(_account_of(member)) if owner.pk not in (member.pk, by.pk)]
    member_letters.parted(member, others, by=by, now=now)
    people.part(member)


def _again(member: User, account_id: UUID) -> User:
    """The member as they are now, under the account's lock."""
    found = (
        User.objects.select_for_update().filter(pk=member.pk, account_id=account_id, is_active=True).first()
    )
    if found is None:
        raise Gone
    return found


def _owners(account_id: UUID) -> QuerySet[User]:
    return User.objects.filter(account_id=account_id, role=Role.OWNER, is_active=True)


def _keep_an_owner(without: User) -> None:
    if without.role == Role.OWNER and not _owners(_account_of(without)).exclude(pk=without.pk).exists():
        raise NotChanged(LAST_OWNER)
