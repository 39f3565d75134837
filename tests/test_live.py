"""What an open page asks every few seconds."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import User
from alerts.telling import tell
from billing import auto_charge, holds
from billing.auto_topup import Wish
from billing.models import TopUp
from tests.billing import paying
from tests.usage import events
from usage import metering

pytestmark = pytest.mark.django_db
LIVE = "/settings/live/"


@pytest.fixture
def browser(client: Client, ada: User) -> Client:
    client.force_login(ada)
    return client


def ask(browser: Client, stamp: str) -> Any:
    return browser.get(LIVE, headers={"If-None-Match": stamp})


def stamp_of_a_page(browser: Client) -> str:
    page = browser.get("/settings/billing/records/").content.decode()
    return '"' + page.partition('data-stamp="')[2].partition('"')[0] + '"'


def use(ada: User) -> None:
    assert metering.record(
        ada.account_id, events.chat("e", "gpt-4o", 10_000, 0), now=timezone.now()
    ).is_recorded


def hold(ada: User) -> None:
    holds.hold(
        ada.account_id, key="call", request_hash=b"call", amount=Decimal("0.5"), purpose="call",
        terms={}, lifetime=timedelta(hours=1), now=timezone.now(),
    )  # fmt: skip


def begin(ada: User) -> None:
    paying.begin(ada)


def save_auto_topup(ada: User) -> None:
    card = paying.save_card(ada)
    wish = Wish(
        enabled=False, threshold=Decimal(5), amount=Decimal(25), card=card, monthly_limit=Decimal(200)
    )
    auto_charge.save(ada.account_id, wish, actor=ada.public_id, now=timezone.now())


def say(ada: User) -> None:
    tell(ada.account_id, key="k", kind="facts", level="bad", title="Paused", body="", now=timezone.now())


def test_it_says_nothing_while_the_page_is_right(browser: Client) -> None:
    answer = ask(browser, stamp_of_a_page(browser))
    assert (answer.status_code, answer.content) == (304, b"")
    assert ask(browser, f"W/{answer['ETag']}").status_code == 304, "as a proxy that compresses writes it"


@pytest.mark.parametrize("change", [use, hold, begin, save_auto_topup, say])
def test_it_answers_once_something_changed(
    browser: Client, ada: User, change: Callable[[User], None]
) -> None:
    before = stamp_of_a_page(browser)
    change(ada)
    answer = ask(browser, before)
    assert answer.status_code == 200
    assert ask(browser, answer["ETag"]).status_code == 304
    assert stamp_of_a_page(browser) == answer["ETag"]


def test_it_brings_the_chip_and_the_bell(browser: Client, ada: User) -> None:
    use(ada)
    say(ada)
    parts = ask(browser, "").content.decode()
    assert "<strong>$0.97</strong>" in parts
    assert 'aria-label="Notifications, 1 unread"' in parts
    assert "<html" not in parts


def test_it_is_not_moved_by_what_happens_to_others(browser: Client, cy: User) -> None:
    before = stamp_of_a_page(browser)
    use(cy)
    say(cy)
    assert ask(browser, before).status_code == 304


def test_it_turns_when_a_top_up_is_settled(browser: Client, ada: User) -> None:
    topup = paying.begin(ada)
    before = stamp_of_a_page(browser)
    TopUp.objects.filter(pk=topup.pk).update(status=TopUp.Status.REQUIRES_ACTION)
    assert ask(browser, before).status_code == 200


@pytest.mark.parametrize("stamp", ["", '"0"', "*,", "x" * 5000, "\u20ac"])
def test_it_takes_any_stamp(browser: Client, stamp: str) -> None:
    assert ask(browser, stamp).status_code == 200


def test_it_asks_three_questions_and_leaves_the_session_alone(
    browser: Client, django_assert_num_queries: Any
) -> None:
    stamp = stamp_of_a_page(browser)
    sessions = list(Session.objects.values())
    for known in (stamp, ""):
        with django_assert_num_queries(3):
            answer = ask(browser, known)
        assert not answer.cookies
        assert "no-store" in answer["Cache-Control"]
    assert list(Session.objects.values()) == sessions


def test_it_has_nothing_for_whoever_left(client: Client, browser: Client) -> None:
    browser.logout()
    answer = client.get(LIVE)
    assert (answer.status_code, answer.content) == (204, b"")


def test_it_has_nothing_for_staff_without_an_account(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root@example.com"))
    assert client.get(LIVE).status_code == 204


def test_it_is_only_read(browser: Client) -> None:
    assert browser.post(LIVE).status_code == 405
