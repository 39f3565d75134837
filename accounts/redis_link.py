"""Asking Redis inside a request: 0.3 s at most, and after a failure nobody asks again for five seconds.

A Redis that refuses costs nothing; one that accepts and stays silent costs each process one timeout per five
seconds.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

PAUSE = 5.0  # seconds without asking, after Redis failed
T = TypeVar("T")
log = logging.getLogger(__name__)
_lock = threading.Lock()
_closed_until = 0.0  # time.monotonic(); 0 while Redis answers


@cache
def client() -> redis.Redis:
    timeout = settings.REDIS_TIMEOUT
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


def ask(command: Callable[[redis.Redis], T], otherwise: T) -> T:
    """What `command` finds in Redis, or `otherwise` when Redis does not answer in time."""
    global _closed_until
    if _closed_until and not _may_probe():
        return otherwise
    try:
        answer = command(client())
    except redis.RedisError as error:
        if not _closed_until:
            log.warning("Redis does not answer (%s); going on without it", error)
        _closed_until = time.monotonic() + PAUSE
        return otherwise
    _closed_until = 0.0
    return answer


def _may_probe() -> bool:
    """One caller per pause tries again; the others go on without Redis meanwhile."""
    global _closed_until
    with _lock:
        if time.monotonic() < _closed_until:
            return False
        _closed_until = time.monotonic() + PAUSE
        return True
