"""Webhooks to the platform: a message is a row beside the fact it tells of, sent after the commit until it is taken.

An endpoint belongs to a platform key, which acts for every account: it hears of every account. Messages may come
more than once (the same `webhook-id` then) and in any order.
"""

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import models, transaction
from django.db.models import F, Q, QuerySet

from accounts import ids
from accounts.nudges import nudge
from accounts.sweeps import STEP, while_there_is_time
from alerts import outbound, signing
from alerts.models import Delivery, Endpoint
from billing import notices

# Between the tries of one message: eight tries over three days.
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=10),
    timedelta(hours=24),
    timedelta(hours=36),
)
TRIES = len(WAITS) + 1
OFF_AFTER = timedelta(days=3)  # of failing
CLAIM = timedelta(minutes=1)  # how long a try may take before somebody else makes it
SHARE = 5.0  # seconds of a pass for one endpoint, so that a slow one holds up no other
BATCH = 200  # messages of one endpoint in a pass
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=1)
GONE = 410


class Type(models.TextChoices):
    BALANCE_LOW = "balance.low", "Balance low"
    BALANCE_DEPLETED = "balance.depleted", "Balance depleted"
    BALANCE_RESTORED = "balance.restored", "Balance restored"
    TOPUP_SUCCEEDED = "topup.succeeded", "Top-up succeeded"
    TOPUP_FAILED = "topup.failed", "Top-up failed"
    NUMBER_GRACE_STARTED = "phone_number.grace_started", "Phone number in grace"
    NUMBER_SUSPENDED = "phone_number.suspended", "Phone number suspended"
    NUMBER_RESTORED = "phone_number.restored", "Phone number restored"
    CAMPAIGN_PAUSED = "campaign.paused", "Campaign paused"
    CAMPAIGN_RESUMED = "campaign.resumed", "Campaign resumed"


def queue(account_id: UUID, *, key: str, type: str, data: Mapping[str, object], now: datetime) -> None:
    """Write the message to every endpoint that is on, once per `key` (at most 160 characters), in the caller's
    transaction. `data` is JSON as the API shows it, amounts as exact strings; the account's id is added here."""
    body = compose(type, {"account": ids.public("acct", account_id), **data}, now=now)
    rows = [
        Delivery(
            endpoint=endpoint, account_id=account_id, key=key, type=type, body=body, created_at=now, next_try_at=now
        )
        for endpoint in listening(now=now)
    ]  # fmt: skip
    if Delivery.objects.bulk_create(rows, ignore_conflicts=True):
        hasten()


def compose(type: str, data: Mapping[str, object], *, now: datetime) -> str:
    """The text that is signed and sent, frozen when the fact happened."""
    content = {"type": type, "timestamp": stamp(now), "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hasten() -> None:
    from alerts.tasks import deliver_webhooks  # the tasks import this module

    transaction.on_commit(partial(nudge, deliver_webhooks, countdown=1), robust=True)


def listening(*, now: datetime) -> QuerySet[Endpoint]:
    """Endpoints that are on and whose key is usable: who revokes a key ends its messages too."""
    unexpired = Q(api_key__expires_at=None) | Q(api_key__expires_at__gt=now)
    return Endpoint.objects.filter(unexpired, disabled_at=None, api_key__revoked_at=None)


def due(*, now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(next_try_at__lte=now, endpoint__in=listening(now=now))


def deliver(*, now: datetime) -> None:
    """Send what is due, endpoint by endpoint in random order, so that none is always last. A step of the sweep."""
    waiting = due(now=now).order_by().values_list("endpoint_id", flat=True).distinct()
    endpoints = list(Endpoint.objects.filter(pk__in=list(waiting)))
    random.shuffle(endpoints)
    for endpoint in while_there_is_time(endpoints, seconds=STEP):
        _serve(endpoint, now=now)


def _serve(endpoint: Endpoint, *, now: datetime) -> None:
    """Its messages, oldest first, until one fails. While it is failing, one message a pause and no more."""
    oldest_first = due(now=now).filter(endpoint=endpoint).order_by("next_try_at", "id")
    messages = list(oldest_first[: 1 if endpoint.failing_since else BATCH])
    for delivery in while_there_is_time(messages, seconds=SHARE):
        if _claim(delivery, now=now) and not _send(delivery, endpoint, now=now):
            return _pause(endpoint, now=now)


def _claim(delivery: Delivery, *, now: datetime) -> bool:
    """Push the row forward before the network is asked: a second worker finds nothing, a killed one costs a minute."""
    waiting = Delivery.objects.filter(pk=delivery.pk, next_try_at=delivery.next_try_at)
    return waiting.update(next_try_at=now + CLAIM, tries=F("tries") + 1) == 1


def _send(delivery: Delivery, endpoint: Endpoint, *, now: datetime) -> bool:
    headers = signing.headers(delivery.pk, delivery.body, secret=endpoint.secret)
    answer = outbound.post(endpoint.url, delivery.body.encode(), headers)
    if answer.accepted:
        _took(delivery, endpoint, status=answer.status, now=now)
    else:
        _failed(delivery, endpoint, answer, now=now)
    return answer.accepted


def _took(delivery: Delivery, endpoint: Endpoint, *, status: int | None, now: datetime) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(
        delivered_at=now, next_try_at=None, status=status, error=""
    )
    Endpoint.objects.filter(pk=endpoint.pk, failing_since__isnull=False).update(failing_since=None)
    endpoint.failing_since = None


@transaction.atomic
def _failed(delivery: Delivery, endpoint: Endpoint, answer: outbound.Answer, *, now: datetime) -> None:
    """Note why, and when the next try is; after three days of failing, or on 410 Gone, the endpoint is off.

    What switches it off is not given up: it waits with the others for the endpoint to be switched on again.
    """
    fresh = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    fresh.failing_since = endpoint.failing_since = fresh.failing_since or now
    is_off = answer.status == GONE or now - fresh.failing_since >= OFF_AFTER
    if is_off and fresh.disabled_at is None:
        fresh.disabled_at = now
        _tell_that_it_is_off(fresh, answer, now=now)
    fresh.save(update_fields=["failing_since", "disabled_at"])
    tries = delivery.tries + 1
    next_try_at = None
    if is_off:
        next_try_at = now
    elif tries < TRIES:
        next_try_at = now + WAITS[tries - 1]
    else:
        _tell_that_one_was_given_up(delivery, fresh, answer, now=now)
    Delivery.objects.filter(pk=delivery.pk).update(
        next_try_at=next_try_at, status=answer.status, error=answer.error[:300]
    )


def _pause(endpoint: Endpoint, *, now: datetime) -> None:
    """No retry storm: what else is due to a failing endpoint waits, half as long as it has been failing."""
    failing = now - (endpoint.failing_since or now)
    pause = min(max(failing / 2, SHORTEST_PAUSE), LONGEST_PAUSE)
    Delivery.objects.filter(endpoint=endpoint, next_try_at__lt=now + pause).update(next_try_at=now + pause)


def _tell_that_it_is_off(endpoint: Endpoint, answer: outbound.Answer, *, now: datetime) -> None:
    text = (
        f"The webhook endpoint {endpoint.url} is off: {answer.error} What was not delivered is kept, and new "
        "messages are not written for it. Mend it, then turn it on again in the admin."
    )
    notices.tell_staff(f"webhook_off:{endpoint.pk}:{now:%Y-%m-%dT%H:%M}", text, now=now)


def _tell_that_one_was_given_up(
    delivery: Delivery, endpoint: Endpoint, answer: outbound.Answer, *, now: datetime
) -> None:
    text = (
        f"A webhook message ({delivery.type}) to {endpoint.url} was given up after {TRIES} tries: {answer.error} "
        "It is kept: the delivery log in the admin sends it again."
    )
    notices.tell_staff(f"webhook_given_up:{endpoint.pk}:{now:%Y-%m-%d}", text, now=now)
