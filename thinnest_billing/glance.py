"""What stands around every page of an account at one moment, in one query: its funds, and what was not read yet."""

from dataclasses import dataclass
from hashlib import sha256

from django.db import connection

from accounts.models import User
from alerts.selectors import UNREAD
from billing.selectors import FUNDS, PAYMENTS, Funds

# The hour is part of it, for what changes with time alone: a grace period, a rent that comes due, the runway.
QUESTION = f"""
    SELECT ({UNREAD}), concat(({PAYMENTS}), date_trunc('hour', clock_timestamp())), funds.*
    FROM (SELECT) one LEFT JOIN ({FUNDS}) funds ON true"""


@dataclass(frozen=True, slots=True)
class Glance:
    """`stamp` changes with everything that an open page may show differently: any posting, hold, top-up or news."""

    unread: int
    funds: Funds | None  # None: the account is not open yet
    stamp: str


NOTHING = Glance(0, None, "")


def glance(user: User) -> Glance:
    """As this member sees their account."""
    account_id = user.account_id
    assert account_id, "a glance is at an account"
    with connection.cursor() as cursor:
        cursor.execute(QUESTION, [account_id, user.pk, account_id, account_id, [account_id]])
        row = cursor.fetchone()
    unread, _, opened, *funds = row
    return Glance(unread, Funds(*funds) if opened else None, sha256(repr(row).encode()).hexdigest()[:16])
