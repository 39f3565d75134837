"""The sandbox's events: written as rows beside what they tell of, delivered later to our own webhook over HTTP.

Never inside a request: the worker is nudged, and the sweep makes sure. Whoever waits for a payment does not
need them, because the answer and the return page settle it too.
"""

import json
import urllib.request
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils.crypto import salted_hmac

from accounts.nudges import nudge
from accounts.sweeps import while_there_is_time
from billing.gateways import Card, Dispute, Event, FraudWarning, Page, Payment, Refund, Status, signatures
from billing.models import SandboxEvent

TIMEOUT = 10  # seconds
CLAIM = timedelta(minutes=1)  # how long a delivery may take before somebody else tries
GIVE_UP = timedelta(days=3)
LONGEST_WAIT = timedelta(hours=1)
BATCH = 200  # events a pass


def webhook_secret() -> str:
    return "whsec_" + salted_hmac("billing.sandbox", "webhook", algorithm="sha256").hexdigest()


def emit(
    event_id: str, type_: str, subject: object, *, reference: str | None, installation: str | None, now: datetime
) -> None:  # fmt: skip
    """Write an event in the transaction that caused it."""
    content = {
        "id": event_id,
        "type": type_,
        "created": int(now.timestamp()),
        "kind": type(subject).__name__,
        "object": asdict(subject),  # type: ignore[call-overload]  # one of the dataclasses of _KINDS
        "reference": reference,
        "installation": installation,
    }
    SandboxEvent.objects.create(id=event_id, body=json.dumps(content), created_at=now, next_try_at=now)
    from billing.tasks import deliver_sandbox_events  # the tasks import this module

    transaction.on_commit(partial(nudge, deliver_sandbox_events, countdown=1), robust=True)


def read(body: bytes) -> Event:
    content = json.loads(body)
    return Event(
        id=content["id"],
        type=content["type"],
        created_at=datetime.fromtimestamp(content["created"], UTC),
        object=_object(content["kind"], content["object"]),
        reference=content["reference"],
        installation=content["installation"],
    )


def _object(kind: str, fields: dict[str, Any]) -> Any:
    if kind == "Payment":
        fields = fields | {"status": Status(fields["status"])}
    build = _KINDS.get(kind)
    return build(**fields) if build else None


_KINDS: dict[str, type] = {
    kind.__name__: kind for kind in (Payment, Card, Refund, Dispute, FraudWarning, Page)
}


def deliver_waiting(*, now: datetime) -> None:
    """POST every event that is due to our webhook, oldest first."""
    due = SandboxEvent.objects.filter(next_try_at__lte=now)
    for event in while_there_is_time(due.order_by("created_at", "id")[:BATCH]):
        claimed = due.filter(pk=event.pk).update(next_try_at=now + CLAIM, tries=F("tries") + 1)
        if claimed:
            _deliver(event, now=now)


def _deliver(event: SandboxEvent, *, now: datetime) -> None:
    error = _post(event.body.encode())
    if not error:
        outcome: dict[str, object] = {"delivered_at": now, "next_try_at": None, "error": ""}
    elif now - event.created_at > GIVE_UP:
        outcome = {"next_try_at": None, "error": error}
    else:
        wait = min(timedelta(seconds=15 * 2 ** min(event.tries, 10)), LONGEST_WAIT)
        outcome = {"next_try_at": now + wait, "error": error}
    SandboxEvent.objects.filter(pk=event.pk).update(**outcome)


def _post(body: bytes) -> str:
    """What went wrong, or nothing."""
    signature = signatures.sign(body, webhook_secret(), at=int(datetime.now(UTC).timestamp()))
    headers = {"Content-Type": "application/json", "Stripe-Signature": signature}
    request = urllib.request.Request(settings.SITE_URL + reverse("stripe_webhook"), body, headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT):
            return ""
    except OSError as error:  # refused, timed out, or answered 4xx or 5xx
        return str(error)[:200]
