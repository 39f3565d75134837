"""Redis stopped, Redis accepting and silent, nobody working: pages, API and usage go on, and one sweep catches up.

The web as production starts it, on the test's database, with a Valkey of its own and neither worker nor beat.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.models import Mail, User
from billing import topups
from billing.models import EventReceipt, SandboxEvent, TopUp
from tests import factories
from tests.billing.paying import clock, credits, save_card
from tests.billing.topping_up import turn_on
from thinnest_billing.devstack import ports, runner
from thinnest_billing.devstack.processes import spawn, stop
from thinnest_billing.devstack.services import Valkey
from usage.models import Charge

pytestmark = pytest.mark.django_db(transaction=True)
PROJECT = Path(__file__).resolve().parents[2]
CHAT = {"type": "chat", "model": "gpt-4-turbo", "input_tokens": 200_000, "output_tokens": 20_000}  # $2.60
ROUNDS = 20


class Site:
    """The web and its Redis, and how long it takes to answer."""

    def __init__(self, folder: Path, database: str) -> None:
        self.redis = Valkey(folder / "redis", throwaway=True)
        self.url = f"http://127.0.0.1:{next(port for port in range(8800, 65536) if ports.is_free(port))}"
        self.environment = os.environ | {
            "DATABASE_URL": os.environ["DATABASE_URL"].replace("/postgres?", f"/{database}?"),
            "REDIS_URL": self.redis.start(), "SITE_URL": self.url, "SANDBOX_ALLOW_PUBLIC": "yes",
            "LOG_LEVEL": "ERROR",
        }  # fmt: skip
        self.web = spawn(runner.commands(self.url)["web"], env=self.environment)
        self.wait_for(lambda: self.ask("/healthz")[0] == 200)

    def close(self) -> None:
        stop(self.web)
        self.redis.stop()

    def wait_for(self, reached: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def ask(self, path: str, body: object = None, **headers: str) -> tuple[int, float]:
        """Status and seconds; status 0 where nobody answered."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(
            self.url + path, data, headers | {"Content-Type": "application/json"}
        )
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                answer.read()
                status = answer.status
        except urllib.error.HTTPError as refused:
            status = refused.code
        except OSError:
            status = 0
        return status, time.monotonic() - began

    def ready(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/readyz", timeout=20) as answer:
            return dict(json.load(answer))

    def sweep(self) -> None:
        """As cron does it."""
        command = [sys.executable, "manage.py", "sweep"]
        subprocess.run(
            command, cwd=PROJECT, env=self.environment, check=True, timeout=60, capture_output=True
        )


@pytest.fixture(scope="module")
def site(django_db_setup: None) -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="tb-tests-redis-", dir="/tmp"))
    site = Site(folder, str(connection.settings_dict["NAME"]))
    yield site
    site.close()
    shutil.rmtree(folder, ignore_errors=True)


# --- What may be down -----------------------------------------------------------------------------------------


@contextmanager
def redis_stopped(site: Site) -> Iterator[None]:
    site.redis.stop()
    yield
    site.redis.start()


@contextmanager
def redis_silent(site: Site) -> Iterator[None]:
    """It accepts connections and never answers: the kernel does the accepting."""
    assert site.redis.process
    site.redis.process.send_signal(signal.SIGSTOP)
    with suppress(ProcessLookupError):
        try:
            yield
        finally:
            site.redis.process.send_signal(signal.SIGCONT)


@contextmanager
def nobody_works(site: Site) -> Iterator[None]:
    """Redis takes the nudges; worker and beat are down."""
    yield


@pytest.mark.parametrize("down", [redis_silent, redis_stopped, nobody_works], ids=lambda down: down.__name__)
def test_it_goes_on_and_the_next_sweep_catches_up(site: Site, ada: User, down: Callable[..., Any]) -> None:
    """S26: usage, pages and payments meanwhile, at most one answer in a hundred over a second; then auto-topup."""
    topups.record_manual(ada.account_id, Decimal(30), actor="ada", reason="to start with")
    card = save_card(ada)
    turn_on(ada, card=card, now=clock())
    paths = paths_of(ada, card)
    with down(site):
        with ThreadPoolExecutor(4) as people:
            answers = list(people.map(lambda n: paths[n % len(paths)](site), range(ROUNDS * len(paths))))
        patience = max(
            1.0, 10 * median(seconds for _, seconds in answers)
        )  # a busy machine is slow as a whole
        slow = [seconds for _, seconds in answers if seconds >= patience]
        if down is redis_silent:  # first, while every process still trusts Redis
            assert max(seconds for _, seconds in answers) >= settings.REDIS_TIMEOUT, "nobody asked Redis"
        assert {status for status, _ in answers} <= {200, 201, 202}
        assert len(slow) <= len(answers) // 100, (
            f"{len(slow)} of {len(answers)} took over {patience:.1f} s: {slow}"
        )
        assert Charge.objects.count() == ROUNDS
        found = site.ready()
        assert (found["status"], found["redis"]) == ("degraded", down is nobody_works)
        assert TopUp.objects.filter(origin="auto").count() == 0, "nobody works, so nobody charged"
        told = list(SandboxEvent.objects.values_list("pk", flat=True))
        site.sweep()
        assert TopUp.objects.get(origin="auto").status == "succeeded"
        assert site.ready()["last_sweep_seconds_ago"] < 30
    assert credits(ada) == [30, *[25] * TopUp.objects.exclude(mode="manual").count()]
    assert not SandboxEvent.objects.filter(pk__in=told, delivered_at=None).exists()
    assert set(EventReceipt.objects.values_list("gateway_id", "state")) == {(pk, "processed") for pk in told}
    assert {topup_letters(row) for row in TopUp.objects.exclude(mode="manual")} == {1}
    site.wait_for(lambda: site.ready()["status"] == "ok", seconds=10)


def test_a_crossing_is_published_within_two_seconds(site: Site, ada: User) -> None:
    """S27: the web leaves it to a thread of its own, so nobody waits; a worker hears of it as soon as ever."""
    topups.record_manual(ada.account_id, Decimal(11), actor="ada", reason="with the trial $12.00")
    turn_on(ada, now=clock())
    bearer = {"Authorization": f"Bearer {factories.key(ada.account)}"}
    with redis.Redis.from_url(site.environment["REDIS_URL"]) as broker:
        broker.flushdb()
        status, took = site.ask("/billing/v3/usage", CHAT | {"event_id": "crosses"}, **bearer)
        began = time.monotonic()
        site.wait_for(lambda: asked_for(broker, ada), seconds=20)
        assert status == 201
        assert time.monotonic() - began < 2 + 10 * took  # a busy machine is slow as a whole


def asked_for(broker: redis.Redis, user: User) -> bool:
    """Whether a worker would hear of this account's auto-topup."""
    waiting = [json.loads(message)["headers"] for message in broker.lrange("celery", 0, -1)]
    about = {headers["task"] for headers in waiting if str(user.account_id) in headers["argsrepr"]}
    return "billing.tasks.attempt_auto_topup" in about


def topup_letters(topup: TopUp) -> int:
    return Mail.objects.filter(text__contains=topup.public_id).count()


def paths_of(user: User, card: str) -> list[Callable[[Site], tuple[int, float]]]:
    """What people and platforms do: report usage, ask, look at pages, pay."""
    browser = Client()
    browser.force_login(user)
    cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    bearer = {"Authorization": f"Bearer {factories.key(user.account)}"}
    topup = {"amount": 25, "payment_method_id": card}
    return [
        lambda site: site.ask("/billing/v3/usage", CHAT | {"event_id": uuid4().hex}, **bearer),
        lambda site: site.ask("/billing/v3/balance", **bearer),
        lambda site: site.ask("/settings/billing/", Cookie=cookie),
        lambda site: site.ask("/settings/billing/payment-methods/", Cookie=cookie),
        lambda site: site.ask(
            "/billing/v3/topup", topup, **bearer, **{"Idempotency-Key": f"{user.public_id}-1"}
        ),
    ]
