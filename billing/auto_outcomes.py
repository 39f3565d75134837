"""What came of auto-topup's own payments: it waits for the card holder, tries again later, or stops.

Called by settling, in the transaction that changed the top-up, under the account's Balance lock.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from billing import auto_due, auto_topup, letters, payment_methods
from billing.auto_due import Kind, Status
from billing.auto_topup import SUPERSEDED
from billing.gateways import HARD_DECLINES
from billing.models import AutoTopup, TopUp

RESTS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))  # after a decline; the next one stops
MEMORY = timedelta(days=4)  # of our own faults
EXPIRED = "confirmation_expired"  # a failure code, beside the processor's
Stopped = AutoTopup.Stopped


def followed(topup: TopUp, *, now: datetime) -> None:
    """One of its own payments changed, short of succeeding."""
    if topup.status == Status.REQUIRES_ACTION:
        letters.confirm_payment(topup, now=now)
    elif topup.status in (Status.FAILED, Status.CANCELED) and topup.failure_code != SUPERSEDED:
        _failed(topup, now=now)


def _failed(topup: TopUp, *, now: datetime) -> None:
    """Try again later, or stop. What happened to a card that is not charged any more only is told."""
    auto = auto_topup.of(topup.account_id)
    if auto is None or not auto.enabled:
        return
    if topup.card == auto.card:
        auto.failures += not _is_our_fault(topup)
        if reason := _reason_to_stop(topup, auto.failures):
            auto_topup.stop(auto.account_id, reason, now=now, topup=topup)
            return
        auto.next_attempt_at = now + _rest(auto, topup, now=now)
        auto.save(update_fields=["failures", "next_attempt_at"])
    letters.auto_topup_failed(topup, next_attempt_at=auto.next_attempt_at or now, now=now)


def _is_our_fault(topup: TopUp) -> bool:
    """Neither the bank nor the card holder said no: wrong credentials, or a payment that never arrived."""
    return topup.status == Status.FAILED and topup.declined_at is None


def _reason_to_stop(topup: TopUp, failures: int) -> AutoTopup.Stopped | None:
    codes = {topup.failure_code, topup.decline_code}
    if EXPIRED in codes:
        return Stopped.CONFIRMATION_EXPIRED
    if payment_methods.GONE in codes:
        return Stopped.CARD_REMOVED
    if topup.declined_at and not HARD_DECLINES.isdisjoint(codes):
        return Stopped.DECLINED
    return Stopped.DECLINED_REPEATEDLY if failures > len(RESTS) else None


def _rest(auto: AutoTopup, topup: TopUp, *, now: datetime) -> timedelta:
    """How long until the next attempt. Our own faults wait ever longer too, but never stop it."""
    if not _is_our_fault(topup):
        return RESTS[auto.failures - 1]
    recent = auto_due.rows_of(auto).filter(status=Status.FAILED, declined_at=None, ended_at__gt=now - MEMORY)
    return RESTS[min(recent.exclude(pk=topup.pk).count(), len(RESTS) - 1)]


def tell_limit(auto: AutoTopup, limit: Kind, *, now: datetime) -> None:
    """Say that a limit holds it back, once a limit and local day."""
    name = {Kind.COUNT_LIMIT: "count", Kind.MONTH_LIMIT: "month"}[limit]
    column, today = f"{name}_limit_told_on", now.astimezone(ZoneInfo(auto.account.timezone)).date()
    told_on = getattr(auto, column)
    if told_on is None or told_on < today:
        AutoTopup.objects.filter(pk=auto.pk).update(**{column: today})
        letters.auto_topup_limited(auto, limit=name, now=now)
