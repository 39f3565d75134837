"""SIGKILL for the worker, again and again, under traffic: afterwards every payment is one credit and the books agree.

PostgreSQL, Valkey, web, worker and beat as `make run` starts them; the simulator, people who pay by API, and accounts
that auto-topup keeps above $10. The worker (or, every fourth time, one of its processes) is killed at a random moment
and started again. In the end two sweeps, an hour on by their clock, must leave nothing undone.
"""

import argparse
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.db.models import Count, F, Sum

from accounts import api_keys, people
from accounts.models import Mail, Scope
from bench.processes import tree
from bench.services import note, say
from bench.web import serving
from billing import auto_charge, payment_methods, topups
from billing.auto_topup import Wish
from billing.models import LedgerEntry, SandboxEvent, SandboxPayment, TopUp
from billing.reconciliation import reconcile
from thinnest_billing import sweeping
from thinnest_billing.devstack import runner
from thinnest_billing.devstack.processes import spawn, stop
from thinnest_billing.devstack.services import Postgres
from thinnest_billing.simulator.http import Api, Request, Unreachable
from usage.verify import verify_ledger

ACCOUNTS = 40
SPENDING = {"type": "chat", "model": "gpt-4-turbo", "input_tokens": 200_000, "output_tokens": 20_000}  # $2.60
STANDING = {"threshold": Decimal(10), "amount": Decimal(25), "monthly_limit": Decimal(1_000_000)}
LATE = timedelta(seconds=20)  # an outcome that nobody but a sweep or a returned task brought
Process = subprocess.Popen[bytes]


def main(_: Postgres, options: argparse.Namespace) -> None:
    os.environ |= {"TOPUPS_PER_HOUR": "1000000", "AUTO_TOPUPS_PER_DAY": "1000000"}
    os.environ["PYTHONWARNINGS"] = "ignore:You're running the worker"  # as root
    with serving() as web, tempfile.TemporaryDirectory() as folder:
        settings.SITE_URL = os.environ["SITE_URL"] = web.url
        note(f"{ACCOUNTS} accounts with a card, funds and auto-topup")
        traffic = Traffic(web.url, [account() for _ in range(ACCOUNTS)])
        with beat(folder), simulator(web.url), traffic.flowing():
            began = time.monotonic()
            killed = kill_workers(options.kills)
            took = time.monotonic() - began
        say(f"{killed.total()} kills in {took:.0f} s: {dict(killed)}")
        say(f"answers to the traffic: {dict(sorted(traffic.answers.items()))}")
        wrong = afterwards()
    if wrong:
        raise SystemExit("NOT CLEAN\n" + "\n".join(wrong))
    say("clean")


# --- What goes on ---------------------------------------------------------------------------------------------


def account() -> tuple[str, str]:
    """(key, card) of an account that auto-topup keeps above $10."""
    now = datetime.now(UTC)
    owner = people.create_owner(
        email=f"{uuid4().hex}@example.com", password=uuid4().hex, name="Kills", timezone="UTC", now=now
    )
    topups.record_manual(owner.account_id, Decimal(15), actor="bench", reason="to start with")
    card = payment_methods.add_sandbox_card(owner.account_id, "pm_card_visa", now=now)
    auto_charge.save(
        owner.account_id, Wish(enabled=True, card=card, **STANDING), actor=owner.public_id, now=now
    )
    _, key = api_keys.create(account=owner.account, name="kills", scopes=list(Scope.values), now=now)
    return key, card


@dataclass
class Traffic:
    """Two who spend and one who pays, over HTTP; each request once, as fast as the answers come."""

    url: str
    accounts: list[tuple[str, str]]
    answers: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def flowing(self) -> Iterator[None]:
        threads = [threading.Thread(target=act) for act in (self.spend, self.spend, self.pay)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()

    def spend(self) -> None:
        while not self.over.wait(0.1):
            key, _ = random.choice(self.accounts)
            self.send("usage", key, Request("POST", "/usage", SPENDING | {"event_id": uuid4().hex}))

    def pay(self) -> None:
        while not self.over.wait(2.5):
            key, card = random.choice(self.accounts)
            wanted = {"amount": random.randint(5, 25), "payment_method_id": card}
            self.send("topup", key, Request("POST", "/topup", wanted))

    def send(self, name: str, key: str, request: Request) -> None:
        api = Api(self.url, key)
        try:
            self.answers[f"{name} {api.send(request).status}"] += 1
        except Unreachable:
            self.answers[f"{name} lost"] += 1
        finally:
            api.close()


@contextlib.contextmanager
def simulator(url: str) -> Iterator[None]:
    """The platform of one account more."""
    now = datetime.now(UTC)
    owner = people.create_owner(
        email=f"{uuid4().hex}@example.com", password=uuid4().hex, name="Simulated", timezone="UTC", now=now
    )
    topups.record_manual(owner.account_id, Decimal(100), actor="bench", reason="to start with")
    scopes = [scope for scope in Scope if scope != Scope.TOPUP_WRITE]
    _, key = api_keys.create(account=None, name="simulator", scopes=scopes, now=now)
    command = [sys.executable, "manage.py", "simulate", "--url", url, "--rate", "10", "--json"]
    who = {"SIMULATE_ACCOUNT": owner.account.public_id, "SIMULATE_KEY": key}
    process = subprocess.Popen(command, env=os.environ | who, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def beat(folder: str) -> Iterator[None]:
    command = runner.commands(settings.SITE_URL)["beat"]
    command[command.index("--schedule") + 1] = str(Path(folder, "beat"))
    process = spawn(command)
    try:
        yield
    finally:
        stop(process)


# --- Kills ----------------------------------------------------------------------------------------------------


def kill_workers(times: int) -> Counter[str]:
    """How often the whole worker was killed, and how often one of its processes."""
    killed: Counter[str] = Counter()
    worker = start_worker()
    for number in range(1, times + 1):
        time.sleep(random.uniform(0, 2))
        if number % 4:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
            killed["of the whole worker"] += 1
            worker = start_worker()
        else:
            os.kill(random.choice(tree(worker.pid)[1:]), signal.SIGKILL)
            killed["of one of its processes"] += 1
            wait_for_children(worker)
        if number % 20 == 0:
            note(f"{number} kills, {TopUp.objects.count()} top-ups")
    time.sleep(random.uniform(0, 2))
    os.killpg(worker.pid, signal.SIGKILL)  # nobody tidies up: the sweeps that follow must do
    worker.wait()
    killed["of the whole worker"] += 1
    return killed


def start_worker() -> Process:
    worker = spawn(runner.commands(settings.SITE_URL)["worker"])
    wait_for_children(worker)
    return worker


def wait_for_children(worker: Process) -> None:
    """Its pool has two processes once it is ready for work."""
    deadline = time.monotonic() + 60
    while len(tree(worker.pid)) < 3:
        if worker.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("The worker did not start. What it said is above.")
        time.sleep(0.05)


# --- Afterwards -----------------------------------------------------------------------------------------------


def afterwards() -> list[str]:
    """What is wrong after two sweeps; prints the figures."""
    undone = open_topups()
    now = datetime.now(UTC)
    failed = [name for hours in (1, 2) for name in sweeping.sweep(now=now + timedelta(hours=hours))]
    ledger = verify_ledger(full=True, now=datetime.now(UTC))
    books = reconcile(full=True, now=datetime.now(UTC) + timedelta(minutes=1))
    say(f"top-ups: {dict(Counter(TopUp.objects.exclude(mode='manual').values_list('origin', 'status')))}")
    say(f"without an outcome after the last kill: {undone}; after two sweeps: {open_topups()}")
    say(f"whose outcome took over {LATE.seconds} s: {late_topups()}")
    say(f"payments at the sandbox: {payments()}; credits: {credits()}")
    say(
        f"verify_ledger breaches: {len(ledger.breaches)}; reconcile_payments differences: {len(books.differences)}"
    )
    checks = {
        f"steps of the sweep failed: {failed}": not failed,
        "top-ups without an outcome": not open_topups(),
        "credits are not the payments": payments() == credits(),
        "a top-up was paid twice": not paid_twice(),
        f"verify_ledger: {ledger.breaches}": not ledger.breaches,
        f"reconcile_payments: {books.differences}": not books.differences,
        "a credit has no letter, or two": not told_otherwise_than_once(),
        "events were not delivered": not undelivered(),
    }
    return [said for said, fine in checks.items() if not fine]


def open_topups() -> int:
    return TopUp.objects.filter(next_look_at__isnull=False).count()


def late_topups() -> int:
    return TopUp.objects.filter(ended_at__gt=F("created_at") + LATE).count()


def payments() -> tuple[int, Decimal]:
    """How many the sandbox took money for, and how many dollars."""
    found = SandboxPayment.objects.filter(status="succeeded").aggregate(n=Count("pk"), cents=Sum("received"))
    return found["n"], Decimal(found["cents"] or 0) / 100


def credits() -> tuple[int, Decimal]:
    manual = TopUp.objects.filter(mode="manual").values_list("pk", flat=True)
    entries = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.TOPUP).exclude(key__in=map(str, manual))
    found = entries.aggregate(n=Count("pk"), dollars=Sum("paid"))
    return found["n"], round(found["dollars"] or Decimal(0), 2)


def paid_twice() -> bool:
    succeeded = SandboxPayment.objects.filter(status="succeeded")
    return succeeded.count() != succeeded.values("reference").distinct().count()


def told_otherwise_than_once() -> int:
    """Top-ups that came in and have no letter, or two."""
    texts = Mail.objects.filter(text__contains="top_").values_list("text", flat=True)
    told = Counter(found for text in texts for found in set(re.findall(r"top_\w{26}", text)))
    came_in = TopUp.objects.exclude(mode="manual").filter(status="succeeded")
    return sum(told[row.public_id] != 1 for row in came_in)


def undelivered() -> int:
    """A pass of the sweep delivers 200: as many passes as they need."""
    for passes in range(50):
        waiting = SandboxEvent.objects.filter(delivered_at=None).count()
        if not waiting:
            return 0
        sweeping.sweep(now=datetime.now(UTC) + timedelta(hours=3 + passes))
    return waiting
