"""The story of a balance that runs out and comes back: everything stops with its reason, everybody hears of it once,
nothing is deleted, and one top-up brings it all back by itself. And the same with auto-topup on: nothing stops."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.forms.models import model_to_dict
from django.http import HttpResponse

from accounts import afterwards
from accounts.models import User
from alerts import deliveries, noticing, selectors, tasks
from alerts.models import Delivery
from billing import crossings
from billing.models import Balance
from billing.tasks import attempt_auto_topup
from tests import factories
from tests.accounts import mailbox
from tests.alerts.platform import endpoint
from tests.alerts.watching import told
from tests.api_client import ApiClient, read
from tests.billing.paying import clock, credits
from tests.billing.topping_up import turn_on
from tests.usage import renting, spending
from thinnest_billing import sweeping
from usage import campaigns
from usage.models import Agent, Campaign, PhoneNumber

pytestmark = pytest.mark.django_db(transaction=True)
MESSAGE = {"type": "chat", "model": "gpt-4-turbo", "input_tokens": 100_000, "output_tokens": 10_000}  # $1.30
CALL = {"type": "voice", "seconds": 60}
NUMBER = "+12025550123"
DAY = timedelta(days=1)
LOW, RAN_OUT = "Balance dropped below $0.20", "Your balance ran out: your agents are paused"
DID_NOT_FIT = "A request for $1.30 did not fit your balance"


@dataclass
class Business:
    """What Ada has, how its platform speaks to us, and the worker's ear: the accounts it was asked to look at."""

    ada: User
    key: str
    platform: str
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def say(self, event: str, **more: Any) -> HttpResponse:
        body = {"event_id": event, "agent": "Sales", **MESSAGE, **more}
        return ApiClient().post("/billing/v3/usage", body, key=self.key)

    def overspend(self) -> None:
        """An answer that was given without a hold: recorded, and it takes the last cent."""
        body = {"event_id": "last", "account": self.ada.account.public_id, "on_short": "record", **MESSAGE}
        answer = ApiClient().post("/billing/v3/usage", body, key=self.platform)
        assert answer.status_code == 201, answer.content

    def call(self, name: str) -> HttpResponse:
        return ApiClient().post("/billing/v3/holds", {"key": name, "agent": "Sales", **CALL}, key=self.key)

    def states(self, at: datetime) -> list[tuple[str, str | None]]:
        """Of the agent, the number and the campaign, as the platform is told."""
        with time_machine.travel(at, tick=False):
            lists = [
                read(ApiClient().get(f"/billing/v3/{name}", key=self.key))[name.replace("-", "_")]
                for name in ("agents", "phone-numbers", "campaigns")
            ]
        return [(row["state"], row["reason"]) for (row,) in lists]

    def work(self) -> None:
        """The worker does what it was asked to."""
        afterwards.flush()
        while self.asked:
            name, account_id = self.asked.pop(0)
            {task.name: task for task in (tasks.evaluate_account, attempt_auto_topup)}[name](account_id)


@pytest.fixture
def business(monkeypatch: pytest.MonkeyPatch) -> Business:
    """A trial that was topped up by $5.00: with an agent, a number for $2.00, and a campaign that runs."""
    now = clock()
    ada = factories.owner(now=now - DAY)
    made = Business(ada, factories.key(ada.account, now=now), factories.key(None, now=now))
    hear = lambda task, *args, **_: made.asked.append((task.name, *args))  # noqa: E731
    for module in (noticing, crossings):
        monkeypatch.setattr(module, "nudge", hear)
    monkeypatch.setattr(noticing, "_asked_about", {})
    monkeypatch.setattr(
        sweeping, "STEPS", tuple(step for step in sweeping.STEPS if step is not deliveries.deliver)
    )
    endpoint("https://platform.example/hook")
    return made


def open_shop(shop: Business, *, dollars: str = "5.00") -> None:
    at = clock()
    renting.top_up(shop.ada, dollars, at=at)
    number = renting.rent(shop.ada, at=at, agent=spending.agent("Sales"))
    ApiClient().send(
        "PATCH", f"/billing/v3/phone-numbers/{number.public_id}",
        {"account": shop.ada.account.public_id, "number": NUMBER}, key=shop.platform,
    )  # fmt: skip
    plan = campaigns.Plan("Spring catalogue", number.agent_id, 20, 60)
    campaign = campaigns.create(shop.ada.account_id, plan, now=at)
    campaigns.launch(campaign, actor=shop.ada.public_id, now=at)


def sweep(at: datetime, *, times: int = 2) -> None:
    with time_machine.travel(at, tick=False):
        for _ in range(times):
            assert sweeping.sweep(now=at) == []


@contextmanager
def nothing_told_twice(user: User) -> Iterator[None]:
    yield
    titles = told(user)
    assert len(titles) == len(set(titles)), titles
    letters = mailbox.subjects(user.email)
    assert len(letters) == len(set(letters)), letters


def rows(user: User) -> dict[str, dict[str, Any]]:
    """Everything in the tables of agents, numbers and campaigns."""
    found = [
        row for model in (Agent, PhoneNumber, Campaign) for row in model.objects.filter(account_id=user.account_id)
    ]  # fmt: skip
    return {str(row.pk): model_to_dict(row) | {"pk": row.pk} for row in found}


def test_it_stops_with_its_reasons_and_comes_back_by_itself(business: Business) -> None:
    """S43, S44, S46, S47, S48 and S9: trial and $5.00 spent, and $25.00 thirty-three days later."""
    ada = business.ada
    refused = business.call("first"), business.call("second")
    assert [answer.status_code for answer in refused] == [201, 403]
    ApiClient().post(f"/billing/v3/holds/{read(refused[0])['id']}/release", key=business.key)
    open_shop(business)  # $1.00 + $5.00 - $2.00
    for number in range(3):
        assert business.say(f"m-{number}").status_code == 201  # $0.10 is left
    business.work()
    assert told(ada) == [LOW]
    before = rows(ada)

    # Running out: what does not fit is refused, what was done takes the rest.
    answer = read(business.say("too much"))
    assert (answer["code"], answer["available"], answer["required"]) == (
        "insufficient_balance", Decimal("0.10"), Decimal("1.30"),
    )  # fmt: skip
    assert answer["topup_url"].endswith("/settings/billing/add-funds/")
    business.work()
    assert told(ada) == [LOW, DID_NOT_FIT]
    business.overspend()
    business.work()
    out = clock()
    assert business.say("after").status_code == business.call("after").status_code == 402
    assert business.states(out) == [("paused", "balance"), ("grace", "balance"), ("paused", "balance")]
    business.work()
    sweep(out)
    grace = f"Out of service in 7 days: {NUMBER}"
    assert told(ada) == [LOW, DID_NOT_FIT, RAN_OUT, grace, "Paused: Spring catalogue"]
    assert selectors.unread(ada) == 5
    assert [one for one in mailbox.subjects(ada.email) if one in told(ada)] == [
        LOW,
        DID_NOT_FIT,
        RAN_OUT,
        grace,
    ]

    # Weeks without money: heard of once each, and nothing is deleted.
    for days in range(1, 33):
        sweep(out + days * DAY, times=1)
    assert told(ada)[5:] == [
        f"Out of service in 4 days: {NUMBER}", f"Out of service in 1 day: {NUMBER}", f"Suspended: {NUMBER}",
    ]  # fmt: skip
    assert business.states(out + 32 * DAY)[1] == ("suspended", "balance")
    assert rows(ada) == before

    # One top-up, and nobody does anything else.
    back = out + 33 * DAY
    renting.top_up(ada, "25.00", at=back)
    sweep(back, times=3)
    assert business.states(back) == [("active", None), ("active", None), ("active", None)]
    assert sorted(told(ada)[8:]) == [
        f"Back in service: {NUMBER}", "Resumed: Spring catalogue", "Your balance is back",
    ]  # fmt: skip
    assert business.say("again").status_code == business.call("again").status_code == 201
    changed = {
        (pk, name)
        for pk, row in rows(ada).items()
        for name, value in row.items()
        if before[pk][name] != value
    }
    assert changed == {(str(PhoneNumber.objects.get().pk), "paid_until")}
    assert rows(ada).keys() == before.keys()
    assert renting.rents(ada)[-1][1] == Decimal(2)
    assert len(renting.rents(ada)) == 2
    with nothing_told_twice(ada):
        sweep(back + timedelta(hours=1))
    types = list(Delivery.objects.order_by("created_at", "pk").values_list("type", flat=True))
    assert sorted(types) == sorted([
        "topup.succeeded", "balance.low", "balance.depleted", "phone_number.grace_started", "campaign.paused",
        "phone_number.suspended", "topup.succeeded", "balance.restored", "phone_number.restored", "campaign.resumed",
    ])  # fmt: skip


def test_nothing_stops_with_auto_topup(business: Business) -> None:
    """S45: the message that crosses is followed by a top-up, and agent, number and campaign never notice."""
    ada, now = business.ada, clock()
    open_shop(business, dollars="20.00")
    turn_on(ada, now=now)  # below $10.00 add $25.00
    before = rows(ada)
    for number in range(20):  # $26.00 of $19.00
        assert business.say(f"m-{number}").status_code == 201
        business.work()
        assert {state for state, _ in business.states(clock())} == {"active"}
    sweep(clock())
    assert credits(ada) == [Decimal(20), Decimal(25)]
    assert told(ada) == ["Auto-topup added $25.00"]
    assert (rows(ada), Balance.objects.get(pk=ada.account_id).depleted_at) == (before, None)
    types = list(Delivery.objects.values_list("type", flat=True))
    assert types == ["topup.succeeded", "topup.succeeded"]
