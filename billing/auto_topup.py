"""Auto-topup: an account's standing order, what happens to it, and how it is told.

Everything that changes it is called inside the caller's transaction, under the account's Balance lock, and writes
its letter there. It starts no payment: auto_charge does.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from billing import auto_due, letters, selectors, topup_limits
from billing.auto_due import Kind
from billing.models import AutoTopup, PaymentMethod, TopUp
from billing.money import ZERO, is_whole_cents, usd

LARGEST_LIMIT = Decimal(1_000_000)  # dollars a month
Stopped = AutoTopup.Stopped


def of(account_id: UUID) -> AutoTopup | None:
    """The account's standing order, if its owner ever saved one."""
    return AutoTopup.objects.select_related("account").filter(pk=account_id).first()


# --- What its owner wants -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """What the form says, in dollars. `card`: the gateway's id."""

    enabled: bool
    threshold: Decimal
    amount: Decimal
    card: str
    monthly_limit: Decimal


def refusals(account_id: UUID, wish: Wish) -> dict[str, str]:
    """What is wrong with a wish: a sentence for each field; nothing if it may be saved."""
    checks = {
        "threshold": _threshold_refusal(wish),
        "amount": topup_limits.amount_refusal(wish.amount) or _amount_refusal(wish),
        "monthly_limit": _limit_refusal(wish),
        "card": _card_refusal(account_id, wish),
    }
    return {field: sentence for field, sentence in checks.items() if sentence}


def _threshold_refusal(wish: Wish) -> str:
    if not wish.threshold.is_finite() or wish.threshold <= 0:
        return "Type an amount above zero, such as 10.00."
    return "" if is_whole_cents(wish.threshold) else "Use dollars and whole cents, such as 10.00."


def _amount_refusal(wish: Wish) -> str:
    if wish.threshold.is_finite() and wish.amount < wish.threshold:
        return f"Add at least {usd(wish.threshold)}, so that one top-up brings you back above the threshold."
    return ""


def _limit_refusal(wish: Wish) -> str:
    if not is_whole_cents(wish.monthly_limit):
        return "Use dollars and whole cents, such as 500.00."
    if wish.monthly_limit > LARGEST_LIMIT:
        return f"The largest monthly limit is {usd(LARGEST_LIMIT)}."
    if wish.amount.is_finite() and wish.monthly_limit < wish.amount:
        return f"Allow at least one top-up a month: {usd(wish.amount)}."
    return ""


def _card_refusal(account_id: UUID, wish: Wish) -> str:
    wanted = AutoTopup(account_id=account_id, card=wish.card)
    if "\0" in wish.card or auto_due.card_of(wanted) is None:
        return "This card is not saved any more. Choose another card."
    return ""


# --- Where it stands ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """What auto-topup does next, or why not. Amounts in dollars.

    `at`: until when it waits (confirm, retry, count_limit, month_limit), since when (stopped, charging), else null.
    `topup`: the open one (charging, confirm), else the newest that auto-topup made. `auto`: null if never saved.
    """

    kind: Kind
    at: datetime | None
    auto: AutoTopup | None
    topup: TopUp | None
    card: PaymentMethod | None  # null too if it was removed
    available: Decimal
    used_this_month: Decimal
    monthly_limit: Decimal

    @property
    def is_on(self) -> bool:
        return self.auto is not None and self.auto.enabled

    @property
    def is_below(self) -> bool:
        """Whether a top-up would come now if nothing held it back."""
        return self.auto is not None and self.available < self.auto.threshold


def standing(account_id: UUID, *, now: datetime) -> Standing:
    """Everything a page says about auto-topup. Raises NoBalance."""
    auto = of(account_id)
    if auto is None:
        available = selectors.balance_of(account_id).available
        limit = settings.AUTO_TOPUP_MONTHLY_LIMIT
        return Standing(Kind.OFF, None, None, None, None, available, ZERO, limit)
    found = auto_due.verdict(auto, now=now)
    return Standing(
        found.kind, found.at, auto, found.topup or auto_due.rows_of(auto).order_by("-created_at").first(),
        auto_due.card_of(auto), found.available, auto_due.used_this_month(auto, now=now), auto.monthly_limit,
    )  # fmt: skip


# --- What happens to it ---------------------------------------------------------------------------------------


def stop(account_id: UUID, reason: AutoTopup.Stopped, *, now: datetime, topup: TopUp | None = None) -> bool:
    """Switch it off and tell why, if it was on. `topup`: what the reason is about."""
    on = AutoTopup.objects.filter(pk=account_id, enabled=True)
    if not on.update(enabled=False, stopped_reason=reason, stopped_at=now):
        return False
    letters.auto_topup_stopped(account_id, reason=reason, topup=topup, now=now)
    return True
