"""One POST to an address that somebody else chose: HTTPS, no redirect, five seconds in all, never into our own network.

Python's http.client and ssl, because the address must be checked and then be the very one that is connected to
(a name can answer differently the second time), and because the time limit is on the whole, not on each read.
"""

import http.client
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

SECONDS = 5.0  # names, connecting, sending and the answer together
READ = 300  # bytes of a refusal's body that are kept
AGENT = "thinnest-billing-webhooks/1"
Address = IPv4Address | IPv6Address

# Global by the registry and yet nobody's endpoint: relays of old, and the host's own services of two clouds.
NOT_PUBLIC = tuple(IPv4Network(net) for net in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"))
PUBLIC_V6 = IPv6Network("2000::/3")


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is None when there was no answer; `error` is a sentence, empty when the message was accepted."""

    status: int | None
    error: str

    @property
    def accepted(self) -> bool:
        return not self.error


class Refused(Exception):
    """Nothing was sent, or nothing came back; the text is a sentence for the delivery log."""


class Impatient(ssl.SSLSocket):
    """A TLS socket with one deadline for everything, so that a drip of bytes buys no time."""

    deadline = float("inf")

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(left(self.deadline))
        return super().send(*args, **kwargs)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(left(self.deadline))
        return super().recv_into(*args, **kwargs)


def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Never raises for what the other side does."""
    deadline = time.monotonic() + SECONDS
    try:
        return _post(urlsplit(url), body, headers, deadline=deadline)
    except Refused as refusal:
        return Answer(None, str(refusal))
    except TimeoutError:
        return Answer(None, f"It did not answer within {SECONDS:g} seconds.")
    except ssl.SSLCertVerificationError as error:
        return Answer(None, f"Its certificate is not valid: {error.verify_message}.")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(None, f"The connection failed: {str(error) or type(error).__name__}.")


def _post(parts: SplitResult, body: bytes, headers: dict[str, str], *, deadline: float) -> Answer:
    if parts.scheme != "https" or not parts.hostname:
        raise Refused("Nothing was sent: the address does not begin with https://.")
    context = ssl.create_default_context()
    context.sslsocket_class = Impatient
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=context)
    connection.sock = _connect(context, parts.hostname, parts.port or 443, deadline=deadline)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fixed = {"Content-Type": "application/json", "User-Agent": AGENT, "Connection": "close"}
        connection.request("POST", target, body, fixed | headers)
        return _judge(connection.getresponse())
    finally:
        connection.close()


def _connect(context: ssl.SSLContext, host: str, port: int, *, deadline: float) -> Impatient:
    """Connected to an address that was checked; the certificate must be for the name."""
    addresses = checked(resolve(host, port, deadline=deadline))
    for number, address in enumerate(addresses, start=1):
        share = left(deadline) / (len(addresses) - number + 1)
        try:
            plain = socket.create_connection((str(address), port), timeout=share)
            break
        except OSError:
            if number == len(addresses):
                raise
    plain.settimeout(left(deadline))
    secure = context.wrap_socket(plain, server_hostname=host)
    assert isinstance(secure, Impatient)
    secure.deadline = deadline
    return secure


def resolve(host: str, port: int, *, deadline: float) -> list[Address]:
    """The addresses behind a name. In a thread, for the resolver knows no time limit."""
    found: SimpleQueue[list[Any] | OSError | UnicodeError] = SimpleQueue()

    def look_up() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        answer = found.get(timeout=left(deadline))
    except Empty:
        raise Refused(f"Nothing was sent: the name {host} could not be looked up in time.") from None
    if not isinstance(answer, list):
        raise Refused(f"Nothing was sent: there is no address behind the name {host}.")
    return list(dict.fromkeys(ip_address(str(row[4][0]).partition("%")[0]) for row in answer))


def checked(addresses: list[Address]) -> list[Address]:
    """All of them, if each is on the public internet (or WEBHOOK_ALLOW_PRIVATE says that it need not be)."""
    for address in addresses:
        if not settings.WEBHOOK_ALLOW_PRIVATE and not is_public(address):
            raise Refused(f"Nothing was sent: {address} is not an address on the public internet.")
    return addresses


def is_public(address: Address) -> bool:
    """Neither private, loopback, link-local (cloud metadata), reserved nor multicast, nor one wrapped in IPv6."""
    if isinstance(address, IPv6Address):
        return address in PUBLIC_V6 and address.is_global and address.sixtofour is None
    unusual = address.is_multicast or address.is_reserved or any(address in net for net in NOT_PUBLIC)
    return address.is_global and not unusual


def left(deadline: float) -> float:
    """Seconds until then, or TimeoutError."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _judge(response: http.client.HTTPResponse) -> Answer:
    """2xx is accepted, its body left unread."""
    status = response.status
    if 200 <= status < 300:
        return Answer(status, "")
    if 300 <= status < 400:
        return Answer(status, f"It answered {status}: redirects are not followed, enter the final address.")
    try:
        said = " ".join(response.read(READ).decode("utf-8", "replace").split())
    except (OSError, http.client.HTTPException):
        said = ""
    return Answer(status, f"It answered {status}: {said}" if said else f"It answered {status}.")
