"""Correcting a charge: never changed, but reversed once by a charge of its own. Both stay visible."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from accounts import ids
from accounts.errors import NotFound
from billing.errors import NoBalance
from billing.signals import announce


class ChargeNotFound(NotFound):
    """The account has no such charge, or it is itself a reversal."""

    title = "There is no such charge."


@dataclass(frozen=True, slots=True)
class Reversal:
    """The reversing charge, and the balance it left."""

    charge_id: UUID
    balance: Decimal
    replayed: bool


def reverse(
    account_id: UUID, charge_id: UUID, *, actor: str, reason: str, now: datetime | None = None
) -> Reversal:
    """Give back what a charge took, to the pools it came from, today. Again replays. Raises ChargeNotFound."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM usage_reverse_1(%s, %s, %s, %s, %s, %s)",
            [account_id, charge_id, ids.uuid7(), actor, reason, now],
        )
        status, reversal_id, balance = cursor.fetchone()
        if status == "no_account":
            raise NoBalance
        if status == "not_found":
            raise ChargeNotFound
        announce(account_id)
    return Reversal(reversal_id, balance, replayed=status == "replayed")
