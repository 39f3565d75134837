"""Child processes that never outlive the process that started them."""

import contextlib
import ctypes
import functools
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = os.geteuid() == 0
PR_SET_PDEATHSIG = 1
WATCH = """
import os, sys
for pid, number in [map(int, line.split()) for line in sys.stdin]:
    try:
        if os.getpgid(pid) == pid:  # still the leader of the session it was given
            os.kill(pid, number)
    except ProcessLookupError:
        pass
"""


class Guard:
    """Signals children once their parent is gone, however it went: it reads a pipe that closes with the parent."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", WATCH]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, text=True)

    def watch(self, pid: int, number: int) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{pid} {int(number)}\n")
        self.process.stdin.flush()


# On Linux the kernel itself signals the children; loaded before any fork.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_guard = functools.cache(Guard)


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Have this process signalled when its parent dies (Linux; elsewhere the guard does it)."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, int(number))


def spawn(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    drop_root: bool = False,
    on_parent_death: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own; as `nobody` where `drop_root` is asked for and we are root."""
    who: dict[str, object] = {}
    if drop_root and ROOT:
        nobody = pwd.getpwnam("nobody")
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log else None
        process = subprocess.Popen(
            command,
            env=env,
            cwd="/" if drop_root else None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,  # Ctrl+C reaches only us; we stop the others in order
            preexec_fn=lambda: die_with_parent(on_parent_death),
            **who,  # type: ignore[call-overload]
        )
    if _libc is None:
        _guard().watch(process.pid, on_parent_death)
    return process


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float = 30
) -> None:
    """Return once `ready()`; stop with the end of the log where the process ends or stays silent."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, IndexError):
            if ready():
                return
        time.sleep(0.01)
    raise SystemExit(f"A service did not start. The end of {log}:\n{log.read_text(errors='replace')[-2000:]}")


def stop(process: subprocess.Popen[bytes], *, how: int = signal.SIGTERM, seconds: float = 10) -> None:
    """Ask politely, wait, then end the whole process group."""
    if process.poll() is None:
        process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the session that `spawn` opened, so that a dead child leaves no children."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
