"""Nudges: a task asked for right after a commit, so that nobody waits for the next sweep.

A nudge may be late, lost or repeated, and never slows or breaks the request that gives it: the sweep does
the work anyway. It goes out with the timeouts and the pause of `redis_link`, never with Celery's own, which
block for 20 s.
"""

import threading
import time
from functools import cache
from typing import Any

import redis
from celery import Task, current_app
from django.conf import settings
from kombu import pools
from kombu.exceptions import KombuError

from accounts import redis_link
from accounts.logs import current_request_id

REMEMBERED = 10_000  # coalescing keys kept per process
_lock = threading.Lock()
_recent: dict[tuple[Any, ...], float] = {}  # until when (time.monotonic()) a repeat says nothing new


def nudge(
    task: Task, *args: Any, countdown: float = 0, quiet: float = 0, caused_by: str | None = None
) -> None:
    """Ask for `task(*args)` in `countdown` seconds; until then, or for `quiet`, this process does not ask again.

    Call it after the commit (`transaction.on_commit`): the task re-reads the facts, so the first ask covers
    all that is committed before it runs. `caused_by`: the request, where it is not the current one.
    """
    pause = max(countdown, quiet)
    if pause and _already_asked((task.name, *args), pause):
        return
    request_id = caused_by or current_request_id()
    redis_link.ask(lambda _: _publish(task, args, countdown, request_id), otherwise=None)


def _already_asked(key: tuple[Any, ...], seconds: float) -> bool:
    now = time.monotonic()
    with _lock:
        if _recent.get(key, 0) > now:
            return True
        if len(_recent) >= REMEMBERED:
            _recent.clear()
        _recent[key] = now + seconds
        return False


def _publish(task: Task, args: tuple[Any, ...], countdown: float, request_id: str) -> None:
    try:
        with _producers().acquire(block=True, timeout=settings.REDIS_TIMEOUT) as producer:
            task.apply_async(
                args,
                countdown=countdown or None,
                producer=producer,
                retry=False,
                headers={"request_id": request_id},
            )
    except (KombuError, OSError) as error:
        raise redis.ConnectionError(f"publishing {task.name}: {error}") from error


@cache
def _producers() -> Any:
    timeout = settings.REDIS_TIMEOUT
    impatient = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "max_retries": 0}
    at_once = {"interval_start": 0, "interval_step": 0, "interval_max": 0}
    options = current_app.conf.broker_transport_options | impatient | at_once
    connection = current_app.connection_for_write(transport_options=options, connect_timeout=timeout)
    return pools.producers[connection]
