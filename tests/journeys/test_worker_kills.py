"""The worker is killed under traffic: a short run of `bench/kills`, which does it 200 times (docs/payments.md)."""

import os
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def test_it_loses_and_doubles_nothing_when_the_worker_is_killed_under_traffic() -> None:
    """S26: auto-topups, payments by API and the simulator meanwhile; two sweeps, and the books agree."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "bench", "kills", "--kills", "3"],
        cwd=PROJECT, env=keep, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["clean"]), done.stdout + done.stderr
    paid = re.search(r"payments at the sandbox: \((\d+),", done.stdout)
    assert paid
    assert int(paid[1]) > 5, done.stdout
