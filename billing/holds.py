"""Holds: funds reserved before the work, ended once by capture, release or time. Dollars.

An expired hold frees its funds without any worker: the gate releases overdue holds first, and reads subtract them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from psycopg.types.json import Jsonb

from accounts import ids
from billing.errors import HoldNotFound, NoBalance
from billing.models import Hold
from billing.signals import announce


@dataclass(frozen=True, slots=True)
class HoldOutcome:
    """What became of a request about a hold. `granted`, `paid`, `free`: dollars after it.

    status: held, extended, ended, replayed, reused, short, frozen, unpaid, other_ending.
    """

    status: str
    hold_id: UUID
    state: str
    amount: Decimal
    expires_at: datetime
    balance: Decimal
    free: Decimal


def hold(
    account_id: UUID, *, key: str, request_hash: bytes, amount: Decimal, purpose: str, terms: dict[str, Any],
    lifetime: timedelta, api_key_id: UUID | None = None, alone: bool = False, now: datetime | None = None,
) -> HoldOutcome:  # fmt: skip
    """Reserve `amount`. The same key and request replays; another request answers 'reused'.

    `alone`: without a paid balance it is refused ('unpaid') while another hold of its purpose is open.
    """
    row = _call(
        "SELECT * FROM billing_hold_2(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            account_id,
            ids.uuid7(),
            key,
            request_hash,
            amount,
            purpose,
            Jsonb(terms),
            lifetime,
            api_key_id,
            alone,
            now,
        ],
        account_id,
    )
    status, hold_id, state, held, expires_at, granted, paid, free = row
    return HoldOutcome(status, hold_id, state, held, expires_at, granted + paid, free)


def extend(
    account_id: UUID, hold_id: UUID, *, amount: Decimal, terms: dict[str, Any], lifetime: timedelta,
    alone: bool = False, now: datetime | None = None,
) -> HoldOutcome:  # fmt: skip
    """Set the hold's total. On 'short' the hold stays as it was and `free` is the largest total that fits.

    `alone` is about a hold that has expired: reopened beside another it would be a second one.
    """
    row = _call(
        "SELECT * FROM billing_extend_2(%s, %s, %s, %s, %s, %s, %s)",
        [account_id, hold_id, amount, Jsonb(terms), lifetime, alone, now],
        account_id,
    )
    status, state, held, expires_at, granted, paid, free = row
    return HoldOutcome(status, hold_id, state, held, expires_at, granted + paid, free)


def release(account_id: UUID, hold_id: UUID, *, now: datetime | None = None) -> HoldOutcome:
    """Give the reserved funds back. Again replays; a captured hold answers 'other_ending'."""
    row = _call(
        "SELECT * FROM billing_end_hold_1(%s, %s, %s, %s)",
        [account_id, hold_id, Hold.State.RELEASED, now],
        account_id,
    )
    status, state, held, expires_at, free = row
    return HoldOutcome(status, hold_id, state, held, expires_at, Decimal(0), free)


def may_join(account_id: UUID, purpose: str) -> bool:
    """Whether a hold that has to be `alone` would be made now. A look, and no promise."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT billing_may_join_1(%s, %s, %s, clock_timestamp())", [account_id, purpose, ids.uuid7()]
        )
        (may,) = cursor.fetchone()
    return bool(may)


def find(account_id: UUID, hold_id: UUID) -> Hold:
    """The account's hold. Raises HoldNotFound, also for somebody else's and once the account is closed."""
    found = Hold.objects.filter(account_id=account_id, id=hold_id, account__closed_at=None).first()
    if found is None:
        raise HoldNotFound
    return found


def _call(sql: str, parameters: list[Any], account_id: UUID) -> tuple[Any, ...]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row: tuple[Any, ...] = cursor.fetchone()
        if row[0] == "no_account":
            raise NoBalance
        if row[0] == "not_found":
            raise HoldNotFound
        announce(account_id)
    return row
