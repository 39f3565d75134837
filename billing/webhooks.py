"""Events from the processor: stored as they arrive, then acted on; the effect is the same in any order.

The receipt is written outside of the transaction that acts, so what fails stays for staff with its error. The
processor repeats what was not answered with 200, and the sweep tries again by itself.
"""

import logging
import traceback
from datetime import datetime, timedelta

from django.db.models import F

from billing import disputes, gateways, installation, payment_methods, settling
from billing.gateways import Card, Dispute, Event, Page, Payment, Refund
from billing.models import EventReceipt, TopUp

RETRY = timedelta(minutes=5)  # doubling
GIVE_UP_AFTER = 10  # tries by ourselves: about three days
BATCH = 200
State = EventReceipt.State
log = logging.getLogger(__name__)


class Quarantine(Exception):
    """The event is ours, but we cannot do what it asks for: a person must look."""


def receive(body: bytes, signature: str, *, now: datetime) -> bool:
    """Verify, store and process one delivery. False: it failed and should come again. Raises BadSignature."""
    event = gateways.gateway().parse_event(body, signature)
    receipt, _ = EventReceipt.objects.get_or_create(
        gateway_id=event.id,
        defaults={
            "mode": gateways.mode(), "type": event.type[:100], "body": body.decode(),
            "received_at": now, "next_try_at": now + RETRY,
        },
    )  # fmt: skip
    if receipt.state not in (State.RECEIVED, State.FAILED):
        return True
    return process(receipt, now=now) != State.FAILED


def process(receipt: EventReceipt, *, now: datetime) -> EventReceipt.State:
    """Act on a stored event, again if need be, and note what came of it. Its actions commit by themselves."""
    try:
        event = gateways.gateway().read_event(receipt.body.encode())
        state = _act(event, now=now)
    except (Quarantine, gateways.ForeignEvent, settling.NotOurs, installation.WrongMode) as reason:
        log.error("Event %s is in quarantine: %s", receipt.gateway_id, reason)
        return _note(receipt, State.QUARANTINED, error=str(reason), now=now)
    except Exception:
        log.exception("Event %s failed", receipt.gateway_id)
        return _note(receipt, State.FAILED, error=traceback.format_exc(), now=now)
    return _note(receipt, state, now=now)


def _note(
    receipt: EventReceipt, state: EventReceipt.State, *, error: str = "", now: datetime
) -> EventReceipt.State:
    again = state == State.FAILED and receipt.tries < GIVE_UP_AFTER
    EventReceipt.objects.filter(pk=receipt.pk).update(
        state=state, error=error, tries=F("tries") + 1, processed_at=None if error else now,
        next_try_at=now + RETRY * 2**receipt.tries if again else None,
    )  # fmt: skip
    return state


def process_waiting_events(*, now: datetime) -> None:
    """A step of the sweep: events that were stored, and whose processing died or failed."""
    due = EventReceipt.objects.filter(mode=gateways.mode(), next_try_at__lte=now)
    for receipt in due.order_by("received_at")[:BATCH]:
        if due.filter(pk=receipt.pk).update(next_try_at=now + RETRY):
            process(receipt, now=now)


def _act(event: Event, *, now: datetime) -> EventReceipt.State:
    """What an event changes. Types that we do not know change nothing."""
    subject = event.object
    if isinstance(subject, Payment):
        return _payment(subject)
    if isinstance(subject, Card):
        return _card(event.type, subject, now=now)
    if isinstance(subject, Dispute):
        return _dispute(subject)
    if isinstance(subject, Refund):
        return _refund(subject)
    if isinstance(subject, Page) and event.type == "checkout.session.expired":
        return _page_expired(subject)
    return State.IGNORED


def _payment(payment: Payment) -> EventReceipt.State:
    if payment.installation != installation.installation_id():
        return State.IGNORED
    if settling.settle(payment) is None:
        raise Quarantine(f"We know no top-up {payment.reference}.")
    return State.PROCESSED


def _page_expired(page: Page) -> EventReceipt.State:
    """Nobody paid on the page. A success that comes later all the same still credits."""
    topup = TopUp.objects.filter(page_id=page.id, mode=gateways.mode()).first()
    if topup is None:
        return State.IGNORED
    if topup.status == TopUp.Status.REQUIRES_ACTION:
        settling.end(topup, TopUp.Status.CANCELED)
    return State.PROCESSED


def _card(type_: str, card: Card, *, now: datetime) -> EventReceipt.State:
    if type_ == "payment_method.detached":
        payment_methods.forget(card.id, now=now)
        return State.PROCESSED
    return State.PROCESSED if payment_methods.remember(card, now=now) else State.IGNORED


def _dispute(dispute: Dispute) -> EventReceipt.State:
    topup = _paid_topup(dispute.payment_id)
    if topup is None:
        return State.IGNORED
    disputes.record(dispute, topup)
    return State.PROCESSED


def _refund(refund: Refund) -> EventReceipt.State:
    if _paid_topup(refund.payment_id) is None:
        return State.IGNORED
    raise Quarantine("A refund made at the processor: adjust the balance by hand, with its id as the reason.")


def _paid_topup(payment_id: str) -> TopUp | None:
    """The top-up that a payment settled; settles it first if its own event is still on its way."""
    found = TopUp.objects.filter(payment_id=payment_id, mode=gateways.mode())
    topup = found.filter(status=TopUp.Status.SUCCEEDED).first()
    if topup is None:
        payment = gateways.gateway().payment(payment_id)
        if payment.installation == installation.installation_id():
            topup = settling.settle(payment)
    return topup
