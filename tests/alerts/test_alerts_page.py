"""Settings > Billing > Alerts: who may change what, what it refuses, what it lists."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client

from accounts import ids
from accounts.models import User
from alerts import rules, subscriptions
from alerts.models import Channel, Notification, Rule
from tests import factories
from tests.alerts.watching import Kind, agent_id, rule, spend
from tests.usage.spending import NOW, fund

pytestmark = pytest.mark.django_db
D = Decimal
PAGE = "/settings/billing/alerts/"
GOOD: dict[str, Any] = {"kind": "daily_spend", "amount": "10.00", "ways": ["email", "dashboard"]}


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def browser(ada: User, client: Client) -> Client:
    """Ada's, with $101.00 and without the first rule."""
    fund(ada.account_id, "100.00", at=NOW.replace(day=10))
    Rule.objects.all().delete()
    client.force_login(ada)
    return client


def text(answer: HttpResponse) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def send(browser: Client, **changed: Any) -> HttpResponse:
    return browser.post(PAGE, {"id": str(ids.uuid7())} | GOOD | changed)


def page(browser: Client) -> str:
    answer = browser.get(PAGE)
    assert answer.status_code == 200
    return text(answer)


# --- Adding -------------------------------------------------------------------------------------------------------


def test_the_owner_asks_to_be_told_above_ten_dollars_a_day(ada: User, browser: Client) -> None:
    """S40 S41 S42: Settings > Billing > Alerts; the seed's own "daily spend exceeds $10"; email or dashboard."""
    overview = browser.get("/settings/billing/")
    assert f'href="{PAGE}"' in overview.content.decode()
    found = page(browser)
    for words in (
        "No alerts",
        "Daily spend goes above",
        "Email to ada@example.com",
        "Dashboard notification",
    ):
        assert words in found
    answer = send(browser)
    assert (answer.status_code, answer["Location"]) == (303, PAGE)
    one = Rule.objects.get()
    assert (one.kind, one.amount, one.channel) == (Kind.DAILY_SPEND, D("10.00"), Channel.BOTH)
    found = page(browser)
    assert "Alert added." in found
    assert "Daily spend goes above $10.00 Today so far $0.00" in found
    assert "Never" in found
    spend(ada, "10.01", at=NOW)
    rules.evaluate_rules(ada.account_id, now=NOW)
    found = page(browser)
    assert "Today so far $10.01; sent today" in found
    assert "18 Mar, 15:42" in found
    assert "Daily spend went above $10.00 $10.01 today" in found


@pytest.mark.parametrize(
    ("ways", "channel"),
    [(["email"], "email"), (["dashboard"], "dashboard"), (["dashboard", "email"], "both")],
)
def test_it_keeps_the_channel(browser: Client, ways: list[str], channel: str) -> None:
    assert send(browser, ways=ways).status_code == 303
    assert Rule.objects.get().channel == channel


def test_a_form_begins_with_what_the_member_prefers(ada: User, browser: Client) -> None:
    subscriptions.prefer(ada, channel=Channel.DASHBOARD)
    boxes = re.findall(r'<input type="checkbox" name="ways"[^>]*>', browser.get(PAGE).content.decode())
    assert ["checked" in box for box in boxes] == [False, True]


def test_it_watches_one_agent(ada: User, browser: Client) -> None:
    assert "Which agent" not in page(browser), "there is none to choose"
    spend(ada, "1.00", at=NOW, agent="Customer Support")
    assert "Which agent" in page(browser)
    public = ids.public("agent", agent_id(ada, "Customer Support"))
    assert send(browser, kind="agent_daily_spend", agent=public, amount="2.00").status_code == 303
    assert "Daily spend of Customer Support goes above $2.00 Today so far $1.00" in page(browser)


def test_another_kind_forgets_the_agent(ada: User, browser: Client) -> None:
    """Without JavaScript and in old browsers the field stays visible, with an agent chosen."""
    spend(ada, "1.00", at=NOW, agent="Customer Support")
    public = ids.public("agent", agent_id(ada, "Customer Support"))
    assert send(browser, agent=public).status_code == 303
    assert Rule.objects.get().agent_id is None


def test_what_is_exceeded_already_is_told_at_once(ada: User, browser: Client) -> None:
    spend(ada, "12.00", at=NOW)
    send(browser)
    assert "Alert added. It was exceeded already, so we told you at once." in page(browser)
    assert Notification.objects.get().title == "Daily spend went above $10.00"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"amount": "0"}, "Type an amount above zero, such as 25.00."),
        ({"amount": "-5"}, "Type an amount above zero, such as 25.00."),
        ({"amount": "10.005"}, "Use dollars and whole cents, such as 25.00."),
        ({"amount": "1000000.01"}, "Type at most $1,000,000.00."),
        ({"amount": "1e400"}, "Type an amount such as 25.00."),
        ({"amount": "NaN"}, "Type an amount such as 25.00."),
        ({"amount": "Infinity"}, "Type an amount such as 25.00."),
        ({"amount": "ten"}, "Type an amount such as 25.00."),
        ({"amount": ""}, "Type an amount such as 25.00."),
        ({"kind": "hourly_spend"}, "Choose what to be told about."),
        ({"kind": "agent_daily_spend"}, "Choose what to be told about."),
        ({"ways": []}, "Choose email, dashboard or both."),
        ({"ways": ["pigeon"]}, "Choose email, dashboard or both."),
    ],
)
def test_it_says_what_is_wrong_and_adds_nothing(
    browser: Client, changed: dict[str, Any], sentence: str
) -> None:
    answer = send(browser, **changed)
    assert answer.status_code == 200
    assert "No alert was added" in text(answer)
    assert sentence in text(answer)
    assert not Rule.objects.exists()


def test_it_refuses_somebody_elses_agent(ada: User, cy: User, browser: Client) -> None:
    spend(ada, "1.00", at=NOW, agent="Customer Support")
    spend(cy, "0.10", at=NOW, agent="Secret plans")
    assert "Secret plans" not in page(browser)
    for agent in (ids.public("agent", agent_id(cy, "Secret plans")), "agent_x", ""):
        answer = send(browser, kind="agent_daily_spend", agent=agent)
        assert "Choose one of your agents." in text(answer), agent
    assert not Rule.objects.exists()


@pytest.mark.parametrize("id", ["", "x", "1"])
def test_it_does_not_stumble_over_a_broken_form(browser: Client, id: str) -> None:
    answer = send(browser, id=id)
    assert answer.status_code == 200
    assert "No alert was added" in text(answer)


def test_a_double_click_adds_one(browser: Client) -> None:
    twice = [send(browser, id="018f0000-0000-7000-8000-000000000001").status_code for _ in range(2)]
    assert twice == [303, 303]
    assert Rule.objects.count() == 1


def test_the_same_alert_again_is_refused(browser: Client) -> None:
    send(browser)
    assert "You have this alert already." in text(send(browser))
    assert Rule.objects.count() == 1


# --- Editing and removing -------------------------------------------------------------------------------------------


def test_it_changes_amount_and_channel(ada: User, browser: Client) -> None:
    spend(ada, "3.00", at=NOW)
    one = rule(ada, Kind.DAILY_SPEND, "10.00", now=NOW)
    here = f"{PAGE}{one.public_id}/"
    assert 'value="10.00"' in browser.get(here).content.decode()
    assert browser.post(here, {"amount": "2.00", "ways": ["dashboard"]})["Location"] == PAGE
    one.refresh_from_db()
    assert (one.amount, one.channel) == (D("2.00"), Channel.DASHBOARD)
    assert "Alert changed. It was exceeded already, so we told you at once." in page(browser)
    answer = browser.post(here, {"amount": "0", "ways": ["email"]})
    assert "The alert was not changed" in text(answer)
    one.refresh_from_db()
    assert one.amount == D("2.00")


def test_it_removes_after_asking_and_keeps_the_history(ada: User, browser: Client) -> None:
    one = rule(ada, Kind.BALANCE_BELOW, "150.00", now=NOW)
    assert "Now $101.00; sent, waits until it is back at $150.00" in page(browser)
    here = f"{PAGE}{one.public_id}/remove/"
    assert here in browser.get(f"{PAGE}{one.public_id}/").content.decode()
    assert "Balance drops below $150.00" in text(browser.get(here))
    assert Rule.objects.exists(), "looking removes nothing"
    assert browser.post(here).status_code == 303
    assert not Rule.objects.exists()
    found = page(browser)
    assert "Removed: Balance drops below $150.00." in found
    assert "Balance dropped below $150.00 It is $101.00 now." in found
    assert browser.post(here).status_code == 404


def test_the_history_lists_alerts_alone_by_the_way_they_went(ada: User, browser: Client) -> None:
    for number, channel in enumerate((Channel.EMAIL, Channel.DASHBOARD)):
        rule(
            ada,
            Kind.BALANCE_BELOW,
            f"{200 + number}.00",
            channel=channel,
            now=NOW - number * timedelta(hours=1),
        )
    Notification.objects.create(
        account=ada.account, key="x", kind="topup_failed", level="bad", title="Other", body="", created_at=NOW
    )
    sent = page(browser).partition("Sent alerts")[2]
    assert "Balance dropped below $201.00" in sent
    assert sent.index("Email") < sent.index("$201.00") < sent.index("Dashboard")
    assert "Other" not in sent


# --- Who may ----------------------------------------------------------------------------------------------------------


def test_a_viewer_reads_and_changes_nothing(ada: User, bo: User, client: Client) -> None:
    one = Rule.objects.get()
    client.force_login(bo)
    found = page(client)
    assert "Balance drops below $0.20 Now $1.00" in found
    for words in ("Add alert", "Edit", "New alert"):
        assert words not in found
    assert send(client).status_code == 403
    for path in (f"{PAGE}{one.public_id}/", f"{PAGE}{one.public_id}/remove/"):
        assert client.get(path).status_code == 403
        assert client.post(path, {"amount": "1.00", "ways": ["email"]}).status_code == 403
    assert [(r.pk, r.amount) for r in Rule.objects.all()] == [(one.pk, D("0.20"))]


def test_an_admin_may_change(ada: User, client: Client) -> None:
    client.force_login(factories.member(ada.account, email="al@example.com", role=User.Role.ADMIN))
    assert send(client).status_code == 303


def test_a_stranger_finds_nothing(ada: User, cy: User, client: Client) -> None:
    one = Rule.objects.get(account_id=ada.account_id)
    client.force_login(cy)
    for path in (f"{PAGE}{one.public_id}/", f"{PAGE}{one.public_id}/remove/", f"{PAGE}rule_x/"):
        assert client.post(path, {"amount": "1.00", "ways": ["email"]}).status_code == 404
    assert Rule.objects.filter(pk=one.pk, amount=D("0.20")).exists()
    assert client.get(f"{PAGE}{one.public_id}/").status_code == 404


def test_it_needs_a_sign_in(client: Client) -> None:
    assert client.get(PAGE).status_code == 302
