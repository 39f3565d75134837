"""Events from the processor: stored as they arrive, then acted on; the effect is the same in any order.

The receipt is written outside of the transaction that acts, so what fails stays for staff with its error. The
processor repeats what was not answered with 200, and the sweep tries again by itself.
"""

import logging
import traceback
from datetime import datetime, timedelta

from django.db.models import F

from accounts.sweeps import while_there_is_time
from billing import disputes, gateways, installation, notices, payment_methods, refunds, settling
from billing.gateways import Card, Dispute, Event, FraudWarning, Page, Payment, Refund, Rejected
from billing.models import EventReceipt, TopUp

RETRY = timedelta(minutes=5)  # doubling
GIVE_UP_AFTER = 10  # tries by ourselves: about three days
BATCH = 200
State = EventReceipt.State
log = logging.getLogger(__name__)


class Quarantine(Exception):
    """The event is ours, but we cannot do what it asks for: a person must look."""


class TooEarly(Exception):
    """It tells of a payment that, as far as the processor lets us know, has not succeeded: it must come again."""


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
    if error and not again:
        _tell_staff(receipt, state, error, now=now)
    return state


def _tell_staff(receipt: EventReceipt, state: EventReceipt.State, error: str, *, now: datetime) -> None:
    did = "is in quarantine" if state == State.QUARANTINED else "failed again and again"
    reason = error.strip().splitlines()[-1]
    text = f"The event {receipt.type} ({receipt.gateway_id}) {did}, and changed nothing: {reason}"
    notices.tell_staff(f"event:{receipt.gateway_id}:{state}", text, now=now)


def process_waiting_events(*, now: datetime) -> None:
    """A step of the sweep: events that were stored, and whose processing died or failed."""
    due = EventReceipt.objects.filter(mode=gateways.mode(), next_try_at__lte=now)
    for receipt in while_there_is_time(due.order_by("received_at")[:BATCH]):
        if due.filter(pk=receipt.pk).update(next_try_at=now + RETRY):
            process(receipt, now=now)


def _act(event: Event, *, now: datetime) -> EventReceipt.State:
    """What an event changes. Types that we do not know change nothing."""
    subject = event.object
    if isinstance(subject, Payment):
        return _payment(subject)
    if isinstance(subject, Card):
        return _card(event.type, subject, now=now)
    if isinstance(subject, Dispute | Refund | FraudWarning):
        return _about_payment(event, subject, now=now)
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
    if payment_methods.was_removed(card):
        return State.IGNORED
    return State.PROCESSED if payment_methods.remember(card, now=now) else State.IGNORED


def _about_payment(
    event: Event, subject: Dispute | Refund | FraudWarning, *, now: datetime
) -> EventReceipt.State:
    """What happens to a payment that succeeded: its own event may still be on its way."""
    topup = _paid_topup(event, subject.payment_id)
    if topup is None:
        return State.IGNORED
    if isinstance(subject, Dispute):
        disputes.record(subject, topup, now=now)
    elif isinstance(subject, Refund):
        refunds.record(subject, topup, now=now)
    else:
        disputes.warn(subject, topup, now=now)
    return State.PROCESSED


def _paid_topup(event: Event, payment_id: str) -> TopUp | None:
    """The top-up that a payment settled, settled now if need be. None: the payment is not of this installation."""
    own = installation.installation_id()
    if not payment_id or event.installation not in (None, own):
        return None
    found = TopUp.objects.filter(payment_id=payment_id, mode=gateways.mode())
    return found.filter(status=TopUp.Status.SUCCEEDED).first() or _settled(payment_id, own)


def _settled(payment_id: str, own: str) -> TopUp | None:
    try:
        payment = gateways.gateway().payment(payment_id)
    except Rejected as refusal:
        raise Quarantine(f"The processor does not know the payment {payment_id}: {refusal}") from refusal
    if payment.installation != own:
        return None
    topup = settling.settle(payment)
    if topup is None:
        raise Quarantine(f"We know no top-up {payment.reference}.")
    if topup.status != TopUp.Status.SUCCEEDED:
        raise TooEarly(f"The payment {payment_id} is {payment.status} at the processor.")
    return topup
