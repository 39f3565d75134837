"""Balances as they are read everywhere: overdue holds already subtracted, wherever the worker may be."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection

from accounts.errors import Unauthorized
from billing.errors import NoBalance
from billing.money import CENT, ZERO


@dataclass(frozen=True, slots=True)
class Funds:
    """What an account has, in dollars, at one moment."""

    granted: Decimal
    paid: Decimal
    held: Decimal
    depleted_at: datetime | None
    refused_at: datetime | None
    refused_amount: Decimal | None
    owner_froze_at: datetime | None
    staff_froze_at: datetime | None
    last_day: date | None  # of the newest posting; after a move westward it may lie ahead of today
    unfrozen_at: datetime | None = None  # when the newest freeze was lifted

    @property
    def balance(self) -> Decimal:
        return self.granted + self.paid

    @property
    def available(self) -> Decimal:
        """What may be spent now: the balance less what is held, and nothing while paid is below zero."""
        return ZERO if self.paid < 0 else max(ZERO, self.balance - self.held)

    @property
    def frozen(self) -> bool:
        return bool(self.owner_froze_at or self.staff_froze_at)

    @property
    def depleted(self) -> bool:
        return self.balance < CENT


NOTHING = Funds(ZERO, ZERO, ZERO, None, None, None, None, None, None)

# An overdue hold still counts in the column `held`.
FUNDS = """
    SELECT b.account_id, b.granted, b.paid, b.held - coalesce((
            SELECT sum(h.amount) FROM billing_hold h
            WHERE h.account_id = b.account_id AND h.state = 'open' AND h.expires_at <= clock_timestamp()), 0),
        b.depleted_at, b.refused_at, b.refused_amount, b.owner_froze_at, b.staff_froze_at,
        b.last_day, b.unfrozen_at
    FROM billing_balance b WHERE b.account_id = ANY(%s)"""

# What else of an account's payments may change under an open page, as one text: its top-ups without outcome and
# what was saved for auto-topup. It takes the account's id twice.
PAYMENTS = """
    SELECT concat_ws(' ',
        (SELECT string_agg(t.id || t.status || t.action_url, ' ' ORDER BY t.id) FROM billing_topup t
         WHERE t.account_id = %s AND t.next_look_at IS NOT NULL),
        (SELECT a::text FROM billing_autotopup a WHERE a.account_id = %s))"""


def balance_of(account_id: UUID) -> Funds:
    """The account's funds now, in one query. Raises NoBalance."""
    found = balances_of([account_id])
    if account_id not in found:
        raise NoBalance
    return found[account_id]


def balances_of(account_ids: Iterable[UUID]) -> dict[UUID, Funds]:
    """The funds of many accounts now, in one query; those without a Balance are left out."""
    with connection.cursor() as cursor:
        cursor.execute(FUNDS, [list(account_ids)])
        return {account_id: Funds(*funds) for account_id, *funds in cursor.fetchall()}


def funds_for_key(account_id: UUID, api_key_id: UUID) -> Funds:
    """The account's funds now, in one query that also proves the key that asks. Raises NoBalance, Unauthorized."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM billing_funds_1(%s, %s)", [account_id, api_key_id])
        row = cursor.fetchone()
    if row is None:
        raise NoBalance
    is_key_live, *funds = row
    if not is_key_live:
        raise Unauthorized
    return Funds(*funds)


def has_paid_balance(account_id: UUID) -> bool:
    """Whether a top-up came in that neither refunds nor disputes have taken back whole; spent ones count.

    It gates renting numbers, launching campaigns and a second call at a time. Staff's grants and adjustments are none.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_has_paid_1(%s)", [account_id])
        (has_one,) = cursor.fetchone()
    return bool(has_one)
