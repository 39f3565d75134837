"""Signatures as Standard Webhooks has them (standardwebhooks.com): HMAC-SHA256 of id, time and body."""

import base64
import hashlib
import hmac
import secrets
import time
from uuid import UUID

from accounts import ids

PREFIX = "whsec_"


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def headers(id: UUID, body: str, *, secret: str) -> dict[str, str]:
    """Headers of a try made now: receivers refuse what was signed more than five minutes ago."""
    message, at = message_id(id), int(time.time())
    return {
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": sign(f"{message}.{at}.{body}", secret=secret),
    }


def message_id(id: UUID) -> str:
    """The same for every try."""
    return ids.public("msg", id)


def sign(content: str, *, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content.encode(), hashlib.sha256)).decode()
