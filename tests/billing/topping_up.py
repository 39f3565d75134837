"""What the tests of auto-topup begin with: an owner who turned it on, a balance that falls, letters to count."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import time_machine

from accounts import ids
from accounts.models import Mail, User
from billing import auto_charge, auto_topup, ledger, selectors
from billing.auto_topup import Standing, Wish
from billing.models import AutoTopup, TopUp
from tests.billing.paying import save_card

NOON = datetime(2026, 5, 12, 12, 0, tzinfo=UTC)  # a Tuesday
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
DECLINES = "pm_card_chargeCustomerFail"  # can be saved, then declines softly
MUST_CONFIRM = "pm_card_authenticationRequired"

LETTERS = {  # words of a letter's subject
    "added to your balance": "added",
    "Confirm": "confirm",
    "did not go through": "failed",
    "Auto-topup waits": "limited",
    "Auto-topup is off": "off",
    "Auto-topup is on": "on",
}


def turn_on(user: User, *, card: str = "", now: datetime = NOON, **changes: Any) -> AutoTopup:
    """Saved by the owner at `now`: below $10 add $25, at most $500 a month, unless told otherwise."""
    wanted: dict[str, Any] = {
        "enabled": True, "threshold": Decimal(10), "amount": Decimal(25), "monthly_limit": Decimal(500)
    }  # fmt: skip
    with time_machine.travel(now, tick=False):
        wish = Wish(card=card or save_card(user), **(wanted | changes))
        return auto_charge.save(user.account_id, wish, actor=user.public_id, now=now)


def watching(
    user: User, *, balance: Decimal = Decimal(50), now: datetime = NOON, **changes: Any
) -> AutoTopup:
    """Turned on above the threshold, so that nothing is charged yet."""
    set_balance(user.account_id, balance)
    return turn_on(user, now=now, **changes)


def set_balance(account_id: UUID, balance: Decimal) -> None:
    """To the cent, by an adjustment."""
    change = balance - selectors.balance_of(account_id).balance
    if change:
        ledger.adjust(account_id, change, key=str(ids.uuid7()), actor="test", reason="for the test")


def run_low(user: User, balance: Decimal = Decimal(1)) -> None:
    set_balance(user.account_id, balance)


def attempt(user: User, *, now: datetime = NOON) -> TopUp | None:
    """What a worker does when a crossing was noticed, at that moment."""
    with time_machine.travel(now, tick=False):
        return auto_charge.attempt(user.account_id)


def standing(user: User, *, now: datetime = NOON) -> Standing:
    return auto_topup.standing(user.account_id, now=now)


def row(user: User) -> AutoTopup:
    return AutoTopup.objects.get(pk=user.account_id)


def auto_topups(user: User) -> list[TopUp]:
    """Oldest first."""
    return list(TopUp.objects.filter(account_id=user.account_id, origin="auto").order_by("created_at"))


def letters(user: User) -> list[str]:
    """What was written to somebody about auto-topup and its payments, by name."""
    subjects = Mail.objects.filter(to=user.email).values_list("subject", flat=True)
    return sorted(next(kind for words, kind in LETTERS.items() if words in subject) for subject in subjects)
