"""Auto-topup: an account's standing order, what happens to it, and how it is told.

Everything that changes it is called inside the caller's transaction, under the account's Balance lock, and writes
its letter there. It starts no payment: auto_charge does.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.nudges import nudge
from billing import auto_due, letters, selectors, topup_limits
from billing.auto_due import Kind, Origin, Status
from billing.models import AutoTopup, PaymentMethod, TopUp
from billing.money import CENT, ZERO, is_whole_cents, usd

LARGEST_LIMIT = Decimal(1_000_000)  # dollars a month
FRESH: dict[str, Any] = {"failures": 0, "next_attempt_at": None, "stopped_reason": "", "stopped_at": None}
SUPERSEDED = "superseded"  # failure_code of a payment whose holder need not confirm any more: to be canceled
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
        "threshold": _refusal(wish.threshold, CENT, settings.TOPUP_MAX),
        "amount": topup_limits.amount_refusal(wish.amount),
        "monthly_limit": _refusal(wish.monthly_limit, CENT, LARGEST_LIMIT),
    }
    if not any(checks.values()):
        checks |= _unfit(wish)
    checks["card"] = _card_refusal(account_id, wish)
    return {field: sentence for field, sentence in checks.items() if sentence}


def _refusal(amount: Decimal, smallest: Decimal, largest: Decimal) -> str:
    if not amount.is_finite() or amount < smallest:
        return "Type an amount above zero, such as 10.00."
    if amount > largest:
        return f"The largest amount is {usd(largest)}."
    return "" if is_whole_cents(amount) else "Use dollars and whole cents, such as 10.00."


def _unfit(wish: Wish) -> dict[str, str]:
    """What is wrong with amounts that are fine each by itself."""
    if wish.amount < wish.threshold:
        enough = usd(wish.threshold)
        return {"amount": f"Add at least {enough}, so that one top-up brings you back to the threshold."}
    if wish.monthly_limit < wish.amount:
        return {"monthly_limit": f"Allow at least one top-up a month: {usd(wish.amount)}."}
    return {}


def _card_refusal(account_id: UUID, wish: Wish) -> str:
    wanted = AutoTopup(account_id=account_id, card=wish.card)
    if "\0" in wish.card or auto_due.card_of(wanted) is None:
        return "This card is no longer saved. Choose another card."
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
    def used_percent(self) -> int:
        """Of the monthly limit, for a bar."""
        return min(100, int(100 * self.used_this_month / self.monthly_limit))

    @property
    def is_below(self) -> bool:
        """Whether a top-up would come now if nothing held it back."""
        return self.auto is not None and self.available < self.auto.threshold


NEVER_OPENED = Standing(Kind.OFF, None, None, None, None, ZERO, ZERO, settings.AUTO_TOPUP_MONTHLY_LIMIT)


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
    supersede(account_id, now=now)
    letters.auto_topup_stopped(account_id, reason=reason, topup=topup, now=now)
    return True


def card_removed(account_id: UUID, card: str, *, now: datetime) -> None:
    """A card is gone: without its card auto-topup stops."""
    if AutoTopup.objects.filter(pk=account_id, card=card).exists():
        stop(account_id, Stopped.CARD_REMOVED, now=now)


def succeeded(topup: TopUp, *, now: datetime) -> None:
    """A top-up of any origin came in: what went wrong before is forgotten. This never switches on."""
    AutoTopup.objects.filter(pk=topup.account_id).update(**FRESH)
    supersede(topup.account_id, now=now)


def supersede(account_id: UUID, *, now: datetime) -> None:
    """A payment that waits for its card holder is not wanted any more. It is canceled after the commit."""
    waiting = TopUp.objects.filter(account_id=account_id, origin=Origin.AUTO, status=Status.REQUIRES_ACTION)
    for topup_id in waiting.values_list("pk", flat=True):
        from billing.tasks import pursue_topup  # the tasks import this module

        waiting.filter(pk=topup_id).update(failure_code=SUPERSEDED, next_look_at=now)
        transaction.on_commit(partial(nudge, pursue_topup, str(topup_id)), robust=True)
