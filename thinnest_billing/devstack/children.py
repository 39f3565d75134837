"""Keeping processes alive, and taking them down together."""

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from thinnest_billing.devstack.processes import end_group, stop

LONGEST_PAUSE = 30.0  # seconds between two starts of a child that keeps dying
Process = subprocess.Popen[bytes]


@dataclass
class Child:
    """One process of the trial, and when to start it again if it dies."""

    name: str
    launch: Callable[[], Process]
    process: Process | None = None
    pause: float = 0.5
    born_at: float = field(default_factory=time.monotonic)
    due_at: float = 0.0

    def start(self) -> None:
        self.born_at, self.due_at = time.monotonic(), 0.0
        self.process = self.launch()

    def tend(self) -> None:
        """Start it again once its pause is over; the pause doubles while it keeps dying young."""
        if self.process is not None and self.process.poll() is not None:
            self.bury(self.process)
        elif self.due_at and time.monotonic() >= self.due_at:
            self.revive()

    def bury(self, process: Process) -> None:
        end_group(process)
        self.process = None
        lived = time.monotonic() - self.born_at
        self.pause = 0.5 if lived > LONGEST_PAUSE else min(self.pause * 2, LONGEST_PAUSE)
        self.due_at = time.monotonic() + self.pause
        say(f"{self.name} ended (exit {process.returncode}); starting it again in {self.pause:.0f} s")

    def revive(self) -> None:
        try:
            self.start()
        except SystemExit as error:  # a service that did not come up
            say(str(error))
            self.due_at = time.monotonic() + self.pause


def supervise(services: list[Child], children: list[Child]) -> None:
    while True:
        for child in [*services, *children]:
            child.tend()
        time.sleep(0.2)


def stop_all(children: list[Child], services: list[Child]) -> None:
    """First the simulator, which gives back what it holds; then all that uses the services; then those."""
    for child in children:
        if child.name == "simulator" and child.process:
            stop(child.process, seconds=2)
    for child in children:
        if child.process and child.process.poll() is None:
            child.process.terminate()
    for child in children:
        if child.process:
            stop(child.process)
    for child in reversed(services):
        if child.process:
            stop(child.process, how=signal.SIGINT, seconds=20)


def say(text: str) -> None:
    print(text, flush=True)
