"""How a benchmark tells what it found: the machine, every value, medians and ratios."""

import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from django.db import connection

from bench.services import say

PACKAGES = ("django", "django-ninja", "granian", "psycopg", "pydantic")


def environment() -> None:
    say(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}, load average {os.getloadavg()[0]:.1f} before"
    )
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    say(f"{os.cpu_count()} CPUs, {cpu_model()}, {machine}")
    say(", ".join(f"{name} {version(name)}" for name in PACKAGES))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')"
        )
        say("PostgreSQL {}, fsync {}, synchronous_commit {}".format(*cursor.fetchone()))


def commit() -> str:
    head = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    return head.stdout.strip() or "unknown"


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")


def spread(values: Sequence[float], form: str = ".0f") -> str:
    """The median, and every value in the order it was measured."""
    return f"{statistics.median(values):{form}}   all: {' '.join(format(value, form) for value in values)}"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
