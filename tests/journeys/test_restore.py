"""Backup and restore: the rehearsal of docs/operate.md, and that it would not pass on damage."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from thinnest_billing.devstack.rehearsal.backups import Archived, restore, verify
from thinnest_billing.devstack.rehearsal.world import World
from thinnest_billing.devstack.services import own
from thinnest_billing.devstack.trial import PROJECT

CHECK = PROJECT / "deploy/check-restored"


def test_it_loses_nothing_from_before_the_chosen_moment_and_finds_what_came_after() -> None:
    """S1: what was acknowledged is in the backup, once; the processor's books tell the rest."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "thinnest_billing.devstack.rehearsal", "--seconds", "0.5"],
        cwd=PROJECT, env=keep, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for said in (
        "base backup under traffic", "the chosen moment", "pg_dump under traffic, restored: ledger clean",
        "credited meanwhile, for the copy knew their rows: 1", "unknown_topup", "SOUND", "REHEARSED",
    ):  # fmt: skip
        assert said in done.stdout, done.stdout


@pytest.fixture
def cluster() -> Iterator[Archived]:
    folder = Path(tempfile.mkdtemp(prefix="tb-restore-", dir="/var/tmp"))
    folder.chmod(0o711)
    own(folder)
    postgres = Archived(folder / "pg", archive=folder / "archive")
    postgres.start()
    yield postgres
    postgres.stop()
    shutil.rmtree(folder)


def check(world: World, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [CHECK, *arguments], env=world.environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_it_does_not_call_a_damaged_copy_sound(cluster: Archived) -> None:
    world = World(cluster, "redis://127.0.0.1:1/0", cluster.home / "static")
    code, said = check(world)
    assert (code, "DAMAGED: its tables" in said) == (1, True), said
    world.manage("migrate", "-v0")
    world.manage("create_account", "--email", "ada@example.com", "--paid", "25")
    code, said = check(world, "--full")
    assert (code, "SOUND" in said) == (0, True), said
    with psycopg.connect(cluster.running() or "") as writing:
        writing.execute("SET session_replication_role = replica")
        writing.execute("UPDATE billing_balance SET paid = paid + 1")
    code, said = check(world)
    assert (code, "DAMAGED: the ledger" in said) == (1, True), said


def test_it_notices_a_backup_that_is_not_what_the_server_sent(cluster: Archived) -> None:
    base = cluster.home.parent / "base"
    cluster.base_backup(base)
    with (base / "global/pg_control").open("r+b") as file:
        file.write(b"\0\0")
    with pytest.raises(SystemExit, match="DAMAGED"):
        verify(base)


def test_it_notices_an_archive_that_ends_too_early(cluster: Archived) -> None:
    home = cluster.home.parent
    cluster.base_backup(home / "base")
    later = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(SystemExit, match=r"DAMAGED|recovery ended before"):
        restore(home / "base", home / "archive", home / "restored", until=later)
