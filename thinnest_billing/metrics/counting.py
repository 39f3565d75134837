"""Requests by route and status, counted by every web process and told by whichever is asked.

Counting is an addition in this process's memory: no lock, no file, no network. A thread copies the counts once a
second to a file beside those of the other processes of the same server, where the answering one reads them. A process
that dies leaves its file, so the sums of a server never fall; `kill -9` loses the last second of counts.
"""

import json
import os
import shutil
import tempfile
import threading
import time
from bisect import bisect_left
from collections import Counter
from contextlib import suppress
from pathlib import Path

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
EVERY = 1.0  # seconds between two copies
PREFIX = "thinnest-billing-metrics-"
Route = tuple[str, str, str]  # method, route, status
# Requests that took up to each bound (not cumulative), those that took longer, and the seconds of all.
Timings = dict[Route, list[float]]

timings: Timings = {}
refusals: Counter[str] = Counter()
_own: Path | None = None  # this process's file, once it shares


def count(route: Route, seconds: float) -> None:
    """One request. Threads may lose each other's addition once in a great while; a metric can bear that."""
    row = timings.get(route)
    if row is None:
        row = timings.setdefault(route, [0.0] * (len(BOUNDS) + 2))
    row[bisect_left(BOUNDS, seconds)] += 1
    row[-1] += seconds


def refused(code: str) -> None:
    refusals[code] += 1


def folder() -> Path:
    """Of the server that started this process: its processes share it, and nobody else may read it."""
    return Path(tempfile.gettempdir()) / f"{PREFIX}{os.getppid()}"


def start() -> None:
    """Share what this process counts; called once by each web process."""
    global _own
    forget_servers_that_ended()
    where = folder()
    where.mkdir(mode=0o700, exist_ok=True)
    if where.is_symlink() or where.stat().st_uid != os.geteuid():
        raise SystemExit(f"{where} belongs to somebody else: remove it, it is the web server's own.")
    _own = where / f"{os.getpid()}-{time.time_ns()}.json"
    threading.Thread(target=_share_for_ever, args=(_own,), name="metrics", daemon=True).start()


def _share_for_ever(own: Path) -> None:
    told = ""
    while True:
        time.sleep(EVERY)
        said = json.dumps([[list(item) for item in list(timings.items())], dict(refusals)])
        if said != told:
            with suppress(OSError):  # a full disk must not end the thread
                _replace(own, said)
                told = said


def _replace(file: Path, text: str) -> None:
    """Nobody ever reads a half."""
    partial = file.with_suffix(".partial")
    partial.write_text(text)
    partial.rename(file)


def everybody() -> tuple[Timings, Counter[str]]:
    """What all processes of this server have counted: this one to the moment, the others to the last second."""
    times: Timings = {route: list(row) for route, row in list(timings.items())}
    codes = Counter(refusals)
    for file in folder().glob("*.json") if _own else ():
        if file != _own:
            with suppress(OSError, ValueError):
                _add(file, times, codes)
    return times, codes


def _add(file: Path, times: Timings, codes: Counter[str]) -> None:
    counted, refused_there = json.loads(file.read_text())
    for (method, route, status), row in counted:
        mine = times.setdefault((method, route, status), [0.0] * len(row))
        mine[:] = [one + other for one, other in zip(mine, row, strict=True)]
    codes.update(refused_there)


def forget_servers_that_ended() -> None:
    for other in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        number = other.name.removeprefix(PREFIX)
        if number.isdecimal() and not alive(int(number)):
            shutil.rmtree(other, ignore_errors=True)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
