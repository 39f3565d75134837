"""The product on one cluster of a rehearsal: its commands, its web processes, its tables."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from thinnest_billing.devstack.ports import is_free
from thinnest_billing.devstack.processes import spawn, stop
from thinnest_billing.devstack.runner import commands
from thinnest_billing.devstack.services import Postgres
from thinnest_billing.devstack.trial import PROJECT

UNLIMITED = ("RATE_ACCOUNT_KEY", "TOPUPS_PER_HOUR", "DECLINES_PER_HOUR")


@dataclass(frozen=True)
class World:
    """`redis` is the URL of a server that all worlds of a rehearsal share, one after the other."""

    postgres: Postgres
    redis: str
    static: Path

    @property
    def environment(self) -> dict[str, str]:
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return keep | {
            "ENV_FILE": os.devnull,
            "DATABASE_URL": self.postgres.running() or "",
            "REDIS_URL": self.redis,
            "SECRET_KEY": "only for a rehearsal: nothing signed with it is worth anything",
            "SANDBOX_ALLOW_PUBLIC": "yes",
            "STATIC_ROOT": str(self.static),
            "LOG_LEVEL": "ERROR",
            "PYTHON": sys.executable,
            **dict.fromkeys(UNLIMITED, "1000000"),
        }

    def manage(self, *arguments: str) -> str:
        """What the command prints."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=PROJECT, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def read(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.running() or "") as asking:
            return asking.execute(query, parameters).fetchall()

    def told(self, *arguments: str) -> Any:
        return json.loads(self.manage(*arguments, "--json"))

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The address of its web processes, as production starts them."""
        port = next(port for port in range(8900, 65536) if is_free(port))
        url = f"http://127.0.0.1:{port}"
        process = spawn(commands(url)["web"], env=self.environment | {"PYTHONPATH": str(PROJECT)})
        try:
            wait_for(url, process)
            yield url
        finally:
            stop(process)


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=5):
            return
        time.sleep(0.05)
    raise SystemExit("The web process did not answer. What it said is above.")
