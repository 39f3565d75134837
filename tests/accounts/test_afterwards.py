"""Afterwards: what requests leave behind is done by a thread a second later, once for all of them."""

import os
import subprocess
import sys
import threading
import time
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError

from accounts import afterwards
from accounts.afterwards import Causes
from accounts.logs import request_id

wake = afterwards._wake  # before the tests' fixture keeps it quiet
ONE, TWO = UUID(int=1), UUID(int=2)


@pytest.fixture
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afterwards, "_wake", wake)
    yield
    afterwards.stop()
    afterwards._begin_anew()


def test_it_works_within_a_second_or_so_once_for_all(awake: None) -> None:
    """S27: a crossing is noticed within two seconds; no request waits for it."""
    seen: list[tuple[Causes, str]] = []
    done = threading.Event()

    def work(causes: Causes) -> None:
        seen.append((causes, threading.current_thread().name))
        done.set()

    began = time.monotonic()
    for number in range(1000):
        afterwards.soon(work, (ONE, TWO)[number % 2])
    assert time.monotonic() - began < 0.5
    assert done.wait(2)
    assert seen == [({ONE: "-", TWO: "-"}, "afterwards")]
    done.clear()
    afterwards.soon(work, ONE)
    assert done.wait(2)


def test_it_remembers_which_request_asked_first() -> None:
    seen: list[Causes] = []
    for name in ("first", "second"):
        token = request_id.set(name)
        afterwards.soon(seen.append, ONE)
        request_id.reset(token)
    afterwards.flush()
    assert seen == [{ONE: "first"}]


@pytest.mark.parametrize("error", [OperationalError("away"), RuntimeError("a mistake")])
def test_one_that_fails_stops_no_other(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def breaks(causes: Causes) -> None:
        raise error

    seen: list[Causes] = []
    afterwards.soon(breaks, ONE)
    afterwards.soon(seen.append, TWO)
    afterwards.flush()
    assert seen == [{TWO: "-"}]
    assert "left to the sweep" in caplog.text


def test_it_takes_a_thousand_at_once_and_forgets_beyond_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afterwards, "MOST", 2500)
    seen: list[int] = []

    def work(causes: Causes) -> None:
        seen.append(len(causes))

    for _ in range(3000):
        afterwards.soon(work, uuid4())
    afterwards.flush()
    assert seen == [1000, 1000, 500]


CHILD = r"""
import os
import sys
import time
from uuid import UUID
from accounts import afterwards

def tell(causes):
    os.write(1, f"{sys.argv[1]} {os.getpid() == parent} {len(causes)}\n".encode())

parent = os.getpid()
afterwards.soon(tell, UUID(int=1))
if sys.argv[1] == "fork":
    child = os.fork()
    if not child:
        afterwards.soon(tell, UUID(int=2))
        time.sleep(1.5)
        os._exit(0)
    os.waitpid(child, 0)
"""


def said(how: str) -> list[str]:
    ended = subprocess.run([sys.executable, "-c", CHILD, how], env=os.environ, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return sorted(ended.stdout.splitlines())


def test_a_process_that_ends_does_it_first() -> None:
    """A management command is over before its second is."""
    began = time.monotonic()
    assert said("exit") == ["exit True 1"]
    assert time.monotonic() - began < 3


def test_a_child_of_fork_has_a_thread_of_its_own() -> None:
    """Celery's workers: the parent's thread is not there, and what waits in the parent is the parent's."""
    assert said("fork") == ["fork False 1", "fork True 1"]
