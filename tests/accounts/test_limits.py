"""Rate limits, and what happens to them when Redis is stopped or silent."""

import socket
import threading
import time
from collections.abc import Iterator
from uuid import UUID

import pytest
import redis
from django.test import RequestFactory
from pytest_django import Settings

from accounts import afterwards, limits, redis_link
from accounts.errors import TooManyRequests
from accounts.ids import uuid7
from accounts.models import Scope, User
from tests import factories
from tests.api_client import ApiClient, read


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    """As if this process had just started: nothing counted, no leases, no pause."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    redis_link.client.cache_clear()
    redis_link._closed_until = 0.0
    limits._leases.clear()
    limits._tries.counts.clear()


@pytest.fixture
def silent_redis(settings: Settings) -> Iterator[socket.socket]:
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        yield server


@pytest.fixture
def stopped_redis(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"


def test_it_lets_exactly_the_limit_through() -> None:
    key_id = uuid7()
    for _ in range(600):
        limits.spend(key_id, limit=600)
    with pytest.raises(TooManyRequests):
        limits.spend(key_id, limit=600)


def test_it_counts_every_process_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes are two sets of leases over one Redis."""
    key_id, through = uuid7(), 0
    processes: list[dict[UUID, limits.Lease]] = [{}, {}]
    for number in range(1300):
        monkeypatch.setattr(limits, "_leases", processes[number % 2])
        try:
            limits.spend(key_id, limit=1200)
            through += 1
        except TooManyRequests:
            pass
    assert through == 1200


def test_it_tells_the_others_within_a_second_what_it_let_through_on_credit() -> None:
    """Processes that live for one request each: what each let through unasked, the next one still hears of."""
    key_id, through = uuid7(), 0
    for _ in range(700):
        limits._leases.clear()
        limits._leases[key_id] = limits.Lease(int(time.time()) // 60, credit=1)
        limits.spend(key_id, limit=600)
        afterwards.flush()
        through += 1
        limits._leases.clear()
        limits._leases[key_id] = limits.Lease(int(time.time()) // 60, credit=0)
        try:
            limits.spend(key_id, limit=600)
        except TooManyRequests:
            break
        through += 1
    assert through == 601  # the last one on credit


def test_it_asks_redis_nothing_for_the_first_requests_of_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_link, "ask", lambda *_: pytest.fail("asked"))
    key_id = uuid7()
    for _ in range(10):
        limits.spend(key_id, limit=600)


def test_it_asks_redis_once_per_block_for_high_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    ask = redis_link.ask
    monkeypatch.setattr(redis_link, "ask", lambda *args, **kwargs: asked.append(1) or ask(*args, **kwargs))
    key_id = uuid7()
    for _ in range(2000):
        limits.spend(key_id, limit=60_000)
    assert len(asked) == 10  # the first thousand are free


@pytest.mark.django_db
@pytest.mark.urls("tests.accounts.conventions_urls")
def test_it_counts_account_and_platform_keys_apart(api: ApiClient, ada: User, settings: Settings) -> None:
    settings.RATE_ACCOUNT_KEY, settings.RATE_PLATFORM_KEY = 2, 3
    own, other = factories.key(ada.account), factories.key(ada.account)
    platform = factories.key(None, scopes=[Scope.HISTORY_READ])
    statuses = {
        key: [api.get("/billing/v3/list", key=key).status_code for _ in range(4)]
        for key in (own, other, platform)
    }
    assert statuses == {
        own: [200, 200, 429, 429],
        other: [200, 200, 429, 429],
        platform: [200, 200, 200, 429],
    }
    refused = api.get("/billing/v3/list", key=own)
    wait = int(refused["Retry-After"])
    assert 1 <= wait <= 60
    assert refused["RateLimit"] == f'"minute";r=0;t={wait}'
    assert refused["RateLimit-Policy"] == '"minute";q=2;w=60'
    assert read(refused)["code"] == "rate_limited"


def test_it_allows_a_number_of_tries_per_window() -> None:
    subject = str(uuid7())
    tries = [limits.allow("sign_in", subject, limit=2, seconds=3600) for _ in range(3)]
    assert tries == [True, True, False]
    assert limits.allow("sign_up", subject, limit=2, seconds=3600)
    assert limits.allow("sign_in", str(uuid7()), limit=2, seconds=3600)


@pytest.mark.usefixtures("stopped_redis")
def test_it_stays_open_without_redis_but_slows_sign_in_down() -> None:
    assert all(limits.allow("exports", "ada", limit=1, seconds=3600) for _ in range(5))
    tries = [limits.allow("sign_in", "ada", limit=10, seconds=60, without_redis=3) for _ in range(5)]
    assert tries == [True, True, True, False, False]
    key_id = uuid7()
    for _ in range(10):
        limits.spend(key_id, limit=600)


@pytest.mark.usefixtures("silent_redis")
def test_it_waits_for_a_silent_redis_once_in_five_seconds() -> None:
    started = time.monotonic()
    assert all(limits.allow("exports", "ada", limit=1, seconds=3600) for _ in range(100))
    assert 0.25 < time.monotonic() - started < 0.6


def test_it_tries_redis_again_after_the_pause(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    good = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert redis_link.ask(lambda server: server.ping(), False) is False
    settings.REDIS_URL = good
    redis_link.client.cache_clear()
    assert redis_link.ask(lambda server: server.ping(), False) is False  # the pause still holds
    monkeypatch.setattr(redis_link, "_closed_until", time.monotonic() - 1)
    assert redis_link.ask(lambda server: server.ping(), False) is True


@pytest.mark.usefixtures("silent_redis")
def test_it_lets_one_thread_probe_a_silent_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_link, "_closed_until", time.monotonic() - 1)
    asked: list[int] = []

    def command(server: redis.Redis) -> bool:
        asked.append(1)
        return server.ping()

    threads = [threading.Thread(target=redis_link.ask, args=(command, False)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1


def test_it_believes_only_the_proxys_own_word_about_the_address(settings: Settings) -> None:
    request = RequestFactory().get(
        "/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": "1.1.1.1, 2.2.2.2"}
    )
    assert limits.client_address(request) == "10.0.0.1"
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert limits.client_address(request) == "2.2.2.2"
