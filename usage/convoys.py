"""Events of one account that would wait for each other are committed together: one lock, one flush, one round trip.

Whoever comes first goes alone, at once. Who comes meanwhile waits in line, in this process; the first in line then
leads all of it through the database in one transaction. Each gets its own outcome, and only after the commit. Where a
convoy fails, whatever the reason, its members go alone: an event that was committed after all is then a replay.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

MOST = 100  # events a transaction
PATIENCE = 10.0  # seconds in line; then a member goes alone
Item = list[Any]
Row = tuple[Any, ...]
log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Seat:
    """One event in line. `party`: those that it leads, itself first. `row`: its own outcome, once it has one."""

    item: Item
    woken: threading.Event = field(default_factory=threading.Event)
    party: Sequence["Seat"] = ()
    row: Row | None = None


_lock = threading.Lock()
_lines: dict[UUID, list[Seat]] = {}  # of the accounts that somebody is being recorded for


def run(
    account_id: UUID, item: Item, *, alone: Callable[[Item], Row], together: Callable[[list[Item]], list[Row]]
) -> Row:
    """What `alone(item)` would answer. `together` runs many in one transaction, which has committed when it returns."""
    seat = _seat(account_id, item)
    if seat is None:
        try:
            return alone(item)
        finally:
            _hand_over(account_id)
    _wait(account_id, seat)
    if seat.party:
        _lead(account_id, seat.party, together)
    return alone(item) if seat.row is None else seat.row


def _seat(account_id: UUID, item: Item) -> Seat | None:
    """A place in line, or None for who goes first."""
    with _lock:
        line = _lines.get(account_id)
        if line is None:
            _lines[account_id] = []
            return None
        seat = Seat(item)
        line.append(seat)
        return seat


def _wait(account_id: UUID, seat: Seat) -> None:
    if seat.woken.wait(PATIENCE):
        return
    with _lock:
        line = _lines.get(account_id, [])
        if seat in line:
            line.remove(seat)
    log.warning("An event of %s waited %s s for its convoy and goes alone", account_id, PATIENCE)


def _lead(account_id: UUID, party: Sequence[Seat], together: Callable[[list[Item]], list[Row]]) -> None:
    try:
        for seat, row in zip(party, together([seat.item for seat in party]), strict=True):
            seat.row = row
    except Exception as error:
        log.warning("A convoy of %s events of %s goes one by one: %s", len(party), account_id, error)
    finally:
        for seat in party:
            seat.woken.set()
        _hand_over(account_id)


def _hand_over(account_id: UUID) -> None:
    """To the first in line, who leads all that wait now."""
    with _lock:
        line = _lines[account_id]
        if not line:
            del _lines[account_id]
            return
        party, _lines[account_id] = line[:MOST], line[MOST:]
        party[0].party = party
    party[0].woken.set()


def _begin_anew() -> None:
    """In a child of fork, whose leaders stayed behind."""
    global _lock
    _lock = threading.Lock()
    _lines.clear()


os.register_at_fork(after_in_child=_begin_anew)
