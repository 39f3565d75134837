"""How often somebody may ask. Counted in Redis; without Redis the API stays open and sign-in gets stricter.

Windows are fixed: they begin at multiples of their length, so every process agrees on them without talking.
"""

import threading
import time
from dataclasses import dataclass
from uuid import UUID

import redis
from django.conf import settings
from django.http import HttpRequest

from accounts import afterwards, redis_link
from accounts.errors import TooManyRequests

MINUTE = 60  # seconds
REMEMBERED = 20_000  # keys


def allow(name: str, subject: str, *, limit: int, seconds: int, without_redis: int | None = None) -> bool:
    """Count one try of `subject` and say whether it is within `limit` per window of `seconds`.

    Without Redis: `without_redis` tries a minute in this process, or always yes when that is None.
    """
    window = int(time.time()) // seconds
    count = redis_link.ask(lambda server: _add(server, f"limit:{name}:{subject}:{window}", 1, seconds), 0)
    if count:
        return count <= limit
    return without_redis is None or _tries.count(f"{name}:{subject}") <= without_redis


def client_address(request: HttpRequest) -> str:
    """Who connects. Behind our proxy: the last address, which it added; the others are the caller's words."""
    if settings.SECURE_PROXY_SSL_HEADER:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")[-1].strip()
        if forwarded:
            return forwarded
    return request.META.get("REMOTE_ADDR", "")


def _add(server: redis.Redis, name: str, amount: int, seconds: int) -> int:
    with server.pipeline(transaction=False) as pipeline:
        pipeline.incrby(name, amount)
        pipeline.expire(name, seconds * 2)
        return pipeline.execute()[0]


class _Tries:
    """Tries of the running minute, in this process only."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.window = 0
        self.counts: dict[str, int] = {}

    def count(self, subject: str) -> int:
        with self.lock:
            window = int(time.time()) // MINUTE
            if window != self.window:
                self.window, self.counts = window, {}
            self.counts[subject] = self.counts.get(subject, 0) + 1
            return self.counts[subject]


_tries = _Tries()


@dataclass(slots=True)
class Lease:
    """Requests of one key in one minute that this process may still let through without asking Redis.

    `left` of them are counted there already; `credit` are not: they are told afterwards, `owed` so far.
    """

    minute: int
    credit: int
    owed: int = 0
    left: int = 0
    spent: bool = False  # Redis said that the minute's limit is reached


_leases: dict[UUID, Lease] = {}
_lease_lock = threading.Lock()


def spend(key_id: UUID, *, limit: int) -> None:
    """Count one API request of a key; TooManyRequests beyond `limit` a minute.

    The first 60th of the limit is free to each process and counted within a second; then each request asks Redis,
    or, where the limit is high, one in many: it is leased in blocks of a 600th.
    """
    now = time.time()
    with _lease_lock:
        lease = _lease(key_id, int(now) // MINUTE, limit)
        if lease.left:
            lease.left -= 1
            return
        if lease.credit:
            lease.credit -= 1
            lease.owed += 1
            afterwards.soon(_settle, key_id)
            return
    if not lease.spent:
        granted = _grant(key_id, lease, limit)
        if granted:
            with _lease_lock:
                lease.left += granted - 1
            return
        lease.spent = True
    raise _too_many(limit, MINUTE - int(now) % MINUTE)


def _lease(key_id: UUID, minute: int, limit: int) -> Lease:
    lease = _leases.get(key_id)
    if lease is None or lease.minute != minute:
        if len(_leases) > REMEMBERED:
            _leases.clear()
        lease = _leases[key_id] = Lease(minute, credit=limit // 60)
    return lease


def _grant(key_id: UUID, lease: Lease, limit: int) -> int:
    block = max(1, limit // 600)
    told = block + _owed(lease)
    count = redis_link.ask(lambda server: _add(server, _rate_key(key_id, lease), told, MINUTE), told)
    return max(0, min(block, limit - (count - block)))


def _owed(lease: Lease) -> int:
    """What is to be told to Redis now, once."""
    with _lease_lock:
        owed, lease.owed = lease.owed, 0
    return owed


def _rate_key(key_id: UUID, lease: Lease) -> str:
    return f"rate:{key_id}:{lease.minute}"


def _settle(used: afterwards.Causes) -> None:
    """Tell Redis what was let through on credit, so that the other processes know."""
    leases = {key_id: lease for key_id in used if (lease := _leases.get(key_id))}
    told = {_rate_key(key_id, lease): owed for key_id, lease in leases.items() if (owed := _owed(lease))}
    redis_link.ask(lambda server: _add_all(server, told, MINUTE), None)


def _add_all(server: redis.Redis, amounts: dict[str, int], seconds: int) -> None:
    with server.pipeline(transaction=False) as pipeline:
        for name, amount in amounts.items():
            pipeline.incrby(name, amount)
            pipeline.expire(name, seconds * 2)
        pipeline.execute()


def _too_many(limit: int, wait: int) -> TooManyRequests:
    """Headers as in draft-ietf-httpapi-ratelimit-headers-10."""
    headers = {"RateLimit": f'"minute";r=0;t={wait}', "RateLimit-Policy": f'"minute";q={limit};w={MINUTE}'}
    detail = f"This key may send {limit:,} requests a minute. Wait {wait} seconds, then try again."
    return TooManyRequests(detail, retry_after=wait, headers=headers)
