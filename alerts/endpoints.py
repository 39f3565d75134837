"""What superusers do to the endpoint of a platform key: its address, its secret, a test, on and off, send again."""

import re
from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from django.conf import settings

from accounts import ids
from alerts import deliveries, outbound, signing, webhooks
from alerts.models import Delivery, Endpoint

LONGEST = 500  # characters of an address
TEST = "test"
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
NUMBER = r"(?:0x[0-9a-f]*|[0-9]+)\.?$"  # what ends so is an IPv4 address in disguise: 2130706433, 0x7f.1
HOST = re.compile(rf"(?:{LABEL}\.)*(?!{NUMBER}){LABEL}\.?")


def refusal(url: str) -> str:
    """Why messages cannot be sent to this address, as a sentence; empty when they can."""
    if len(url) > LONGEST:
        return f"An address has at most {LONGEST} characters."
    if not re.fullmatch(r"[!-~]+", url):
        return "An address has no spaces and only ASCII characters: write an international name as xn--…"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "The host or the port is not understood. It looks like https://platform.example.com/hooks."
    if parts.scheme != "https":
        return "The address must begin with https://: messages are sent over TLS only."
    return _refuse_parts(parts, port) or _refuse_host((parts.hostname or "").lower())


def _refuse_parts(parts: SplitResult, port: int | None) -> str:
    if "@" in parts.netloc:
        return "An address must not hold a user name or a password: messages are signed instead."
    if parts.fragment:
        return "Leave out what follows the #: it is never sent."
    if port == 0:
        return "There is no port 0."
    return ""


def _refuse_host(host: str) -> str:
    try:
        literal = ip_address(host)
    except ValueError:
        if not HOST.fullmatch(host):
            return "The host is not understood. It looks like https://platform.example.com/hooks."
        private = host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
    else:
        private = not outbound.is_public(literal)
    if private and not settings.WEBHOOK_ALLOW_PRIVATE:
        return f"{host} is not on the public internet. Enter an address that we can reach from there."
    return ""


def rotate(endpoint: Endpoint) -> str:
    """A new secret, signing from now on; it cannot be had again."""
    endpoint.secret = signing.new_secret()
    Endpoint.objects.filter(pk=endpoint.pk).update(secret=endpoint.secret)
    return endpoint.secret


def turn_off(endpoint: Endpoint, *, now: datetime) -> None:
    Endpoint.objects.filter(pk=endpoint.pk, disabled_at=None).update(disabled_at=now)


def turn_on(endpoint: Endpoint, *, now: datetime) -> int:
    """Send again, from the first try; how many kept messages go out."""
    Endpoint.objects.filter(pk=endpoint.pk).update(disabled_at=None, failing_since=None)
    kept = endpoint.deliveries.filter(next_try_at__isnull=False).update(next_try_at=now, tries=0)
    webhooks.hasten()
    return kept


def send_again(rows: Iterable[Delivery], *, now: datetime) -> int:
    """With the same id and body, tried anew eight times; how many."""
    wanted = Delivery.objects.filter(pk__in=[row.pk for row in rows])
    count = wanted.update(next_try_at=now, tries=0, delivered_at=None)
    webhooks.hasten()
    return count


def send_test(endpoint: Endpoint, *, now: datetime) -> outbound.Answer:
    """One message of the type `test`, tried once and at once, whether the endpoint is on or off.

    Its outcome changes nothing of the endpoint. It speaks to the network: not for inside a transaction.
    """
    id = ids.uuid7()
    text = webhooks.compose(TEST, {"endpoint": endpoint.api_key.public_id}, now=now)
    row = Delivery.objects.create(
        id=id, endpoint=endpoint, key=f"test:{id}", type=TEST, body=text, created_at=now, tries=1
    )
    answer = deliveries.post(row, endpoint)
    row.status, row.error = answer.status, answer.error[:300]
    row.delivered_at = now if answer.accepted else None
    row.save(update_fields=["status", "error", "delivered_at"])
    return answer


def log_of(endpoint_id: UUID) -> str:
    """Where the admin lists its deliveries, as a query."""
    return f"?endpoint__pk__exact={endpoint_id}"
