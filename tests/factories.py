"""The few rows that nearly every test begins with, made by the same code as in real life."""

from collections.abc import Iterable
from datetime import UTC, datetime

from accounts import api_keys, people
from accounts.models import Account, Scope, User
from billing import ledger

PASSWORD = "correct horse battery"
BIRTHDAY = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)  # when the cast signed up


def owner(
    email: str = "ada@example.com",
    *,
    name: str = "Ada's agents",
    timezone: str = "UTC",
    now: datetime = BIRTHDAY,
) -> User:
    """A confirmed owner of an open account, with its trial."""
    return people.create_owner(email=email, password=PASSWORD, name=name, timezone=timezone, now=now)


def account_without_trial(*, now: datetime = BIRTHDAY) -> Account:
    """An open account with an empty balance and nobody in it."""
    account = Account.objects.create(name="Empty", created_at=now, opened_at=now)
    ledger.open_balance(account.id, now=now)
    return account


def member(account: Account, *, email: str, role: str = User.Role.VIEWER, now: datetime = BIRTHDAY) -> User:
    return User.objects.create_user(
        email, PASSWORD, account=account, role=role, email_confirmed_at=now, created_at=now
    )


def key(account: Account | None, *, scopes: Iterable[str] = Scope.values, now: datetime = BIRTHDAY) -> str:
    """The plain text of a new key: every scope, or those of a platform when there is no account."""
    allowed = [scope for scope in scopes if account is not None or scope != Scope.TOPUP_WRITE]
    return api_keys.create(account=account, name="tests", scopes=allowed, now=now)[1]
