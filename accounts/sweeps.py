"""Time for a step of the sweep: what it leaves waits in its table for the next pass."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

STEP = 20.0  # seconds; all steps together stay below the time limit of a task (thinnest_billing/celery.py)
T = TypeVar("T")


def while_there_is_time(rows: Iterable[T], *, seconds: float = STEP) -> Iterator[T]:
    """The rows, until the step has taken so long: what hangs (a processor, a mail server) holds up no other step."""
    over = time.monotonic() + seconds
    for row in rows:
        yield row
        if time.monotonic() > over:
            return
