"""The whole product against a replica of Stripe: web over HTTP, a real worker, the gateway, signed events.

A card is attached at the world, a message crosses the threshold, the worker charges the card, the world's events
come twice and backwards; the credit, the letter and the receipt are there once.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from billing.models import EventReceipt, Mode, TopUp
from tests.billing.paying import credits
from tests.stripe_world.product import Product
from tests.stripe_world.world import SECRET_KEY, WEBHOOK_SECRET, World

pytestmark = pytest.mark.django_db
PROJECT = Path(__file__).parents[2]
CELERY = [sys.executable, "-m", "celery", "-A", "thinnest_billing", "worker", "--pool", "solo"]
PATIENCE = 40  # seconds for the worker to start and to do its work


@pytest.fixture
def worker(world: World) -> Iterator[None]:
    """A worker as production starts it, on this test's database and queue."""
    database = str(connection.settings_dict["NAME"])
    environment = {
        **os.environ, "DATABASE_URL": os.environ["DATABASE_URL"].replace("/postgres?", f"/{database}?"),
        "STRIPE_SECRET_KEY": SECRET_KEY, "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET, "STRIPE_API_BASE": world.url,
        "DEBUG": "yes",  # or it would not start with another address than Stripe's own
    }  # fmt: skip
    process = subprocess.Popen([*CELERY, "--loglevel", "WARNING"], cwd=PROJECT, env=environment)
    yield
    process.terminate()
    process.wait(timeout=20)


def until(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, "it never came there"
        time.sleep(0.1)


def test_it_tops_up_by_itself_and_tells(product: Product, worker: None, client: Client) -> None:
    """S26, S45: nobody touches anything; the balance stays above the threshold, exact to the cent."""
    product.wish(product.save_card())
    assert product.auto_rows() == []
    status, answer = product.say("m-1")
    assert (status, answer["balance"]) == (201, 0.35)
    until(lambda: [row.status for row in product.auto_rows()] == [TopUp.Status.SUCCEEDED])

    told = product.world.events()
    product.relay([*reversed(told), *told])
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(product.post, told * 3)) == {200}

    [topup] = product.auto_rows()
    assert (topup.mode, topup.last4, topup.card_name) == (Mode.STRIPE_TEST, "4242", "Visa •••• 4242")
    assert (credits(product.ada), product.balance) == ([Decimal(25)], Decimal("25.35"))
    assert [subject.split()[:2] for subject in product.letters()[1:]] == [["$25.00", "added"]]
    client.force_login(product.ada)
    receipt = client.get(f"/settings/billing/receipts/{topup.public_id}/").content.decode()
    assert topup.public_id in receipt
    assert "$25.00" in receipt
    assert "4242" in receipt
    assert not EventReceipt.objects.exclude(state__in=("processed", "ignored")).exists()
    product.prove()
    call_command("reconcile_payments", json=True)  # exits with 1 if the books differ


def test_the_sweep_does_it_without_a_worker(product: Product) -> None:
    """Nobody hears the nudge: the row is the queue."""
    product.wish(product.save_card())
    product.say("m-1")
    call_command("sweep", json=True)
    call_command("sweep", json=True)
    assert [row.status for row in product.auto_rows()] == [TopUp.Status.SUCCEEDED]
    product.relay()
    assert product.balance == Decimal("25.35")
    product.prove()
