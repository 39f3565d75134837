"""What guarantees a refund's outcome: each that has none is asked for, or looked at, again."""

import logging
from datetime import datetime, timedelta

from accounts.sweeps import while_there_is_time
from billing import gateways, notices, refunds, settling
from billing.gateways import GatewayError
from billing.models import Refund
from billing.money import usd
from billing.topup_sweep import BATCH, KEY_LIFE

UNANSWERED = timedelta(hours=1)  # then staff are told
SLOW = timedelta(days=10)  # a bank takes that long
Status = Refund.Status
log = logging.getLogger(__name__)


def pursue_open_refunds(*, now: datetime) -> None:
    """A step of the sweep: look at each open refund that is due, and go on when one fails."""
    due = Refund.objects.filter(mode=gateways.mode(), next_look_at__lte=now).select_related("topup")
    for row in while_there_is_time(due.order_by("next_look_at")[:BATCH]):
        if not _claim(row, now=now):
            continue
        try:
            row = pursue(row, now=now)
        except (GatewayError, settling.NotOurs) as error:  # pushed forward by the claim: it comes again
            log.warning("%s: still without an outcome: %s", row.public_id, error)
        except Exception:
            log.exception("%s could not be pursued", row.public_id)
        _tell_of_delay(row, now=now)


def _claim(row: Refund, *, now: datetime) -> bool:
    wait = min(max(now - row.created_at, settling.FIRST_LOOK), settling.LAST_LOOK)
    return (
        Refund.objects.filter(pk=row.pk, next_look_at=row.next_look_at).update(next_look_at=now + wait) == 1
    )


def pursue(row: Refund, *, now: datetime) -> Refund:
    """Bring one open refund closer to its end: ask again with its key, or look what the processor has."""
    if row.status == Status.CREATED and now - row.created_at < KEY_LIFE:
        return refunds.ask(row, now=now)
    found = gateways.gateway().refunds(row.topup.payment_id or "")
    for answer in found:
        if answer.id == row.gateway_id or answer.reference == row.public_id:
            return refunds.record(answer, row.topup, now=now)
    if row.status == Status.CREATED:
        refunds.reject(row, "It never arrived at the processor.", now=now)
    row.refresh_from_db()
    return row


def _tell_of_delay(row: Refund, *, now: datetime) -> None:
    patience = UNANSWERED if row.status == Status.CREATED else SLOW
    if row.status in Refund.OPEN and now - row.created_at >= patience:
        word = "has no answer from the processor" if row.status == Status.CREATED else "is still on its way"
        text = f"The refund {row.public_id} of {usd(row.amount)} on {row.topup.public_id} {word}."
        notices.tell_staff(f"refund-open:{row.pk}:{row.status}", text, topup=row.topup, now=now)
