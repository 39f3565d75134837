"""The bell and the inbox, by script and without."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from alerts import selectors
from alerts.telling import tell
from tests.browser.conftest import Open, Site

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
OVERVIEW, INBOX = "/settings/billing/", "/settings/notifications/"
Say = Callable[[str, str], int]


@pytest.fixture
def say(site: Site) -> Say:
    """Tell somebody's account, and commit, as the test's own transaction does not; how much they have not read."""

    def say(name: str, title: str) -> int:
        with ThreadPoolExecutor(max_workers=1) as another_connection:
            return another_connection.submit(commit, site.people[name], title).result()

    return say


def commit(person: User, title: str) -> int:
    now = timezone.now()
    tell(
        person.account_id, key=title, kind="facts", level="bad", title=title, body="Nothing is lost.", now=now
    )
    count = selectors.unread(person)
    connection.close()
    return count


def bell(page: Page, count: int) -> None:
    expect(page.get_by_role("link", name=f"Notifications, {count} unread")).to_be_visible()
    expect(page.locator("[data-live=bell] .count")).to_have_count(1 if count else 0)


def test_it_reads_what_is_looked_at(visit: Open, say: Say) -> None:
    """S42: told in the dashboard, and the bell rests once it was seen."""
    count = say("cy", "A number is suspended")
    with visit("cy") as seen:
        page = seen.go(OVERVIEW)
        bell(page, count)
        page.get_by_role("link", name=f"Notifications, {count} unread").click()
        expect(page.get_by_text("A number is suspended")).to_be_visible()
        bell(page, 0)
        expect(page.get_by_text("New", exact=True)).to_have_count(count)
        expect(page.get_by_role("button", name="Mark all as read")).to_have_count(0)
        bell(seen.go(OVERVIEW), 0)
        assert seen.problems == []


def test_it_reads_by_a_button_without_javascript(visit: Open, say: Say) -> None:
    count = say("di", "A number is in grace")
    with visit("di", java_script_enabled=False) as seen:
        for _ in range(2):
            bell(seen.go(INBOX), count)
        seen.page.get_by_role("button", name="Mark all as read").click()
        bell(seen.page, 0)
        expect(seen.page.get_by_text("A number is in grace")).to_be_visible()


def test_it_rings_on_an_open_page(visit: Open, say: Say) -> None:
    with visit("ed") as seen:
        page = seen.go(OVERVIEW)
        count = say("ed", "Your agents are paused")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        bell(page, count)
