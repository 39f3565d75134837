"""What a process does a moment after its requests, for all of them together: looking whether to nudge, mostly.

A request only leaves an id here. A thread, begun at the first one, takes what a second has brought and does each kind
of work once for all of it: nobody waits for it, and a thousand requests cost a few queries. Hints only: what is lost,
with the process, the database or Redis, is found by the sweep.
"""

import atexit
import logging
import os
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from uuid import UUID

from django.db import InterfaceError, OperationalError, close_old_connections

from accounts.logs import current_request_id

WINDOW = 1.0  # second, from the first id on
AT_ONCE = 1_000  # ids
MOST = 50_000  # ids that wait for one kind of work; what comes on top is left to the sweep
EXIT = 2.0  # seconds that the end of the process waits for the last round
Causes = dict[UUID, str]  # id -> the request (or task) that asked first
Work = Callable[[Causes], None]
log = logging.getLogger(__name__)


def soon(work: Work, subject: UUID) -> None:
    """Have `work` done about `subject` within a second or so. Call it after the commit; costs microseconds."""
    with _lock:
        waiting = _waiting.setdefault(work, {})
        if len(waiting) < MOST:
            waiting.setdefault(subject, current_request_id())
    _wake()


def flush() -> None:
    """Do now, in this thread, whatever waits. One kind of work that fails does not stop the others."""
    with _lock:
        taken = dict(_waiting)
        _waiting.clear()
    for work, causes in taken.items():
        for part in _parts(causes):
            _try(work, part)


def stop() -> None:
    """Flush once more and end the thread, if there is one: when the process ends."""
    if _thread is not None and _thread.is_alive():
        _over.set()
        _awake.set()
        _thread.join(EXIT)


def _parts(causes: Causes) -> Iterator[Causes]:
    items = iter(causes.items())
    while part := dict(islice(items, AT_ONCE)):
        yield part


def _try(work: Work, causes: Causes) -> None:
    try:
        work(causes)
    except (OperationalError, InterfaceError) as error:
        log.warning("%s was left to the sweep: %s", work.__module__, error)
    except Exception:
        log.exception("%s was left to the sweep", work.__module__)


# --- The thread -----------------------------------------------------------------------------------------------


def _wake() -> None:
    global _thread
    if _thread is None or not _thread.is_alive():
        with _lock:
            if _thread is None or not _thread.is_alive():
                _over.clear()
                _thread = threading.Thread(target=_run, name="afterwards", daemon=True)
                _thread.start()
    _awake.set()


def _run() -> None:
    while not _over.is_set():
        _awake.wait()
        _over.wait(WINDOW)
        _awake.clear()
        close_old_connections()
        flush()
    close_old_connections()


def _begin_anew() -> None:
    """A child of fork has no thread, what waits is its parent's to do, and the lock may have been held."""
    global _lock, _awake, _over, _waiting, _thread
    _lock, _awake, _over = threading.Lock(), threading.Event(), threading.Event()
    _waiting, _thread = {}, None


_lock: threading.Lock
_awake: threading.Event
_over: threading.Event
_waiting: dict[Work, Causes]
_thread: threading.Thread | None
_begin_anew()
os.register_at_fork(after_in_child=_begin_anew)
atexit.register(stop)
