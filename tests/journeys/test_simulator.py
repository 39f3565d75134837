"""The simulator against a real server over HTTP: it spends, obeys refusals, and repeats what got lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from random import Random

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, Sum
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from billing import ledger, selectors, topups
from billing.models import Hold
from tests import factories
from tests.journeys.flaky_road import flaky_road
from thinnest_billing.simulator import scripts
from thinnest_billing.simulator.http import Api
from thinnest_billing.simulator.platform import Platform
from thinnest_billing.simulator.scripts import Desk
from usage.models import Charge
from usage.verify import verify_ledger

pytestmark = pytest.mark.django_db(transaction=True)
PROJECT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def ada_with_funds(ada: User) -> User:
    topups.record_manual(ada.account_id, Decimal(25), actor="ada", reason="to start with")
    return ada


@pytest.fixture(autouse=True)
def a_bit_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "MIX", {"held_chat": 5, "asked_chat": 5, "call": 1, "documents": 1})


def platform(url: str, of: User, *, rate: float = 60) -> Platform:
    desk = Desk(of.account.public_id, "test", Random(7))
    return Platform(Api(url, factories.key(None)), desk, rate=rate, patience=0.1)


def play(player: Platform, *, until: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, f"in vain: {player.summary()}"
        time.sleep(min(player.step(), 0.02))


def breaches() -> list[dict[str, str]]:
    return verify_ledger(full=True, now=datetime.now(UTC)).breaches


def charged() -> tuple[int, Decimal]:
    facts = Charge.objects.aggregate(n=Count("id"), total=Sum("cost"))
    return facts["n"], facts["total"]


def test_it_spends_as_a_platform_does(live_server: LiveServer, ada_with_funds: User) -> None:
    player = platform(live_server.url, ada_with_funds)
    kinds = {"chat", "voice", "knowledge"}
    play(player, until=lambda: set(Charge.objects.values_list("type", flat=True)) == kinds)
    player.finish()

    assert charged() == (player.counts["recorded"], player.spent)
    assert not Hold.objects.filter(state=Hold.State.OPEN).exists(), "what was not captured was given back"
    assert Hold.objects.filter(state=Hold.State.CAPTURED).exists()
    assert player.summary()["lost"] == player.summary()["refused"] == 0
    assert not breaches()


def test_it_stops_at_402_and_goes_on_after_a_credit(live_server: LiveServer, ada: User) -> None:
    """S43 S44: what does not fit is refused; the platform asks now and then, and goes on once funds are there."""
    trial = selectors.balance_of(ada.account_id).balance
    ledger.adjust(ada.account_id, Decimal("0.01") - trial, key="low", actor="test", reason="nearly empty")
    player = platform(live_server.url, ada)
    play(player, until=lambda: selectors.balance_of(ada.account_id).balance < Decimal("0.01"))
    play(player, until=lambda: player.counts["refused"] > 0)
    begun = player.counts["started"]
    end = time.monotonic() + 0.5
    play(player, until=lambda: time.monotonic() > end)
    assert player.counts["started"] == begun, "nothing new is begun without funds"

    done = player.counts["recorded"]
    topups.record_manual(ada.account_id, Decimal(5), actor="ada", reason="to go on")
    play(player, until=lambda: player.counts["recorded"] > done + 3)
    player.finish()
    assert not breaches()


def test_it_waits_while_spending_is_frozen(live_server: LiveServer, ada_with_funds: User) -> None:
    player = platform(live_server.url, ada_with_funds)
    play(player, until=lambda: player.counts["recorded"] > 0)
    ledger.freeze(ada_with_funds.account_id, by="owner", frozen=True)
    play(player, until=lambda: player.counts["frozen"] >= 2)
    done = player.counts["recorded"]
    ledger.freeze(ada_with_funds.account_id, by="owner", frozen=False)
    play(player, until=lambda: player.counts["recorded"] > done + 3)
    player.finish()
    assert not breaches()


def test_it_repeats_what_got_lost_and_is_charged_once(live_server: LiveServer, ada_with_funds: User) -> None:
    """Every third answer is lost after the server did its work."""
    with flaky_road(live_server.url) as road:
        player = platform(road, ada_with_funds)
        play(player, until=lambda: player.counts["lost"] >= 8 and player.counts["recorded"] >= 8)
        play(player, until=lambda: player.resting_until < time.monotonic())
    lost = [request for _, _, _, request in player.waiting if request is not None]
    recorded, spent = charged()
    assert 0 <= recorded - player.counts["recorded"] <= len(lost), (
        "only answers still to be asked again are missing"
    )
    assert spent >= player.spent
    assert not breaches()


def test_it_waits_as_long_as_a_429_says(
    live_server: LiveServer, ada_with_funds: User, settings: Settings
) -> None:
    settings.RATE_PLATFORM_KEY = 10
    player = platform(live_server.url, ada_with_funds)
    play(player, until=lambda: player.counts["limited"] > 0)
    assert player.step() > 0.05
    assert player.counts["limited"] == 1


def test_it_survives_a_server_that_is_away(ada: User) -> None:
    player = platform("http://127.0.0.1:9", ada)
    play(player, until=lambda: player.counts["lost"] >= 3)
    player.finish()
    assert player.summary()["recorded"] == 0


def test_the_command_prints_what_it_did(live_server: LiveServer, ada_with_funds: User) -> None:
    output = StringIO()
    account, key = ada_with_funds.account.public_id, factories.key(None)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        call_command(
            "simulate", url=live_server.url, account=account, key=key, rate=20, seconds=1.5, stdout=output
        )
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert f"\nspent: {charged()[1]}\n" in output.getvalue()


def test_the_command_ends_cleanly_when_asked(live_server: LiveServer, ada_with_funds: User) -> None:
    command = [sys.executable, "manage.py", "simulate", "--url", live_server.url, "--rate", "20", "--json"]
    who = {"SIMULATE_ACCOUNT": ada_with_funds.account.public_id, "SIMULATE_KEY": factories.key(None)}
    process = subprocess.Popen(command, cwd=PROJECT, env=os.environ | who, stdout=subprocess.PIPE)
    end = time.monotonic() + 10
    while not Hold.objects.filter(state=Hold.State.OPEN).exists() and time.monotonic() < end:
        time.sleep(0.02)
    process.terminate()
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert b'"released"' in output
    assert not Hold.objects.filter(state=Hold.State.OPEN).exists()


@pytest.mark.parametrize(
    ("account", "key"),
    [("acct_00000000000000000000000000", None), (None, "tb_test_nonsense")],
)
def test_it_says_so_when_key_or_account_are_wrong(
    live_server: LiveServer, ada: User, account: str | None, key: str | None
) -> None:
    account, key = account or ada.account.public_id, key or factories.key(None)
    with pytest.raises(CommandError):
        call_command("simulate", url=live_server.url, account=account, key=key, seconds=5)
