"""kill -9 under load: every acknowledged event is there once, and the proofs are clean.

Its own cluster with fsync on, granian as production starts it, requests over real HTTP.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from thinnest_billing.devstack.services import Postgres

PROJECT = Path(__file__).parents[2]
EVENT = {"type": "chat", "model": "gpt-4o-mini", "input_tokens": 1250, "output_tokens": 340}


class World:
    """PostgreSQL, the web processes and what a caller knows for certain."""

    def __init__(self, home: Path) -> None:
        self.postgres = Postgres(home / "pg")
        database_url = self.postgres.start()
        self.port = _free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
            "DATABASE_URL": database_url,
            "SECRET_KEY": "crashes",
            "SITE_URL": f"http://127.0.0.1:{self.port}",
            "RATE_ACCOUNT_KEY": "1000000",
        }
        self.manage("migrate", "-v0")
        self.account = json.loads(
            self.manage("create_account", "--email", "ada@example.com", "--paid", "50", "--json")
        )
        self.acknowledged: dict[str, str] = {}
        self.stopping = threading.Event()
        self.web = self.start_web()

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command,
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start_web(self) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "granian",
            "--interface",
            "wsgi",
            "--workers",
            "2",
            "--blocking-threads",
            "4",
        ]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--log-level", "error"]
        command += ["thinnest_billing.wsgi:application"]
        return subprocess.Popen(command, cwd=PROJECT, env=self.environment, start_new_session=True)

    def kill_web(self) -> None:
        os.killpg(self.web.pid, signal.SIGKILL)
        self.web.wait()

    def crash_postgres(self) -> None:
        """What `pg_ctl stop -m immediate` does: no checkpoint; the next start replays the log."""
        assert self.postgres.process is not None
        self.postgres.process.send_signal(signal.SIGQUIT)
        self.postgres.process.wait(20)

    def send(self, event_id: str) -> None:
        """Until it is acknowledged, as a platform does: the same event again after any failure."""
        body = json.dumps({"event_id": event_id, **EVENT}).encode()
        headers = {"Authorization": f"Bearer {self.account['api_key']}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.port}/billing/v3/usage"
        while not self.stopping.is_set():
            try:
                request = urllib.request.Request(url, body, headers)
                with urllib.request.urlopen(request, timeout=20) as answer:
                    self.acknowledged[event_id] = json.load(answer)["id"]
                    return
            except (urllib.error.HTTPError, OSError, HTTPException) as error:
                if getattr(error, "code", 503) != 503:
                    raise
                time.sleep(0.05)

    def load(self, client: int) -> None:
        n = 0
        while not self.stopping.is_set():
            self.send(f"{client}-{n}")
            n += 1

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.acknowledged) < count:
            assert time.monotonic() < deadline, "no progress"
            time.sleep(0.02)

    def close(self) -> None:
        self.stopping.set()
        self.kill_web()
        self.postgres.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = Path("/tmp") / f"tb-tests-crash-{os.getpid()}"
    world = World(home)
    yield world
    world.close()
    subprocess.run(["rm", "-rf", str(home)], check=True)


def test_every_acknowledged_event_survives_kill_9(world: World) -> None:
    """S3: of the web processes and of PostgreSQL, in the middle of traffic."""
    clients = [threading.Thread(target=world.load, args=(n,)) for n in range(8)]
    for client in clients:
        client.start()
    for crash in (world.kill_web, world.crash_postgres, world.kill_web):
        world.wait_for(len(world.acknowledged) + 60)
        crash()
        if crash == world.crash_postgres:
            world.postgres.start()
        else:
            world.web = world.start_web()
    world.wait_for(len(world.acknowledged) + 60)
    world.stopping.set()
    for client in clients:
        client.join()
    assert_recorded_once(world)


def assert_recorded_once(world: World) -> None:
    script = (
        "import json; from usage.models import Charge; from accounts.ids import public;"
        "print(json.dumps([[c.event_id, public('bill', c.id)] for c in Charge.objects.all()]))"
    )
    recorded: list[Any] = json.loads(world.manage("shell", "-v0", "-c", script).strip().splitlines()[-1])
    by_event = dict(recorded)
    assert len(by_event) == len(recorded)
    assert {event: by_event.get(event) for event in world.acknowledged} == world.acknowledged
    assert json.loads(world.manage("verify_ledger", "--full", "--json"))["clean"] is True
