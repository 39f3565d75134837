"""What guarantees an outcome: every open top-up is looked at again, whoever died in the middle of it."""

import logging
from datetime import datetime, timedelta

from accounts.sweeps import while_there_is_time
from billing import gateways, notices, settling, topups
from billing.auto_due import PATIENCE
from billing.auto_outcomes import EXPIRED
from billing.auto_topup import SUPERSEDED
from billing.gateways import GatewayError
from billing.models import TopUp
from billing.money import usd
from billing.settling import Status

KEY_LIFE = timedelta(hours=23)  # a processor may forget keys after a day: then only look, never ask again
PAGE_START = timedelta(minutes=25)  # a page made later would be refused: it must live half an hour
PAGE_OVER = timedelta(minutes=65)
STUCK = timedelta(minutes=10)
SLOW = timedelta(days=10)  # for a bank to bring the money: then staff are told
BATCH = 500  # rows a pass
PASS = 40.0  # seconds: money first
log = logging.getLogger(__name__)


def pursue_open_topups(*, now: datetime) -> None:
    """A step of the sweep: look at each open top-up that is due, and go on when one fails."""
    due = TopUp.objects.filter(mode=gateways.mode(), next_look_at__lte=now).order_by("next_look_at")
    for topup in while_there_is_time(due[:BATCH], seconds=PASS):
        if not _claim(topup, now=now):
            continue
        try:
            pursue(topup, now=now)
        except (GatewayError, settling.NotOurs) as error:  # pushed forward by the claim: it comes again
            log.warning("%s: still without an outcome: %s", topup.public_id, error)
        except Exception:
            log.exception("%s could not be pursued", topup.public_id)


def _claim(topup: TopUp, *, now: datetime) -> bool:
    """Push the row forward first, so that no other sweep has it and a poisonous one does not block the rest."""
    later = settling.next_look(topup, now=now)
    same = TopUp.objects.filter(pk=topup.pk, next_look_at=topup.next_look_at)
    return same.update(next_look_at=later) == 1


def pursue(topup: TopUp, *, now: datetime) -> TopUp:
    """Bring one open top-up closer to its end: ask again, look, or give up, by its state and age."""
    age = now - topup.created_at
    if topup.status in (Status.CREATED, Status.UNKNOWN):
        return _ask_again(topup, age)
    if topup.failure_code == SUPERSEDED:
        return topups.withdraw(topup)
    topup = topups.look(topup)
    over = PAGE_OVER if topup.page_id else PATIENCE
    if topup.status == Status.REQUIRES_ACTION and age >= over:
        return topups.withdraw(topup, why=EXPIRED if topup.origin == TopUp.Origin.AUTO else "")
    if topup.status == Status.PROCESSING and age >= SLOW:
        text = f"{topup.public_id} of {usd(topup.amount)} has been processing since {topup.created_at:%d %B}."
        notices.tell_staff(f"topup-processing:{topup.pk}", text, topup=topup, now=now)
    return topup


def _ask_again(topup: TopUp, age: timedelta) -> TopUp:
    if age < (KEY_LIFE if topup.card else PAGE_START):
        topup = topups.pay(topup, again=True)
        # A 500 may be stored under the key, and repeated for a day, although the money has moved.
        return topups.look(topup) if topup.status == Status.UNKNOWN and topup.card else topup
    topup = topups.look(topup)
    if topup.status in (Status.CREATED, Status.UNKNOWN):
        if topup.card:
            settling.end(topup, Status.FAILED, code="never_arrived", message="The payment never arrived.")
        else:
            settling.end(topup, Status.CANCELED)
        topup.refresh_from_db()
    return topup


def stuck(*, now: datetime) -> int:
    """How many top-ups have waited over ten minutes for anything but their card holder."""
    waiting = TopUp.objects.filter(next_look_at__isnull=False, created_at__lt=now - STUCK)
    return waiting.exclude(status=Status.REQUIRES_ACTION).count()
