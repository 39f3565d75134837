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

from billing import topups
from billing.installation import installation_id
from billing.models import EventReceipt, Mode, TopUp
from tests.billing.paying import begin, credits
from tests.stripe_world.product import Product
from tests.stripe_world.world import SECRET_KEY, WEBHOOK_SECRET, World, sign

pytestmark = pytest.mark.django_db
PROJECT = Path(__file__).parents[2]
CELERY = [sys.executable, "-m", "celery", "-A", "thinnest_billing", "worker", "--pool", "solo"]
Forger = Callable[[bytes, str], tuple[bytes, str]]
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


def test_it_reads_events_of_another_version_anew(product: Product) -> None:
    """The world's own version is older than our package's: nothing in its bodies is trusted but their ids."""
    topups._ask(begin(product.ada, card=product.save_card(), origin=TopUp.Origin.API))
    told = product.world.events(as_they_are=True)
    assert product.relay(told).count("payment_intent.succeeded") == 1
    assert credits(product.ada) == [Decimal(25)]
    assert not EventReceipt.objects.exclude(state__in=("processed", "ignored")).exists()
    product.prove()


def test_it_leaves_what_is_not_ours(product: Product) -> None:
    """Somebody else's payments in the same Stripe account are counted; a claim on a top-up we do not know is kept."""
    card, theirs = product.save_card(), {"topup": "top_0", "installation": "another"}
    for metadata in ({}, theirs, theirs | {"installation": installation_id()}):
        wanted = {"amount": 2500, "currency": "usd", "customer": product.customer, "payment_method": card}
        product.world.v1.payment_intents.create(wanted | {"confirm": True, "metadata": metadata})  # type: ignore[arg-type]
    product.relay()
    kept = EventReceipt.objects.filter(state="quarantined").order_by("type").values_list("type", flat=True)
    assert list(kept) == ["payment_intent.created", "payment_intent.succeeded"]
    assert (credits(product.ada), product.balance) == ([], Decimal(1))


@pytest.mark.parametrize("forge", [
    lambda body, signature: (body.replace(b"2500", b"9900"), signature),
    lambda body, signature: (body, ""),
    lambda body, signature: (body, signature.replace("v1=", "v0=")),
    lambda body, signature: (body, sign(body, "whsec_of_somebody_else")),
])  # fmt: skip
def test_it_refuses_what_stripe_did_not_sign(product: Product, forge: Forger) -> None:
    topups._ask(begin(product.ada, card=product.save_card(), origin=TopUp.Origin.API))
    [body] = [told for told in product.world.events() if b'"payment_intent.succeeded"' in told]
    forged, signature = forge(body, sign(body))
    assert product.post(forged, signature=signature) == 400
    assert credits(product.ada) == []
