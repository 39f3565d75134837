"""The two load generators: wrk for HTTP and pgbench for the floor. Each run says what every process used meanwhile."""

import json
import os
import re
import resource
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from bench.processes import cpu_seconds
from thinnest_billing.devstack.services import Postgres, binaries

HERE = Path(__file__).parent
CONNECTIONS = 16
ACCOUNTS = 10_000


@dataclass(frozen=True)
class Measured:
    """One run: requests a second, milliseconds, and microseconds of CPU per request by process tree."""

    rate: float
    p50: float | None
    p99: float | None
    cpu: dict[str, float]

    @property
    def cpu_server(self) -> float:
        """Without the load generator."""
        return sum(used for name, used in self.cpu.items() if name != "load")


def run_wrk(
    url: str, keys: Path, *, mode: str, seconds: float, watched: dict[str, int], get: str = "",
    cookie: str = "", connections: int = CONNECTIONS,
) -> Measured:  # fmt: skip
    """`mode`: many, hot or platform (see events.lua); `get`: a path to GET instead. `watched`: names and root pids."""
    environment = os.environ | {"KEYS": str(keys), "MODE": mode, "RUN": uuid4().hex}
    environment |= {"SEED": str(uuid4().int % 10**9)} | ({"GET": get} if get else {})
    environment |= {"COOKIE": cookie} if cookie else {}
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:.0f}s",
               "--timeout", "20s", "--script", str(HERE / "events.lua"), url]  # fmt: skip
    result, cpu = _timed(command, environment, watched)
    said = json.loads(result.strip().splitlines()[-1])
    if said["bad"]:
        raise SystemExit(f"{said['bad']} of {said['requests']} answers were not a success:\n{result}")
    return _measured(said["requests"], said["seconds"], cpu, said["p50"], said["p99"])


def run_pgbench(postgres: Postgres, *, accounts: int, seconds: float, watched: dict[str, int]) -> Measured:
    command = [str(binaries() / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--client={CONNECTIONS}",
               "--jobs=1", f"--time={seconds:.0f}", f"--define=accounts={accounts}",
               f"--file={HERE / 'floor.pgbench'}", f"--host={postgres.folder}",
               "--username=postgres", "postgres"]  # fmt: skip
    result, cpu = _timed(command, dict(os.environ), watched)
    done = int(_found(r"actually processed: (\d+)", result))
    return _measured(done, done / float(_found(r"tps = ([\d.]+)", result)), cpu)


def _timed(
    command: list[str], environment: dict[str, str], watched: dict[str, int]
) -> tuple[str, dict[str, float]]:
    """What the command printed, and the CPU seconds that it (`load`) and the watched trees used meanwhile."""
    before = {name: cpu_seconds(pid) for name, pid in watched.items()}
    mine = _children_seconds()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    load = _children_seconds() - mine
    return done.stdout, {name: cpu_seconds(pid) - before[name] for name, pid in watched.items()} | {
        "load": load
    }


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _measured(
    requests: int, seconds: float, cpu: dict[str, float], p50: float | None = None, p99: float | None = None
) -> Measured:
    each = {name: used / requests * 1e6 for name, used in cpu.items()}
    return Measured(requests / seconds, p50, p99, each)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"pgbench did not say {pattern}:\n{text}")
    return match[1]


Run = Callable[[float], Measured]  # seconds -> what was measured


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("The load generator is wrk: apt-get install wrk (or brew install wrk).")
