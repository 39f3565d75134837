"""Backups and restores of a cluster, with PostgreSQL's own programs."""

import hashlib
import json
import subprocess
import time
from datetime import datetime
from pathlib import Path

import psycopg

from thinnest_billing.devstack.processes import spawn
from thinnest_billing.devstack.services import Postgres, binaries, own

ARCHIVING = """
archive_mode = on
archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f.part && mv {archive}/%f.part {archive}/%f'
"""
RECOVERING = """
archive_mode = off
restore_command = 'cp {archive}/%f %p'
recovery_target_time = '{until}'
recovery_target_action = promote
"""


class Archived(Postgres):
    """A cluster whose every change is copied to `archive`, as production's should be."""

    def __init__(self, home: Path, *, archive: Path) -> None:
        super().__init__(home)
        self.archive = archive

    def initdb(self) -> None:
        super().initdb()
        self.archive.mkdir()
        own(self.archive)
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(ARCHIVING.format(archive=self.archive))

    def run(self, program: str, *arguments: str | Path) -> None:
        """One of PostgreSQL's programs, as the user it runs as, on this cluster."""
        where = ["-h", str(self.folder), "-U", "postgres"]
        finish([binaries() / program, *where, *arguments], self.log)

    def base_backup(self, into: Path) -> None:
        """While it works on; then every file is compared with the manifest."""
        into.mkdir(mode=0o700)
        own(into)
        how = ("--checkpoint=fast", "--wal-method=stream", "--manifest-checksums=SHA256")
        self.run("pg_basebackup", "-D", into, *how)
        verify(into)

    def wait_for_archive(self, segment: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not (self.archive / segment).exists():
            if time.monotonic() > deadline:
                raise SystemExit(f"{segment} was not archived. The end of {self.log}:\n{tail(self.log)}")
            time.sleep(0.05)


def verify(backup: Path) -> None:
    """What `pg_verifybackup` does for an operator; the wheel's own copy of it crashes."""
    for file in json.loads((backup / "backup_manifest").read_text())["Files"]:
        found = hashlib.sha256((backup / file["Path"]).read_bytes()).hexdigest()
        if found != file["Checksum"]:
            raise SystemExit(f"DAMAGED: {file['Path']} of the backup is not what the server sent")


def restore(base: Path, archive: Path, home: Path, *, until: datetime) -> Postgres:
    """A new cluster as the old one was at `until`: the base backup, then every change from the archive."""
    postgres = Postgres(home)
    postgres.make_home()
    finish(["cp", "-a", base, postgres.data], postgres.log)
    with (postgres.data / "postgresql.auto.conf").open("a") as settings:
        settings.write(RECOVERING.format(archive=archive, until=until.isoformat()))
    (postgres.data / "recovery.signal").touch()
    own(postgres.data / "recovery.signal")
    wait_for_writes(postgres.start())
    return postgres


def wait_for_writes(url: str, seconds: float = 600) -> None:
    """It answers before it has reached its target, and takes writes only then."""
    deadline = time.monotonic() + seconds
    try:
        with psycopg.connect(url, autocommit=True) as asking:
            while asking.execute("SELECT pg_is_in_recovery()").fetchone() != (False,):
                if time.monotonic() > deadline:
                    raise SystemExit("DAMAGED: the chosen moment was not reached in time")
                time.sleep(0.05)
    except psycopg.OperationalError as error:  # it ends where the archive ends too early
        raise SystemExit(f"DAMAGED: the chosen moment is not in the archive ({error})") from None


def restore_dump(dump: Path, home: Path) -> Postgres:
    """A new cluster with what `pg_dump --format=custom` wrote."""
    postgres = Archived(home, archive=home / "archive")
    postgres.start()
    postgres.run("pg_restore", "--exit-on-error", "--no-owner", "-d", "postgres", dump)
    return postgres


def finish(command: list[str | Path], log: Path) -> None:
    process: subprocess.Popen[bytes] = spawn(command, log=log, drop_root=True)
    if process.wait():
        raise SystemExit(f"{Path(command[0]).name} failed. The end of {log}:\n{tail(log)}")


def tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
