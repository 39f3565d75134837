"""Campaigns with the simulator as their platform: it obeys what the API tells, and makes up for nothing in a burst."""

import time
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from billing import selectors
from billing.models import Hold
from tests import factories
from tests.billing.paying import clock
from tests.usage import events
from tests.usage.campaigning import fund, launched
from thinnest_billing.simulator import scripts
from thinnest_billing.simulator.http import Api
from thinnest_billing.simulator.platform import Platform
from thinnest_billing.simulator.scripts import Desk
from usage import campaigns, metering
from usage.models import Campaign, Charge

pytestmark = pytest.mark.django_db(transaction=True)
PACE = 0.3  # seconds between two calls of a campaign


@pytest.fixture(autouse=True)
def only_short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "MIX", {"documents": 1})
    monkeypatch.setattr(scripts, "CALL_SPEED", 2_000)


def platform(url: str, of: User, *, run: str = "test", pace: float = PACE) -> Platform:
    """Hardly any work but that of campaigns."""
    desk = Desk(of.account.public_id, run, Random(7))
    api = Api(url, factories.key(None))
    return Platform(api, desk, rate=0.001, patience=0.05, pace=pace, look=0.05)


def play(player: Platform, *, until: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, f"in vain: {player.summary()}"
        time.sleep(min(player.step(), 0.02))


def play_for(player: Platform, seconds: float) -> None:
    end = time.monotonic() + seconds
    play(player, until=lambda: time.monotonic() > end)


def calls() -> int:
    return Charge.objects.filter(type="voice").count()


def quiet() -> bool:
    return not Hold.objects.filter(state=Hold.State.OPEN).exists()


def spend_all(user: User) -> None:
    """But for five cents: less than a minute of a call."""
    cents = int(selectors.balance_of(user.account_id).balance * 100)
    assert metering.record(user.account_id, events.pages("all", cents - 5)).is_recorded


def pauses() -> list[float]:
    """Seconds from the beginning of each call to the next one's."""
    begun = list(Hold.objects.order_by("created_at").values_list("created_at", flat=True))
    return [(later - earlier).total_seconds() for earlier, later in pairwise(begun)]


def test_it_places_a_campaigns_calls_and_reports_it_finished(live_server: LiveServer, ada: User) -> None:
    fund(ada)
    campaign = launched(ada, now=clock(), calls=4, seconds_per_call=90)
    player = platform(live_server.url, ada, pace=0.05)
    play(player, until=lambda: Campaign.objects.filter(finished_at__isnull=False).exists())
    found = Charge.objects.filter(type="voice").order_by("recorded_at")
    assert [charge.event_id for charge in found] == [f"{campaign.public_id}-{n}" for n in (1, 2, 3, 4)]
    assert {charge.agent_id for charge in found} == {campaign.agent_id}
    play_for(player, 0.3)
    assert calls() == 4, "nothing more after the end"
    assert quiet()


def test_it_stops_when_the_balance_is_out_and_goes_on_without_a_burst(
    live_server: LiveServer, ada: User
) -> None:
    """S47: the campaign pauses until the balance is replenished. S44: meanwhile no call is placed."""
    fund(ada)
    launched(ada, now=clock(), calls=500, seconds_per_call=5)
    player = platform(live_server.url, ada)
    play(player, until=lambda: calls() >= 3 and quiet())
    spend_all(ada)
    (line,) = player.dialer.lines.values()
    play(player, until=lambda: not line.is_active and quiet())
    stopped_after, refused = calls(), player.counts["refused"]
    play_for(player, 5 * PACE)
    assert (calls(), player.counts["refused"]) == (stopped_after, refused), "it does not even try"

    fund(ada, "5.00")
    play(player, until=lambda: calls() >= stopped_after + 4)
    assert min(pauses()) > PACE / 2, "five calls fell due meanwhile, and none was made up for"


def test_it_stops_while_its_owner_pauses_it(live_server: LiveServer, ada: User) -> None:
    fund(ada)
    campaign = launched(ada, now=clock(), calls=500, seconds_per_call=5)
    player = platform(live_server.url, ada)
    play(player, until=lambda: calls() >= 1)
    campaigns.pause(campaign, now=clock())
    (line,) = player.dialer.lines.values()
    play(player, until=lambda: not line.is_active and quiet())
    stopped_after = calls()
    play_for(player, 3 * PACE)
    assert calls() == stopped_after
    campaigns.resume(campaign, now=clock())
    play(player, until=lambda: calls() >= stopped_after + 2)
    assert min(pauses()) > PACE / 2


def test_a_restarted_platform_repeats_no_call(live_server: LiveServer, ada: User) -> None:
    fund(ada)
    launched(ada, now=clock(), calls=4, seconds_per_call=90)
    first = platform(live_server.url, ada, pace=0.05)
    play(first, until=lambda: calls() == 2 and quiet())
    first.finish()
    play(
        platform(live_server.url, ada, run="again", pace=0.05),
        until=lambda: Campaign.objects.filter(finished_at__isnull=False).exists(),
    )
    assert calls() == 4


def test_it_leaves_a_draft_and_one_for_later_alone(live_server: LiveServer, ada: User) -> None:
    fund(ada)
    launched(ada, now=clock(), scheduled_at=clock().replace(year=clock().year + 1))
    player = platform(live_server.url, ada)
    play_for(player, 0.5)
    assert not Hold.objects.exists()
