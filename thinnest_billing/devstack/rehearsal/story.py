"""A backup under traffic, a disaster, a restore to a chosen moment: what was lost, and what was found again.

The processor outlives the disaster: what the sandbox knows at the end is put beside the restored copy, as Stripe would
still know it. Ends with exit code 1, and the reason, where anything is damaged.
"""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from thinnest_billing.devstack.processes import ROOT, end_group
from thinnest_billing.devstack.rehearsal.backups import Archived, restore, restore_dump
from thinnest_billing.devstack.rehearsal.traffic import Traffic
from thinnest_billing.devstack.rehearsal.world import World
from thinnest_billing.devstack.services import Valkey, own
from thinnest_billing.devstack.trial import PROJECT

ACCOUNT = ("--email", "ada@example.com", "--paid", "500", "--card", "pm_card_visa")
# A page opened before the chosen moment and paid after it: here a row, there a payment.
OPEN_PAGE = """
from decimal import Decimal; from django.utils import timezone
from accounts.models import User; from billing import topups
user = User.objects.get()
order = topups.Order(amount=Decimal(40), origin="page", actor=user.public_id)
print(topups.pay(topups.begin(user.account_id, order, now=timezone.now())[0]).page_id)"""
PAY_PAGE = """
from django.utils import timezone; from billing.gateways import sandbox_bank, sandbox_cards
sandbox_bank.pay_on_page("{page}", sandbox_cards.typed("4242424242424242"), now=timezone.now())"""
PROCESSOR = tuple(
    f"billing_sandbox{name}" for name in ("customer", "card", "page", "payment", "refund", "dispute", "key")
)
SOUND = (0, 3)  # of deploy/check-restored


def rehearse(seconds: float) -> None:
    with rehearsal_home() as home, ExitStack() as running:
        redis = Valkey(home / "redis", throwaway=True)
        running.callback(redis.stop)
        world = begin(home, running, redis=redis.start())
        traffic, until, sure = disaster(world, home, seconds)
        dump_is_whole(world, home, running)
        restored = recover(world, home, running, until)
        lost = losses(restored, traffic, sure=sure)
        judge(restored, home)
        go_on(restored, traffic, lost)
    say("REHEARSED: nothing is damaged, and all that was lost was found")


def begin(home: Path, running: ExitStack, *, redis: str) -> World:
    postgres = Archived(home / "pg", archive=home / "archive")
    running.callback(postgres.stop)
    postgres.start()
    world = World(postgres, redis, home / "static")
    world.manage("migrate", "-v0")
    world.manage("collectstatic", "--noinput", "-v0")
    return world


def disaster(world: World, home: Path, seconds: float) -> tuple[Traffic, datetime, int]:
    """Traffic, a base backup in its midst, the moment to return to, more traffic, and the machine is gone.

    Also how many events had been answered before that moment: those must survive.
    """
    postgres = archived(world)
    with world.serving() as url:
        traffic = Traffic(url, world.told("create_account", *ACCOUNT))
        with traffic.flowing():
            time.sleep(seconds)
            postgres.base_backup(home / "base")
            say(
                f"base backup under traffic: {len(traffic.told)} events and {len(traffic.paid)} payments so far"
            )
            time.sleep(seconds)
            page = world.manage("shell", "-v0", "-c", OPEN_PAGE).strip()
            sure = len(traffic.told)
            [(until,)] = world.read("SELECT clock_timestamp()")
            world.manage("shell", "-v0", "-c", PAY_PAGE.format(page=page))
            time.sleep(seconds)
            own_dump(postgres, home / "dump", "--format=custom")
    say(f"the chosen moment: {until:%H:%M:%S.%f}, after {sure} of {len(traffic.told)} events")
    [(segment,)] = world.read("SELECT pg_walfile_name(pg_switch_wal())")
    postgres.wait_for_archive(segment)
    tables = [part for name in PROCESSOR for part in ("--table", name)]
    own_dump(postgres, home / "processor", "--data-only", "--disable-triggers", *tables)
    return traffic, until, sure


def own_dump(postgres: Archived, into: Path, *options: str) -> None:
    into.touch()
    own(into)
    postgres.run("pg_dump", "-d", "postgres", *options, "--file", into)


def dump_is_whole(world: World, home: Path, running: ExitStack) -> None:
    """The other kind of backup, taken under traffic: restored into a cluster of its own."""
    copy = restore_dump(home / "dump", home / "from-dump")
    running.callback(copy.stop)
    check = replace(world, postgres=copy).told("verify_ledger", "--full")
    say(f"pg_dump under traffic, restored: ledger clean for {check['accounts']} account")


def recover(world: World, home: Path, running: ExitStack, until: datetime) -> World:
    """The primary dies without a word; a new cluster is made from base backup and archive."""
    assert world.postgres.process
    world.postgres.process.send_signal(signal.SIGQUIT)
    end_group(world.postgres.process)
    began = time.monotonic()
    copy = restore(home / "base", home / "archive", home / "restored", until=until)
    running.callback(copy.stop)
    say(f"restored to the chosen moment in {time.monotonic() - began:.1f} s")
    return replace(world, postgres=copy)


def losses(restored: World, traffic: Traffic, *, sure: int) -> list[str]:
    """The events that were answered and are gone; none of them from before the chosen moment."""
    there = {row[0] for row in restored.read("SELECT event_id FROM usage_charge")}
    if gone := [event for event in traffic.told[:sure] if event not in there]:
        raise SystemExit(f"DAMAGED: {len(gone)} events from before the chosen moment are gone")
    lost = [event for event in traffic.told if event not in there]
    say(
        f"lost: {len(lost)} of {len(traffic.told)} charges, all from after it; top-ups left: {succeeded(restored)}"
    )
    return lost


def judge(restored: World, home: Path) -> None:
    """What an operator runs on every restored copy, with the processor as it is today."""
    postgres = Archived(restored.postgres.home, archive=home)
    postgres.folder = restored.postgres.folder
    postgres.run(
        "psql",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        "postgres",
        "-c",
        f"TRUNCATE {', '.join(PROCESSOR)}",
        "-f",
        home / "processor",
    )
    before = succeeded(restored)
    done = subprocess.run([PROJECT / "deploy/check-restored"], env=restored.environment, check=False)
    if done.returncode not in SOUND:
        raise SystemExit(f"DAMAGED: deploy/check-restored ended with {done.returncode}")
    say(f"credited meanwhile, for the copy knew their rows: {succeeded(restored) - before} top-ups")
    if unexplained := payments_without_a_word(restored):
        raise SystemExit(f"DAMAGED: nobody speaks of the payments {', '.join(unexplained)}")


def succeeded(world: World) -> int:
    [(count,)] = world.read(
        "SELECT count(*) FROM billing_topup WHERE status = 'succeeded' AND mode = 'sandbox'"
    )
    return int(count)


def payments_without_a_word(restored: World) -> list[str]:
    """Paid at the processor, and neither credited nor named by the reconciliation."""
    [(differences,)] = restored.read(
        "SELECT differences FROM billing_reconciliation ORDER BY ran_at DESC LIMIT 1"
    )
    kinds = [found["kind"] for found in differences]
    say(
        "found at the processor: "
        + (", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds))) or "-")
    )
    named = {found["payment"] for found in differences}
    paid = restored.read(
        "SELECT p.id FROM billing_sandboxpayment p WHERE p.status = 'succeeded' AND NOT EXISTS ("
        "SELECT FROM billing_topup t JOIN billing_ledgerentry e ON e.key = t.id::text WHERE t.payment_id = p.id)"
    )
    return [row[0] for row in paid if row[0] not in named]


def go_on(restored: World, traffic: Traffic, lost: list[str]) -> None:
    """The product works on the copy; the platform sends its events again, and the lost ones are charged once."""
    before = restored.read("SELECT count(*) FROM usage_charge")[0][0]
    with restored.serving() as url:
        traffic.url = url
        traffic.send_again()
    after = restored.read("SELECT count(*) FROM usage_charge")[0][0]
    say(f"sent again: {len(traffic.told)} events, {after - before} of them new")
    if after - before != len(lost):
        raise SystemExit(f"DAMAGED: {len(lost)} charges were lost, but {after - before} came back")
    for command in ("sweep", "verify_ledger"):
        restored.told(command, *(["--full"] if command == "verify_ledger" else []))


def archived(world: World) -> Archived:
    assert isinstance(world.postgres, Archived)
    return world.postgres


@contextmanager
def rehearsal_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="tb-rehearsal-", dir="/var/tmp" if ROOT else None))
    home.chmod(0o711)
    own(home)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def say(text: str) -> None:
    print(text, flush=True)
