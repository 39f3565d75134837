"""A database of the first release, with work in it, on the newest tables: every number still ties."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from accounts import ids
from thinnest_billing.devstack.rehearsal.world import World
from thinnest_billing.devstack.services import Postgres, own
from thinnest_billing.devstack.trial import PROJECT
from thinnest_billing.simulator.http import Api, Request

MONEY = "SELECT granted, paid, held, seq FROM billing_balance"
FUNCTIONS = "SELECT proname FROM pg_proc WHERE proname ~ '^(billing|usage|accounts)_.*_[0-9]+$'"
MESSAGE = {"type": "chat", "model": "gpt-4o-mini", "input_tokens": 1250, "output_tokens": 340}
PRICE = Decimal("0.000391500")


@pytest.fixture
def world() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="tb-upgrade-", dir="/var/tmp"))
    folder.chmod(0o711)
    own(folder)
    postgres = Postgres(folder / "pg", throwaway=True)
    postgres.start()
    yield World(postgres, "redis://127.0.0.1:1/0", folder / "static")
    postgres.stop()
    shutil.rmtree(folder)


@pytest.fixture
def then(world: World) -> dict[str, str]:
    """What the first release left: an account's public id, and a key of then."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.journeys.first_release"],
        cwd=PROJECT, env=world.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return dict(json.loads(made.stdout))


def test_every_number_of_the_first_release_still_ties(world: World, then: dict[str, str]) -> None:
    """S1 S48: nothing is lost or changed by upgrading, and the work of then goes on."""
    before, functions = world.read(MONEY), {row[0] for row in world.read(FUNCTIONS)}
    assert before == [(1 - 5 * PRICE, 25, Decimal("0.5"), 9)]
    world.manage("migrate", "-v0", "billing")  # an upgrade that was interrupted here
    world.manage("migrate", "-v0")
    world.manage("migrate", "--check")
    assert world.read(MONEY) == before
    assert {"usage_record_1", "billing_hold_1", "accounts_key_1"} <= functions
    assert functions <= {row[0] for row in world.read(FUNCTIONS)}, "processes of the former release still run"
    check = world.told("verify_ledger", "--full")
    assert (check["clean"], check["accounts"]) == (True, 1)
    go_on(world, then["key"])
    assert world.told("sweep")["failed"] == []
    assert world.told("verify_ledger", "--full")["clean"]
    assert world.read(MONEY)[0][:3] == (1 - 6 * PRICE, 25, 0)


def go_on(world: World, key: str) -> None:
    """The key of then, the reservation of then, and a charge of now."""
    world.manage("collectstatic", "--noinput", "-v0")
    [(hold,)] = world.read("SELECT id FROM billing_hold WHERE state = 'open'")
    with world.serving() as url:
        api = Api(url, key)
        found = api.send(Request("GET", "/balance?expand=exact"))
        assert Decimal(found.data["balance_exact"]) == 26 - 5 * PRICE
        assert api.send(Request("POST", f"/holds/{ids.public('hold', hold)}/release")).ok
        again = api.send(Request("POST", "/usage", MESSAGE | {"event_id": "after the upgrade"}))
        assert again.status == 201
