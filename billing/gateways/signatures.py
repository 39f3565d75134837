"""Stripe's scheme for signing events: `t=<seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`, and what is signed."""

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime

from billing.gateways import BadSignature, Event

TOLERANCE = 300  # seconds that an event may be under way
ID, TYPE = re.compile(r"[!-~]{1,255}"), re.compile(r"[!-~]{1,100}")


def sign(body: bytes, secret: str, *, at: int) -> str:
    """The header for `body` sent at `at`, in seconds since 1970."""
    return f"t={at},v1={_mac(body, secret, at)}"


def verify(body: bytes, header: str, secret: str, *, now: float) -> None:
    """BadSignature unless one of the header's signatures is ours and fresh."""
    pairs = [part.partition("=")[::2] for part in header.split(",")]
    times = [value for name, value in pairs if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdecimal()) or len(times[0]) > 12:
        raise BadSignature("The signature header is malformed.")
    expected = _mac(body, secret, int(times[0])).encode()
    candidates = [value.encode() for name, value in pairs if name == "v1"]
    if not any(hmac.compare_digest(expected, candidate) for candidate in candidates):
        raise BadSignature("No signature matches the body.")
    if abs(now - int(times[0])) > TOLERANCE:
        raise BadSignature("The signature is too old.")


def _mac(body: bytes, secret: str, at: int) -> str:
    return hmac.new(secret.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()


def envelope(body: bytes) -> Event:
    """Id, type and time of a signed event; what it tells of is left to `read_event`. BadSignature if it is none."""
    try:
        content = json.loads(body.decode())
        id_, type_, at = content["id"], content["type"], datetime.fromtimestamp(content["created"], UTC)
        if ID.fullmatch(id_) and TYPE.fullmatch(type_):
            return Event(id_, type_, at, None)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError) as error:
        raise BadSignature("Signed, but not an event with a snapshot in it.") from error
    raise BadSignature("Signed, but without an id and a type that could be kept.")
