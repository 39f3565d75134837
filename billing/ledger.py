"""The posting gate as Python sees it. Each call locks the account's Balance and writes one ledger entry, once per key.

Amounts are dollars. Repeating a kind and key replays the first posting; other amounts under the same key raise
KeyReused. Inside an outer transaction the lock is kept until that ends: lock Balances first, by account id.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from accounts import ids
from billing.errors import AccountClosed, KeyReused, NoBalance, NotEnough
from billing.models import LedgerEntry
from billing.money import ZERO
from billing.signals import announce

Kind = LedgerEntry.Kind


@dataclass(frozen=True, slots=True)
class Posting:
    """One entry as posted, now or (`replayed`) before."""

    entry_id: UUID
    granted_after: Decimal
    paid_after: Decimal
    recorded_at: datetime
    day: date
    replayed: bool

    @property
    def balance(self) -> Decimal:
        return self.granted_after + self.paid_after


@dataclass(frozen=True, slots=True)
class Opened:
    """A locked balance: the dollars that are free now (overdue holds are released), and whether spending is frozen."""

    free: Decimal
    frozen: bool


def open_balance(account_id: UUID, *, now: datetime | None = None) -> None:
    """Give a new account its Balance: zero, and depleted. Repeatable."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_birth_1(%s, %s)", [account_id, now])


def lock(account_id: UUID) -> None:
    """Take the account's Balance lock until the transaction ends (first in the lock order)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM billing_balance WHERE account_id = %s FOR NO KEY UPDATE", [account_id])
        if cursor.fetchone() is None:
            raise NoBalance


def look(account_id: UUID, *, now: datetime | None = None) -> Opened:
    """Take the Balance lock as `lock` does, and see what the gate sees: a charge of at most `free` would fit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT known, free, frozen FROM billing_open_1(%s, %s)", [account_id, now])
        known, free, frozen = cursor.fetchone()
    if not known:
        raise NoBalance
    return Opened(free, frozen)


def grant(
    account_id: UUID, amount: Decimal, *, key: str, actor: str, reason: str, now: datetime | None = None
) -> Posting:
    """Give credit (whole cents): spent before paid funds, never expires, never refunded."""
    return _post(account_id, Kind.GRANT, key, granted=amount, actor=actor, reason=reason, now=now)


def credit_topup(
    account_id: UUID, amount: Decimal, *, key: str, actor: str, now: datetime | None = None
) -> Posting:
    """Add what a payment brought in."""
    return _post(account_id, Kind.TOPUP, key, paid=amount, actor=actor, now=now)


def take_back(
    account_id: UUID, kind: LedgerEntry.Kind, amount: Decimal, *, key: str, actor: str, reason: str = "",
    now: datetime | None = None,
) -> Posting:  # fmt: skip
    """A refund or a dispute: takes `amount` (> 0) from paid, below zero if it must."""
    return _post(account_id, kind, key, paid=-amount, actor=actor, reason=reason, now=now)


def give_back(
    account_id: UUID, kind: LedgerEntry.Kind, amount: Decimal, *, key: str, actor: str, reason: str = "",
    now: datetime | None = None,
) -> Posting:  # fmt: skip
    """A dispute won, or the reversal of a failed refund: `amount` (> 0) returns to paid."""
    return _post(account_id, kind, key, paid=amount, actor=actor, reason=reason, now=now)


def adjust(
    account_id: UUID, amount: Decimal, *, key: str, actor: str, reason: str, now: datetime | None = None
) -> Posting:
    """Correct a balance by whole cents, with a reason. A debit takes granted credit first and must fit (NotEnough)."""
    if amount < 0:
        return _post(account_id, Kind.ADJUSTMENT, key, cost=-amount, actor=actor, reason=reason, now=now)
    return _post(account_id, Kind.ADJUSTMENT, key, paid=amount, actor=actor, reason=reason, now=now)


def freeze(account_id: UUID, *, by: str, frozen: bool, now: datetime | None = None) -> None:
    """Stop or resume spending; `by` is 'owner' or 'staff', and each lifts only its own freeze. Raises AccountClosed."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT billing_freeze_2(%s, %s, %s, %s)", [account_id, by, frozen, now])
        (status,) = cursor.fetchone()
        if status in _REFUSALS:
            raise _REFUSALS[status]
        announce(account_id)


def _post(
    account_id: UUID, kind: LedgerEntry.Kind, key: str, *, actor: str, reason: str = "", cost: Decimal | None = None,
    granted: Decimal = ZERO, paid: Decimal = ZERO, now: datetime | None,
) -> Posting:  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM billing_post_1(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [account_id, ids.uuid7(), kind, key, cost, granted, paid, actor, reason, now],
        )
        status, entry_id, granted_after, paid_after, recorded_at, day = cursor.fetchone()
        if status in _REFUSALS:
            raise _REFUSALS[status]
        announce(account_id)
    return Posting(entry_id, granted_after, paid_after, recorded_at, day, replayed=status == "replayed")


_REFUSALS = {"no_account": NoBalance, "conflict": KeyReused, "short": NotEnough, "closed": AccountClosed}
