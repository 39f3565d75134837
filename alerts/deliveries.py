"""The sending of webhooks: eight tries over three days for a message, and no storm for an endpoint that fails.

A delivery's row is the queue. It is claimed by pushing it forward before the network is asked, so that two workers
never send it both and a killed one costs a minute.
"""

import random
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from accounts.sweeps import while_there_is_time
from alerts import outbound, signing
from alerts.models import Delivery, Endpoint
from alerts.webhooks import hasten, listening
from billing import notices

# Between the tries of one message; the last try comes after three days.
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
PASS = 10.0  # seconds; the next one is asked for at once while more is due
SHARE = 5.0  # of it for one endpoint, so that a slow one holds up no other
BATCH = 200  # messages to one endpoint in a pass
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=1)
GONE = 410


def deliver(*, now: datetime) -> None:
    """Send what is due, endpoint by endpoint, in random order so that none is always last. A step of the sweep."""
    endpoints = list(Endpoint.objects.filter(pk__in=due(now=now).values("endpoint")))
    random.shuffle(endpoints)
    for endpoint in while_there_is_time(endpoints, seconds=PASS):
        _serve(endpoint, now=now)
    if endpoints and due(now=now).exists():
        hasten()


def due(*, now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(next_try_at__lte=now, endpoint__in=listening(now=now))


def _serve(endpoint: Endpoint, *, now: datetime) -> None:
    """Its messages, oldest first, until one fails; while it is failing, one message a pause from all workers."""
    oldest_first = due(now=now).filter(endpoint=endpoint).order_by("next_try_at", "id")
    messages = list(oldest_first[: 1 if endpoint.failing_since else BATCH])
    for delivery in while_there_is_time(messages, seconds=SHARE):
        if not _claim(delivery, now=now):
            continue
        if endpoint.failing_since:
            _pause(endpoint, now=now)
        if not _send(delivery, endpoint, now=now):
            return


def _claim(delivery: Delivery, *, now: datetime) -> bool:
    waiting = Delivery.objects.filter(pk=delivery.pk, next_try_at=delivery.next_try_at)
    delivery.tries += 1
    return waiting.update(next_try_at=now + CLAIM, tries=F("tries") + 1) == 1


def _send(delivery: Delivery, endpoint: Endpoint, *, now: datetime) -> bool:
    answer = post(delivery, endpoint)
    if answer.accepted:
        _took(delivery, endpoint, answer, now=now)
    else:
        _failed(delivery, endpoint, answer, now=now)
        _pause(endpoint, now=now)
    return answer.accepted


def post(delivery: Delivery, endpoint: Endpoint) -> outbound.Answer:
    """One try over the network, and nothing else. Never inside a transaction."""
    headers = signing.headers(delivery.pk, delivery.body, secret=endpoint.secret)
    return outbound.post(endpoint.url, delivery.body.encode(), headers)


def _took(delivery: Delivery, endpoint: Endpoint, answer: outbound.Answer, *, now: datetime) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(
        delivered_at=now, next_try_at=None, status=answer.status, error=""
    )
    if endpoint.failing_since:
        _works_again(endpoint, now=now)


def _works_again(endpoint: Endpoint, *, now: datetime) -> None:
    """What was never tried because of the pause goes out now; what was tried keeps its own waits."""
    Endpoint.objects.filter(pk=endpoint.pk).update(failing_since=None)
    endpoint.deliveries.filter(tries=0, next_try_at__gt=now).update(next_try_at=now)


@transaction.atomic
def _failed(delivery: Delivery, endpoint: Endpoint, answer: outbound.Answer, *, now: datetime) -> None:
    """Note why, and when the next try is. After three days of failing, or on 410 Gone, the endpoint is off.

    What switched it off is not given up: it waits with the others until the endpoint is turned on again.
    """
    row = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    row.failing_since = endpoint.failing_since = row.failing_since or now
    if row.disabled_at is None and (answer.status == GONE or now - row.failing_since >= OFF_AFTER):
        row.disabled_at = now
        _tell_that_it_is_off(row, answer, now=now)
    row.save(update_fields=["failing_since", "disabled_at"])
    next_try_at: datetime | None = now
    if row.disabled_at is None:
        next_try_at = now + WAITS[delivery.tries - 1] if delivery.tries < TRIES else None
    if next_try_at is None:
        _tell_that_one_was_given_up(delivery, row, answer, now=now)
    Delivery.objects.filter(pk=delivery.pk).update(
        next_try_at=next_try_at, status=answer.status, error=answer.error[:300]
    )


def _pause(endpoint: Endpoint, *, now: datetime) -> None:
    """No retry storm: what else is due to it waits, half as long as it has been failing, an hour at most."""
    failing = now - (endpoint.failing_since or now)
    until = now + min(max(failing / 2, SHORTEST_PAUSE), LONGEST_PAUSE)
    endpoint.deliveries.filter(next_try_at__lt=until).update(next_try_at=until)


def _tell_that_it_is_off(endpoint: Endpoint, answer: outbound.Answer, *, now: datetime) -> None:
    text = (
        f"The webhook endpoint {shortened(endpoint.url)} was turned off. {answer.error} What was not delivered is "
        "kept; what happens while it is off is not sent. See to it, send a test, then turn it on again."
    )
    notices.tell_staff(f"webhook_off:{endpoint.pk}:{now.isoformat()}", text, now=now)


def _tell_that_one_was_given_up(
    delivery: Delivery, endpoint: Endpoint, answer: outbound.Answer, *, now: datetime
) -> None:
    """Once per endpoint and day: each is in the log."""
    text = (
        f"A message {delivery.type} to {shortened(endpoint.url)} was given up after {TRIES} tries. {answer.error} "
        "It is kept in the log of webhook deliveries, from where it can be sent again."
    )
    notices.tell_staff(f"webhook_given_up:{endpoint.pk}:{now:%Y-%m-%d}", text, now=now)


def shortened(url: str) -> str:
    return url if len(url) <= 100 else f"{url[:99]}…"
