"""Webhooks to the platform: written with the fact, signed, sent until they are taken, and no storm."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import standardwebhooks
from django.db import connection, transaction

from accounts import api_keys
from accounts.models import ApiKey, Mail, User
from alerts import deliveries, endpoints, outbound, signing, webhooks
from alerts.models import Delivery, Endpoint
from billing.models import StaffNotice
from tests import factories
from tests.alerts.platform import Platform, clock, endpoint, free_port
from thinnest_billing import sweeping

pytestmark = pytest.mark.django_db
Type = webhooks.Type


def queue(user: User, key: str = "depleted:1", *, now: datetime | None = None) -> None:
    webhooks.queue(
        user.account_id, key=key, type=Type.BALANCE_DEPLETED, data={"balance": "0.000000000"}, now=now or clock()
    )  # fmt: skip


class Clock:
    """Moves from one due moment to the next, sweeping at each: what the beat does in days."""

    def __init__(self, start: datetime) -> None:
        self.start = self.now = start
        self.passes = 0

    def run(self, *, hours: float) -> None:
        end = self.start + timedelta(hours=hours)
        while (at := self._next()) is not None and at <= end:
            self.now = at
            deliveries.deliver(now=at)
            self.passes += 1
        self.now = end

    def _next(self) -> datetime | None:
        waiting = Delivery.objects.filter(next_try_at__isnull=False, endpoint__disabled_at=None)
        at = waiting.order_by("next_try_at").values_list("next_try_at", flat=True).first()
        return None if at is None else max(at, self.now)


def test_it_sends_what_another_package_verifies(ada: User, platform: Platform) -> None:
    row = endpoint(platform.url)
    with transaction.atomic():
        queue(ada)
    deliveries.deliver(now=clock())
    headers, body = platform.heard[0]
    content = standardwebhooks.Webhook(row.secret).verify(body, headers)
    assert list(content) == ["type", "timestamp", "data"]
    assert content["type"] == "balance.depleted"
    assert content["timestamp"].endswith("Z")
    assert content["data"] == {"account": ada.account.public_id, "balance": "0.000000000"}
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.tries, delivery.next_try_at, delivery.error) == (200, 1, None, "")
    assert delivery.delivered_at is not None
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(signing.new_secret()).verify(body, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(row.secret).verify(body.replace(b"depleted", b"restored"), headers)


def test_it_signs_what_is_sent_also_beyond_ascii(ada: User, platform: Platform) -> None:
    row = endpoint(platform.url)
    webhooks.queue(
        ada.account_id, key="c", type=Type.CAMPAIGN_PAUSED, data={"name": "Größe ☎ \u2028"}, now=clock()
    )
    deliveries.deliver(now=clock())
    headers, body = platform.heard[0]
    assert standardwebhooks.Webhook(row.secret).verify(body, headers)["data"]["name"] == "Größe ☎ \u2028"


def test_it_queues_a_fact_once_for_every_endpoint(ada: User, cy: User, platform: Platform) -> None:
    """An endpoint belongs to a platform key, which acts for every account."""
    first, second = endpoint(platform.url), endpoint(platform.url, name="chat")
    for _ in range(3):
        queue(ada)
    queue(cy)
    rows = Delivery.objects.values_list("endpoint", "account")
    assert sorted(rows) == sorted((row.pk, user.account_id) for row in (first, second) for user in (ada, cy))


def test_it_queues_nothing_with_a_fact_that_was_rolled_back(ada: User) -> None:
    endpoint("https://platform.example.com/")
    with transaction.atomic():
        queue(ada)
        assert Delivery.objects.exists()
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()


def test_it_asks_the_worker_once_it_is_committed(
    ada: User, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(webhooks, "nudge", lambda task, **_: asked.append(task.name))
    with django_capture_on_commit_callbacks(execute=True):
        queue(ada)
    assert asked == []
    endpoint("https://platform.example.com/")
    with django_capture_on_commit_callbacks(execute=True):
        queue(ada)
        assert asked == []
    assert asked == ["alerts.tasks.deliver_webhooks"]


def test_it_writes_nothing_for_who_does_not_listen(ada: User) -> None:
    off, revoked, expired, later = (
        endpoint(f"https://{name}.example.com/", name=name) for name in ("a", "b", "c", "d")
    )
    endpoints.turn_off(off, now=clock())
    api_keys.revoke(revoked.api_key, now=clock())
    ApiKey.objects.filter(pk=expired.pk).update(expires_at=clock() - timedelta(seconds=1))
    Endpoint.objects.filter(pk=later.pk).update(created_at=clock() + timedelta(hours=1))
    queue(ada)
    assert not Delivery.objects.exists()


def test_it_sends_nothing_more_once_the_key_is_revoked(ada: User, platform: Platform) -> None:
    row = endpoint(platform.url)
    queue(ada)
    api_keys.revoke(row.api_key, now=clock())
    deliveries.deliver(now=clock())
    assert platform.heard == []


def test_it_is_a_step_of_the_sweep(ada: User, platform: Platform) -> None:
    endpoint(platform.url)
    queue(ada)
    sweeping.sweep(now=clock())
    assert len(platform.heard) == 1


def test_it_tries_eight_times_over_three_days_and_then_the_endpoint_is_off(
    ada: User, platform: Platform
) -> None:
    root = User.objects.create_superuser("root@example.com", factories.PASSWORD)
    row, start = endpoint(platform.url), clock()
    platform.mood, platform.says = 500, b"down"
    queue(ada, now=start)
    tried = []
    for _ in range(8):
        now = Delivery.objects.get().next_try_at
        assert now is not None
        deliveries.deliver(now=now - timedelta(seconds=1))
        assert len(platform.heard) == len(tried)
        deliveries.deliver(now=now)
        tried.append(now - start)
    assert [int(wait.total_seconds()) for wait in tried] == [
        0, 5, 305, 2105, 9305, 45305, 131705, 261305,
    ]  # fmt: skip
    assert len(set(platform.ids())) == 1
    row.refresh_from_db()
    assert row.failing_since == start
    assert row.disabled_at == start + tried[-1]
    notice = StaffNotice.objects.get()
    assert notice.text.startswith(
        f"The webhook endpoint {platform.url} was turned off. It answered 500: down "
    )
    assert Mail.objects.filter(to=root.email).count() == 1
    deliveries.deliver(now=start + timedelta(days=9))
    assert len(platform.heard) == 8


def test_it_loses_nothing_that_waited_when_the_endpoint_went_off(ada: User, platform: Platform) -> None:
    row, start = endpoint(platform.url), clock()
    platform.mood = 503
    for number in range(3):
        queue(ada, f"fact:{number}", now=start)
    Clock(start).run(hours=80)
    row.refresh_from_db()
    assert row.disabled_at is not None
    assert Delivery.objects.filter(next_try_at__isnull=False).count() == 3
    platform.mood, before = 200, len(platform.heard)
    later = start + timedelta(days=5)
    assert endpoints.turn_on(row, now=later) == 3
    deliveries.deliver(now=later)
    assert sorted(platform.ids()[before:]) == sorted(signing.message_id(d.pk) for d in Delivery.objects.all())
    row.refresh_from_db()
    assert (row.failing_since, row.disabled_at) == (None, None)


def test_it_makes_no_storm_of_many_messages(
    ada: User, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many messages to an endpoint that is down for three days: about as many requests as hours."""
    endpoint(platform.url)
    start = clock()
    for number in range(120):
        queue(ada, f"fact:{number}", now=start)
    asked = []

    def down(*_: Any) -> outbound.Answer:
        asked.append(1)
        return outbound.Answer(None, "The connection failed: refused.")

    monkeypatch.setattr(outbound, "post", down)
    Clock(start).run(hours=1)
    assert len(asked) < 25
    Clock(start + timedelta(hours=1)).run(hours=80)
    assert 60 < len(asked) < 110
    assert Endpoint.objects.get().disabled_at is not None
    assert Delivery.objects.filter(next_try_at__isnull=False).count() == 120
    assert StaffNotice.objects.count() == 1


def test_it_sends_what_was_held_back_as_soon_as_the_endpoint_works_again(
    ada: User, platform: Platform
) -> None:
    row, start = endpoint(platform.url), clock()
    platform.mood = 500
    for number in range(20):
        queue(ada, f"fact:{number}", now=start)
    moved = Clock(start)
    moved.run(hours=2)
    platform.mood = 200
    moved.run(hours=3.5)
    untried = Delivery.objects.filter(tries=0)
    assert not untried.exists()
    row.refresh_from_db()
    assert row.failing_since is None
    moved.run(hours=60)
    assert Delivery.objects.filter(delivered_at=None).count() == 0


def test_it_gives_up_a_message_that_alone_is_refused_and_says_so(
    ada: User, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint works for all others: it stays on, and staff can send the one again."""
    row, start = endpoint(platform.url), clock()
    queue(ada, "poison", now=start)
    poison = Delivery.objects.get()
    real = outbound.post

    def picky(url: str, body: bytes, headers: dict[str, str]) -> outbound.Answer:
        if headers["webhook-id"] == signing.message_id(poison.pk):
            return outbound.Answer(422, "It answered 422.")
        return real(url, body, headers)

    monkeypatch.setattr(outbound, "post", picky)
    moved = Clock(start)
    for hour in range(1, 76):
        queue(ada, f"fact:{hour}", now=moved.now)
        moved.run(hours=hour)
    row.refresh_from_db()
    assert row.disabled_at is None
    poison.refresh_from_db()
    assert (poison.tries, poison.next_try_at, poison.delivered_at) == (8, None, None)
    assert poison.error == "It answered 422."
    assert "was given up after 8 tries. It answered 422." in StaffNotice.objects.get().text
    assert Delivery.objects.filter(delivered_at=None).count() == 1
    monkeypatch.setattr(outbound, "post", real)
    endpoints.send_again([poison], now=moved.now)
    deliveries.deliver(now=moved.now)
    assert platform.ids()[-1] == signing.message_id(poison.pk)


def test_it_turns_off_at_once_what_is_gone(ada: User, platform: Platform) -> None:
    row = endpoint(platform.url)
    platform.mood = 410
    queue(ada)
    deliveries.deliver(now=clock())
    row.refresh_from_db()
    assert row.disabled_at is not None
    assert "It answered 410" in StaffNotice.objects.get().text
    assert Delivery.objects.get().next_try_at is not None


def test_it_clears_the_failure_once_a_message_is_taken(ada: User, platform: Platform) -> None:
    row, start = endpoint(platform.url), clock()
    platform.mood = 500
    queue(ada, now=start)
    deliveries.deliver(now=start)
    row.refresh_from_db()
    assert row.failing_since == start
    platform.mood = 200
    deliveries.deliver(now=start + timedelta(seconds=5))
    row.refresh_from_db()
    assert row.failing_since is None
    assert platform.ids()[0] == platform.ids()[1]


def test_it_lets_one_endpoint_that_hangs_hold_up_no_other(
    ada: User, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = endpoint(f"https://localhost:{free_port()}/", name="dead")
    endpoint(platform.url, name="alive")
    for number in range(30):
        queue(ada, f"fact:{number}")
    asked: list[str] = []
    real = outbound.post

    def counted(url: str, *rest: Any) -> outbound.Answer:
        asked.append(url)
        return real(url, *rest)

    monkeypatch.setattr(outbound, "post", counted)
    deliveries.deliver(now=clock())
    assert len(platform.heard) == 30
    assert asked.count(dead.url) == 1


def test_it_stops_with_a_slow_endpoint_when_its_share_of_the_pass_is_over(
    ada: User, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "SHARE", 0.0)
    endpoint(platform.url)
    for number in range(3):
        queue(ada, f"fact:{number}")
    deliveries.deliver(now=clock())
    assert len(platform.heard) == 1


def test_it_comes_again_with_the_same_id_when_the_worker_was_killed(
    ada: User, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the platform took it and before we noted that: it hears of it twice, and can tell."""
    endpoint(platform.url)
    start = clock()
    queue(ada, now=start)
    real = deliveries._took

    def killed(*_: Any, **__: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(deliveries, "_took", killed)
    with pytest.raises(SystemExit):
        deliveries.deliver(now=start)
    monkeypatch.setattr(deliveries, "_took", real)
    deliveries.deliver(now=start + timedelta(seconds=30))
    assert len(platform.heard) == 1
    deliveries.deliver(now=start + timedelta(seconds=60))
    assert len(platform.heard) == 2
    assert len(set(platform.ids())) == 1
    assert Delivery.objects.get().delivered_at is not None


@pytest.mark.django_db(transaction=True)
def test_it_delivers_once_when_two_workers_look_at_once(ada: User, platform: Platform) -> None:
    endpoint(platform.url)
    for number in range(5):
        queue(ada, f"fact:{number}")
    gate, now = Barrier(4), clock()

    def work() -> None:
        gate.wait()
        deliveries.deliver(now=now)
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work) for _ in range(4)]:
            done.result()
    assert len(platform.heard) == 5
    assert len(set(platform.ids())) == 5


def test_it_freezes_the_body_when_the_fact_happened(ada: User, platform: Platform) -> None:
    endpoint(platform.url)
    at = clock() - timedelta(minutes=7)
    queue(ada, now=at)
    deliveries.deliver(now=clock())
    assert json.loads(platform.heard[0][1])["timestamp"] == at.isoformat().replace("+00:00", "Z")
