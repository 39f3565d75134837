"""`make run` and `manage.py` from outside: what starts, what comes back, and that nothing stays behind."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@dataclass
class Trial:
    """A trial of its own beside the developer's: another folder, any free port."""

    folder: Path
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / "output"

    @property
    def environment(self) -> dict[str, str]:
        """As a newcomer's shell: none of the settings that the tests run with."""
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return keep | {"TRIAL_DATA": str(self.folder / "data"), "ENV_FILE": os.devnull}

    def run(self, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "thinnest_billing.devstack", *arguments]
        with self.log.open("wb") as output:
            return subprocess.Popen(
                command, cwd=PROJECT, env=self.environment | settings, stdout=output, stderr=output
            )

    def shell(self, statement: str) -> str:
        """What `manage.py shell -c` prints."""
        imports = "from django.conf import settings; from thinnest_billing.models import Heartbeat"
        command = [sys.executable, "manage.py", "shell", "-v0", "-c", f"{imports}; {statement}"]
        return subprocess.run(
            command, cwd=PROJECT, env=self.environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout

    def address(self) -> str:
        """Where the page is, once it answers."""
        wait(lambda: "http://" in self.output())
        found = re.search(r"http://127\.0\.0\.1:\d+", self.output())
        assert found, self.output()
        return found[0]

    def output(self) -> str:
        return self.log.read_text()

    def processes(self, name: str = "") -> list[int]:
        """Every process that knows this trial's folder, by its arguments or its environment."""
        return [int(proc.name) for proc in Path("/proc").glob("[0-9]*") if self.owns(proc, name.encode())]

    def owns(self, proc: Path, name: bytes) -> bool:
        try:
            arguments = (proc / "cmdline").read_bytes()
            known = arguments + (proc / "environ").read_bytes()
        except OSError:
            return False
        return str(self.folder).encode() in known and name in arguments


def wait(until: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def runs(pid: int) -> bool:
    """A process that ended and was not yet collected has no arguments."""
    arguments = Path(f"/proc/{pid}/cmdline")
    return arguments.exists() and bool(arguments.read_bytes())


def ready(address: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:
        return dict(json.load(answer))


def answers(address: str) -> bool:
    try:
        return bool(ready(address)["database"])
    except OSError:
        return False


@pytest.fixture
def trial() -> Iterator[Trial]:
    folder = Path(tempfile.mkdtemp(prefix="tb-trial-", dir="/tmp"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as `nobody`
    trial = Trial(folder)
    yield trial
    for pid in trial.processes():
        with contextlib.suppress(ProcessLookupError):  # it was on its way out
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)


def test_it_leaves_no_process_behind_where_the_kernel_tells_no_child() -> None:
    """What macOS relies on, tried on Linux."""
    program = """
import subprocess, sys, time
from thinnest_billing.devstack.processes import Guard
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
Guard().watch(child.pid, 15)
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        wait(lambda: runs(child), seconds=5)
        parent.kill()
    wait(lambda: not runs(child), seconds=5)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_leaves_no_process_behind(trial: Trial, how: signal.Signals) -> None:
    runner = trial.run()
    address = trial.address()
    if how != signal.SIGTERM:  # which comes while the demo account is being filled in
        wait(lambda: ready(address)["status"] == "ok")  # worker and beat have swept
    runner.send_signal(how)
    runner.wait(30)
    wait(lambda: not trial.processes(), seconds=15)


def test_it_starts_again_what_dies_while_the_others_go_on(trial: Trial) -> None:
    trial.run()
    address = trial.address()
    wait(lambda: ready(address)["status"] == "ok")
    for name in ("granian", "celery", "valkey-server", "postgres"):
        before = trial.processes(name)
        os.kill(before[0], signal.SIGKILL)
        wait(lambda name=name, before=before: set(trial.processes(name)) - set(before))
        wait(lambda: answers(address))
    wait(lambda: ready(address)["status"] == "ok")


def test_it_says_where_the_running_one_is(trial: Trial) -> None:
    runner = trial.run()
    address = trial.address()
    second = Trial(trial.folder)
    second.log = trial.folder / "second"
    assert second.run().wait(10) == 0
    assert second.output() == f"Already running at {address} (process {runner.pid}).\n"


def test_it_keeps_the_data_between_runs_and_commands_share_the_running_database(trial: Trial) -> None:
    runner = trial.run()
    trial.address()
    write = "from django.utils import timezone; Heartbeat.beat('written by the test', now=timezone.now())"
    assert trial.shell(write) == ""
    runner.send_signal(signal.SIGINT)
    runner.wait(30)

    read = "print(Heartbeat.objects.filter(name='written by the test').exists(), settings.SITE_URL)"
    assert trial.shell(read) == "True http://127.0.0.1:8000\n"
    wait(lambda: not trial.processes())

    trial.run("8765")
    trial.address()
    assert trial.shell(read) == "True http://127.0.0.1:8765\n"


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("DEBUG", "maybe", "write yes or no"),
        ("DATABASE_URL", "mysql://localhost/billing", "must start with postgres://"),
        ("REDIS_URL", "localhost:6379", "must start with redis://"),
        ("TOPUP_MIN", "five", "write an amount such as 5.00"),
        ("RATE_ACCOUNT_KEY", "many", "write a whole number"),
    ],
)
def test_it_does_not_start_on_a_wrong_setting_and_names_it(
    trial: Trial, name: str, value: str, advice: str
) -> None:
    assert trial.run(**{name: value}).wait(60) == 1
    assert re.search(rf"{name} .*{re.escape(advice)}", trial.output()), trial.output()
    assert "Traceback" not in trial.output()
    assert not trial.processes()


def test_it_does_not_start_on_a_port_that_is_taken(trial: Trial) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert trial.run(str(port)).wait(20) == 1
    assert trial.output() == f"Port {port} is taken. Without PORT the next free one is used.\n"
