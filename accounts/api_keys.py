"""API keys: `tb_test_` or `tb_live_`, 30 random base62 characters, 6 more that check the rest.

The plain text exists once, in the answer to whoever made it; we keep its SHA-256. The checksum lets us (and
secret scanners) tell a mistyped key from an unknown one without asking the database.
"""

import hashlib
import secrets
import string
import zlib
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.conf import settings

from accounts import ids
from accounts.models import Account, ApiKey, User

BASE62 = string.digits + string.ascii_letters
LENGTH = len("tb_test_") + 30 + 6
LAST_USED_EVERY = 60  # seconds


def create(
    *,
    account: Account | None,
    name: str,
    scopes: Iterable[str],
    now: datetime,
    created_by: User | None = None,
    expires_at: datetime | None = None,
    id: UUID | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its plain text, which cannot be had again. Without an account: a platform key.

    With an `id` that exists already: IntegrityError.
    """
    plain = _new_plain()
    row = ApiKey.objects.create(
        id=id or ids.uuid7(),
        account=account,
        name=name,
        prefix=plain[:12],
        digest=digest(plain),
        scopes=sorted(scopes),
        created_by=created_by,
        created_at=now,
        expires_at=expires_at,
    )
    return row, plain


def revoke(row: ApiKey, *, now: datetime) -> None:
    """From now on the key answers 401. Revoking twice keeps the first moment."""
    ApiKey.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=now)
    row.refresh_from_db(fields=["revoked_at"])


def digest(plain: str) -> bytes:
    return hashlib.sha256(plain.encode()).digest()


def well_formed(plain: str) -> bool:
    return len(plain) == LENGTH and plain.isascii() and _checksum(plain[:-6]) == plain[-6:]


def _new_plain() -> str:
    live = settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))
    head = ("tb_live_" if live else "tb_test_") + "".join(secrets.choice(BASE62) for _ in range(30))
    return head + _checksum(head)


def _checksum(head: str) -> str:
    number, text = zlib.crc32(head.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = BASE62[digit] + text
    return text
