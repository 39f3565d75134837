"""The web server as `make run` starts it, on a port of its own."""

import contextlib
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from bench.processes import resident_mb, tree
from thinnest_billing.devstack import ports, runner
from thinnest_billing.devstack.processes import spawn, stop

IN_A_ROW = 50  # answers, each on a connection of its own


@dataclass(frozen=True)
class Web:
    url: str
    process: subprocess.Popen[bytes]

    @property
    def workers(self) -> list[int]:
        return tree(self.process.pid)[1:]

    def memory(self) -> list[float]:
        """Megabytes of each worker."""
        return [round(resident_mb(pid)) for pid in self.workers]


@contextlib.contextmanager
def serving() -> Iterator[Web]:
    port = next(port for port in range(8700, 65536) if ports.is_free(port))
    url = f"http://127.0.0.1:{port}"
    process = spawn(runner.commands(url)["web"])
    try:
        wait_for_workers(url, process)
        yield Web(url, process)
    finally:
        stop(process)


def wait_for_workers(url: str, process: subprocess.Popen[bytes]) -> None:
    """The port is bound before the workers have loaded Django: wait until all of them answer."""
    answers, deadline = 0, time.monotonic() + 60
    while answers < IN_A_ROW:
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("The web server did not start. What it said is above.")
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=20):
                answers += 1
        except OSError:
            answers = 0
            time.sleep(0.1)
