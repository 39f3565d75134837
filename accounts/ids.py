"""Public ids: a prefix and 26 characters of Crockford base32 around a version-7 uuid (RFC 9562).

Neither Python 3.11 nor PostgreSQL 15 makes version-7 uuids, hence these few lines.
"""

import os
import time
import uuid

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE = {c: i for i, c in enumerate(CROCKFORD)}


def uuid7() -> uuid.UUID:
    """A time-ordered uuid: 48 bits of milliseconds, 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (
        milliseconds << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    )
    return uuid.UUID(int=value)


def public(prefix: str, value: uuid.UUID) -> str:
    """`acct_01J…` for a uuid."""
    number = value.int
    return f"{prefix}_" + "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def parse(prefix: str, text: str) -> uuid.UUID | None:
    """The uuid behind a public id, or None when the text is not one of that prefix."""
    head, _, body = text.partition("_")
    if head != prefix or len(body) != 26 or not set(body) <= _VALUE.keys():
        return None
    number = 0
    for character in body:
        number = number << 5 | _VALUE[character]
    return uuid.UUID(int=number) if number < 1 << 128 else None
