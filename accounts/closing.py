"""The end of an account, as far as people go: keys and invitations end with it, and nobody signs in any more.

`Account.closed_at` is written under the account's Balance lock (thinnest_billing/leaving/closing.py), because what
spends reads it there. Until the account is erased staff can open it again.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from accounts.models import Account, ApiKey, Invitation, User

REGRET = timedelta(days=30)  # until people and notes are erased


def close(account_id: UUID, *, now: datetime) -> None:
    """Keys are revoked, open invitations withdrawn. Repeatable: the first moment stays."""
    Account.objects.filter(pk=account_id, closed_at=None).update(closed_at=now)
    ApiKey.objects.filter(account_id=account_id, revoked_at=None).update(revoked_at=now)
    open_ones = Invitation.objects.filter(account_id=account_id, accepted_at=None, withdrawn_at=None)
    open_ones.update(withdrawn_at=now)


def reopen(account_id: UUID, *, now: datetime) -> bool:
    """Let its members sign in again. False when it is not closed, or thirty days ago: its erasure may have begun."""
    closed = Account.objects.filter(pk=account_id, closed_at__gt=now - REGRET, erased_at=None)
    return bool(closed.update(closed_at=None))


def can_reopen(account: Account, *, now: datetime) -> bool:
    """Closed, and its erasure cannot have begun."""
    return account.closed_at is not None and account.erased_at is None and account.closed_at > now - REGRET


def is_over(user: User) -> bool:
    """Whether this person's account is closed; they may sign in only as staff, if they are."""
    return user.account is not None and user.account.closed_at is not None and not user.is_staff


def words(account: Account) -> str:
    """Told at sign-in to whoever knows the password."""
    assert account.closed_at is not None, "asked of a closed account"
    until = account.closed_at + REGRET
    return (
        f"The account “{account.name}” was closed on {_day(account.closed_at)}, so you were not signed in. Until "
        f"{_day(until)} we can open it again: please write to us ({settings.SUPPORT_EMAIL}). After that "
        "your data is erased."
    )


def _day(at: datetime) -> str:
    return f"{at.day} {at:%B %Y}"
