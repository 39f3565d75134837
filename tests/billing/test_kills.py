"""kill -9 between the row and the credit: a real process at each of six points, then the sweep.

The child runs the shipped code on the test's database. What stops it lies outside of it: the processor that it asks
over HTTP, a lock in the database, or the Redis it tells of what it did.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.core import mail as sent
from django.db import connection, transaction
from pytest_django import Settings

from accounts.models import Mail, User
from billing.models import Customer, Mode, PaymentMethod, TopUp
from billing.reconciliation import reconcile
from tests.billing import processor
from tests.billing.paying import clock, credits
from tests.billing.processor import Processor
from thinnest_billing import sweeping
from usage.verify import verify_ledger

pytestmark = pytest.mark.django_db(transaction=True)
PROJECT = Path(__file__).parents[2]
STRIPE = {"STRIPE_SECRET_KEY": "sk_test_51NotARealKey", "STRIPE_WEBHOOK_SECRET": "whsec_test"}
PAY = """
import sys
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID
import django
django.setup()
from billing import topups
from billing.models import TopUp
order = topups.Order(amount=Decimal("25.00"), origin=TopUp.Origin.API, actor="key", card=sys.argv[2])
topup, _ = topups.begin(UUID(sys.argv[1]), order, now=datetime.now(UTC))
topups.pay(topup)
print("lived on")
"""


@pytest.fixture
def bank(settings: Settings) -> Iterator[Processor]:
    with processor.running() as bank:
        for name, value in STRIPE.items():
            setattr(settings, name, [value] if "WEBHOOK" in name else value)
        settings.STRIPE_API_BASE = bank.url
        settings.EMAIL_URL = "smtp://127.0.0.1:1"  # letters leave; the tests' own backend takes them
        yield bank


@pytest.fixture
def card(ada: User, bank: Processor) -> str:
    facts = {"account_id": ada.account_id, "mode": Mode.STRIPE_TEST}
    Customer.objects.create(**facts, gateway_id="cus_1")
    return PaymentMethod.objects.create(
        **facts, gateway_id="pm_1", customer="cus_1", brand="visa", last4="4242", exp_month=12, exp_year=2034,
        is_default=True, created_at=clock(),
    ).gateway_id  # fmt: skip


class Child:
    """A process that pays $25, as the web, a worker or a command would."""

    def __init__(self, ada: User, card: str, bank: Processor, redis_url: str = "redis://127.0.0.1:1") -> None:
        environment = {
            **os.environ, **STRIPE, "STRIPE_API_BASE": bank.url, "REDIS_URL": redis_url,
            "DATABASE_URL": os.environ["DATABASE_URL"].replace("/postgres?", f"/{database()}?"),
            "EMAIL_URL": "smtp://127.0.0.1:1", "DJANGO_SETTINGS_MODULE": "thinnest_billing.settings",
            "LOG_LEVEL": "ERROR",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-c", PAY, str(ada.account_id), card],
            cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        output, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == -signal.SIGKILL, output.decode()
        assert b"lived on" not in output

    def until(self, reached: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not reached():
            assert self.process.poll() is None, self.process.communicate()[0].decode()
            assert time.monotonic() < deadline, "it never came there"
            time.sleep(0.01)


def database() -> str:
    return str(connection.settings_dict["NAME"])


def blocked() -> bool:
    """Whether another process waits for one of our locks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


# --- Six points -----------------------------------------------------------------------------------------------


def before_the_call(ada: User, card: str, bank: Processor) -> None:
    """The row is committed; the processor has not read a byte, and never will."""
    stop(ada, card, bank, "connected")
    bank.asked.clear()


def during_the_call(ada: User, card: str, bank: Processor) -> None:
    """The request has arrived; the money moves after the process that asked for it is dead."""
    stop(ada, card, bank, "arrived")
    until(lambda: bank.payments)


def before_the_answer(ada: User, card: str, bank: Processor) -> None:
    """Paid there; nobody lives to read the answer."""
    stop(ada, card, bank, "done")


def before_settling(ada: User, card: str, bank: Processor) -> None:
    """The answer was read; the account's balance is locked by another transaction meanwhile."""
    child = child_at(ada, card, bank, "done")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM billing_balance FOR UPDATE")
        bank.go_on.set()
        child.until(blocked)
        child.kill()


def before_the_commit(ada: User, card: str, bank: Processor) -> None:
    """The credit is posted and not committed: the row of the top-up cannot be written."""
    child = child_at(ada, card, bank, "done")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE billing_topup IN SHARE MODE")
        bank.go_on.set()
        child.until(blocked)
        child.kill()


def after_the_commit(ada: User, card: str, bank: Processor) -> None:
    """The credit is committed; the process dies while it tells others of it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as redis:
        child = Child(ada, card, bank, f"redis://127.0.0.1:{redis.getsockname()[1]}")
        redis.settimeout(30)
        told, _ = redis.accept()
        with told:
            child.kill()
    assert credits(ada) == [25]


def child_at(ada: User, card: str, bank: Processor, point: str) -> Child:
    bank.stop_at = point
    child = Child(ada, card, bank)
    child.until(bank.stopped.is_set)
    assert TopUp.objects.get().status == "created"
    return child


def stop(ada: User, card: str, bank: Processor, point: str) -> None:
    child_at(ada, card, bank, point).kill()
    bank.go_on.set()


def until(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


POINTS = (
    before_the_call,
    during_the_call,
    before_the_answer,
    before_settling,
    before_the_commit,
    after_the_commit,
)


@pytest.mark.parametrize("die", POINTS, ids=lambda point: point.__name__)
def test_it_credits_once_after_kill_9(
    ada: User, card: str, bank: Processor, die: Callable[[User, str, Processor], None]
) -> None:
    """S25, S26: the sweep brings the credit; one payment, one entry, one letter, and the books agree."""
    die(ada, card, bank)
    topup = TopUp.objects.get()
    paid = die is not before_the_call
    assert len(bank.payments) == paid
    assert (topup.status == "succeeded") is (die is after_the_commit)
    for minutes in (2, 10):
        assert sweeping.sweep(now=topup.created_at + timedelta(minutes=minutes)) == []
    topup.refresh_from_db()
    assert (topup.status, topup.received) == ("succeeded", 25)
    assert len(bank.payments) == 1
    assert credits(ada) == [25]
    assert_told_once(topup)
    assert verify_ledger(full=True, now=clock()).breaches == []
    assert reconcile(now=clock() + timedelta(minutes=1)).differences == []


def assert_told_once(topup: TopUp) -> None:
    letters = [letter for letter in Mail.objects.all() if topup.public_id in letter.text]
    assert len(letters) == 1
    assert [letter.subject for letter in sent.outbox].count(letters[0].subject) == 1
