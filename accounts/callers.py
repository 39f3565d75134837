"""Who asks: the caller behind a key, kept in this process so that most requests need no question about it alone.

A key never changes; it can only be revoked, and its account closed. Where the statement that does the work also proves
that the key is still live, `recall` is enough; everybody else asks with `authenticate`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone as clock

from accounts import afterwards, api_keys
from accounts.errors import Unauthorized

REMEMBERED = 20_000  # keys
FIND_KEY = "SELECT * FROM accounts_key_1(%s, %s)"
STAMP_KEYS = """
    UPDATE accounts_apikey SET last_used_at = %(now)s WHERE id IN (
        SELECT id FROM accounts_apikey WHERE id = ANY(%(keys)s) AND revoked_at IS NULL
            AND (last_used_at IS NULL OR last_used_at < %(stale)s) FOR NO KEY UPDATE SKIP LOCKED)"""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. A platform key has no account of its own: it names one with each request."""

    key_id: UUID
    account_id: UUID | None
    scopes: frozenset[str]
    timezone: str | None
    expires_at: datetime | None = None

    @property
    def is_platform(self) -> bool:
        return self.account_id is None

    def may(self, scope: str) -> bool:
        return scope in self.scopes


_known: dict[bytes, Caller] = {}  # by the digest of the key
_used_at: dict[UUID, datetime] = {}  # when this process last noted a use
_scopes: dict[str, frozenset[str]] = {}  # one for all the keys that have the same


def authenticate(header: str, *, now: datetime) -> Caller:
    """The caller behind an Authorization header, in one query; Unauthorized for all but a live key."""
    kind, _, plain = header.partition(" ")
    if kind.lower() != "bearer" or not api_keys.well_formed(plain):
        raise Unauthorized()
    digest = api_keys.digest(plain)
    with connection.cursor() as cursor:
        cursor.execute(FIND_KEY, [digest, now])
        key_id, account_id, scopes, timezone, expires_at, _ = cursor.fetchone()
    if key_id is None or (expires_at is not None and expires_at <= now):
        _known.pop(digest, None)
        raise Unauthorized()
    if len(_known) >= REMEMBERED:
        _known.clear()
    shared = _scopes.setdefault(scopes, frozenset(scopes.split()))
    caller = _known[digest] = Caller(key_id, account_id, shared, timezone, expires_at)
    _note_use(caller, now)
    return caller


def recall(header: str, *, now: datetime) -> Caller | None:
    """Who had this key when this process last asked, unless it has expired. Whether it is live is yet to be proved."""
    caller = _known.get(api_keys.digest(header[7:])) if header.startswith("Bearer ") else None
    if caller is None or (caller.expires_at is not None and caller.expires_at <= now):
        return None
    _note_use(caller, now)
    return caller


def _note_use(caller: Caller, now: datetime) -> None:
    """At most once a minute, and not now: no request waits for a stamp."""
    used_at = _used_at.get(caller.key_id)
    if used_at is None or not timedelta() <= now - used_at < timedelta(seconds=api_keys.LAST_USED_EVERY):
        if len(_used_at) >= REMEMBERED:
            _used_at.clear()
        _used_at[caller.key_id] = now
        afterwards.soon(stamp_uses, caller.key_id)


def stamp_uses(used: afterwards.Causes) -> None:
    """Write `last_used_at` of the keys that were used. What another process writes, or has just written, is as good."""
    now = clock.now()
    stale = now - timedelta(seconds=api_keys.LAST_USED_EVERY / 2)
    with connection.cursor() as cursor:
        cursor.execute(STAMP_KEYS, {"now": now, "keys": list(used), "stale": stale})
