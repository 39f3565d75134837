"""Nudges, the sweep and the health pages: what goes on when Redis or a part of the work does not."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from kombu import Connection
from pytest_django import Settings

from accounts import mail as accounts_mail
from accounts import nudges, redis_link, sweeps
from accounts.logs import request_id
from accounts.models import Mail, User
from billing import gateways, topup_sweep
from billing.gateways import Payment, Unavailable
from billing.gateways.sandbox import SandboxGateway
from billing.models import Installation, Mode, TopUp
from tests.billing.paying import begin, save_card
from thinnest_billing import health, sweeping
from thinnest_billing.celery import SCHEDULE, app
from thinnest_billing.models import Heartbeat
from thinnest_billing.tasks import sweep

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def fresh_links(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test meets Redis for the first time, and so does the next."""
    forget_redis(monkeypatch)
    yield
    forget_redis(monkeypatch)


def forget_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    redis_link.client.cache_clear()
    nudges._producers.cache_clear()
    nudges._recent.clear()
    monkeypatch.setattr(redis_link, "_closed_until", 0.0)


@pytest.fixture
def queue(settings: Settings) -> Iterator[list[dict[str, object]]]:
    """The messages that wait for a worker, as (task name, headers), read when the test asks."""
    with Connection(settings.CELERY_BROKER_URL) as broker, broker.SimpleQueue("celery") as waiting:
        waiting.clear()
        yield waiting
        waiting.clear()


@pytest.fixture
def silent_redis(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that accepts and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as server:
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        settings.REDIS_URL = url
        monkeypatch.setattr(app.conf, "broker_url", url)
        yield


def test_it_publishes_a_nudge_with_the_request_that_caused_it(queue) -> None:
    token = request_id.set("req-from-the-test")
    try:
        nudges.nudge(sweep)
    finally:
        request_id.reset(token)
    message = queue.get(timeout=2)
    assert message.headers["task"] == "thinnest_billing.tasks.sweep"
    assert message.headers["request_id"] == "req-from-the-test"


def test_it_says_the_same_once_while_a_nudge_is_on_its_way(queue) -> None:
    for _ in range(5):
        nudges.nudge(sweep, countdown=1)
    assert queue.qsize() == 1


def test_it_loses_a_nudge_rather_than_the_time_of_the_request(
    silent_redis: None, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()
    for _ in range(50):
        nudges.nudge(sweep)
    assert time.monotonic() - began < 1
    assert len([line for line in caplog.records if line.name == "accounts.redis_link"]) == 1


@pytest.mark.django_db
def test_it_goes_on_with_the_sweep_when_one_step_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def breaks(*, now: datetime) -> None:
        raise RuntimeError("this step only")

    def works(*, now: datetime) -> None:
        seen.append(now)

    monkeypatch.setattr(sweeping, "STEPS", (breaks, works))
    assert [name.rpartition(".")[2] for name in sweeping.sweep(now=NOON)] == ["breaks"]
    assert seen == [NOON]
    assert Heartbeat.objects.get(name="sweep").beat_at == NOON


def test_it_goes_on_with_the_next_step_when_one_takes_too_long() -> None:
    """Each pass does at least one row, so that nothing waits for ever."""
    assert list(sweeps.while_there_is_time(range(1000), seconds=60)) == list(range(1000))
    assert list(sweeps.while_there_is_time(range(1000), seconds=0)) == [0]
    slow = (time.sleep(0.02) for _ in range(1000))
    assert 1 <= len(list(sweeps.while_there_is_time(slow, seconds=0.1))) <= 6


@pytest.mark.django_db
def test_it_sends_mail_though_the_processor_hangs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, ada: User
) -> None:
    """Each open top-up costs its whole patience; the letters at the end leave all the same."""
    settings.EMAIL_URL = "smtp://127.0.0.1:1"  # the tests' own backend takes them
    settings.TOPUPS_PER_HOUR = 100
    for _ in range(30):
        begin(ada, card=save_card(ada))
    accounts_mail.send("ada@example.com", "password_changed", {"at": NOON}, user=ada, now=timezone.now())

    class Hangs(SandboxGateway):
        def charge(self, **_: object) -> Payment:
            time.sleep(0.05)
            raise Unavailable("timed out")

    monkeypatch.setattr(gateways, "gateway", Hangs)
    monkeypatch.setattr(topup_sweep, "PASS", 0.2)
    assert sweeping.sweep(now=timezone.now() + timedelta(minutes=2)) == []
    assert TopUp.objects.filter(status="unknown").count() < 10
    assert Mail.objects.filter(sent_at__isnull=False, to="ada@example.com").exists()


def test_it_is_alive_without_asking_anyone(client: Client) -> None:
    assert client.get("/healthz").status_code == 200


@pytest.mark.django_db
def test_it_is_ready_and_tells_the_age_of_the_last_sweep(client: Client) -> None:
    Heartbeat.beat("sweep", now=NOON)
    found = health.examine(now=NOON + timedelta(seconds=42))
    assert found == {"status": "ok", "database": True, "redis": True, "last_sweep_seconds_ago": 42}
    answer = client.get("/readyz")  # months later
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


@pytest.mark.django_db
def test_it_says_degraded_when_nobody_sweeps() -> None:
    assert health.examine(now=NOON)["status"] == "degraded"
    Heartbeat.beat("sweep", now=NOON)
    assert health.examine(now=NOON + timedelta(minutes=5))["status"] == "ok"
    assert health.examine(now=NOON + timedelta(minutes=5, seconds=1))["status"] == "degraded"


@pytest.mark.django_db
def test_it_stays_ready_without_redis_and_answers_within_a_second(client: Client, silent_redis: None) -> None:
    Heartbeat.beat("sweep", now=timezone.now())
    began = time.monotonic()
    answer = client.get("/readyz")
    assert time.monotonic() - began < 1
    assert (answer.status_code, answer.json()["redis"], answer.json()["status"]) == (200, False, "degraded")


@pytest.mark.django_db
def test_it_is_not_ready_without_the_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(connection, "cursor", gone)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "down")


@pytest.mark.django_db
def test_it_is_not_ready_on_a_database_that_was_paid_in_another_mode(client: Client) -> None:
    Installation.objects.update(mode=Mode.STRIPE_LIVE)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "down")
    assert "stripe_live" in answer.json()["reason"]


@pytest.mark.django_db
def test_the_command_for_cron_sweeps(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("sweep", json=True)
    assert json.loads(capsys.readouterr().out) == {"steps": len(sweeping.STEPS), "failed": []}
    assert Heartbeat.objects.filter(name="sweep").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SITE_URL", "https://billing.example.com", "ALLOWED_HOSTS does not name"),
        ("TOPUP_MIN", Decimal("4.99"), "TOPUP_MIN must be at least 5.00"),
        ("TOPUP_MAX", Decimal("4.99"), "TOPUP_MIN is more than TOPUP_MAX"),
        ("STRIPE_SECRET_KEY", "pk_live_1", "STRIPE_SECRET_KEY must begin with sk_"),
    ],
)
def test_it_refuses_settings_that_cannot_be_meant(
    settings: Settings, name: str, value: object, said: str
) -> None:
    setattr(settings, name, value)
    assert any(said in message.msg for message in run_checks())


def test_it_knows_every_task_of_the_schedule() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in SCHEDULE.values()} <= set(app.tasks)


def test_a_killed_workers_task_comes_back() -> None:
    conf = app.conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.task_time_limit < conf.broker_transport_options["visibility_timeout"]
