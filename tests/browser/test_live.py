"""Open pages follow their account by themselves, and nothing on them jumps."""

import json
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from alerts import selectors
from alerts.telling import tell
from billing.models import TopUp
from tests import factories
from tests.browser.conftest import Open, Site, Visit, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
OVERVIEW, RECORDS = "/settings/billing/", "/settings/billing/records/"
AGENTS, LIVE = "/settings/agents/", "**/settings/live/"
TICK = 20_000  # milliseconds; more than the longest wait between two looks
SHIFT = """() => { window.shift = 0; new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.shift += entry.value; }).observe({ type: "layout-shift" }); }"""

Use = Callable[[str, str], None]


def commit(act: Callable[[], Any]) -> Any:
    """On a connection of its own: the test's transaction would be seen by nobody."""

    def act_and_close() -> Any:
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as another:
        return another.submit(act_and_close).result()


@pytest.fixture
def use(site: Site) -> Use:
    """The platform tells of a chat message over the API: 40,000 tokens, ten cents."""

    def use(name: str, event_id: str) -> None:
        key = commit(lambda: factories.key(site.people[name].account))
        message = {"type": "chat", "model": "gpt-4o", "input_tokens": 40_000, "output_tokens": 0}
        body = json.dumps({"event_id": event_id, **message}).encode()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{site.url}/billing/v3/usage", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 201

    return use


def opened(seen: Visit, path: str) -> Page:
    """The page with a clock that the test turns, so marked that a reload would show."""
    seen.page.clock.install()
    page = seen.go(path)
    page.wait_for_load_state("networkidle")
    page.evaluate("window.stayed = true")
    page.evaluate(SHIFT)
    return page


def asks(page: Page) -> list[str]:
    """Every question that the page asks from here on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/live/" in request.url else None)
    return asked


def chip(page: Page) -> str:
    return page.locator(".side .balance-chip strong").inner_text()


def test_the_balance_follows_on_a_page_that_stays_open(visit: Open, use: Use) -> None:
    """S3: a deduction shows at once, here within seconds, without a reload and without a jump."""
    with visit("cy") as seen:
        page = opened(seen, RECORDS)
        assert chip(page) == "$1.00"
        page.locator("#id_agent, main select, main input").first.focus()
        use("cy", "follows")
        page.clock.fast_forward(TICK)
        expect(page.locator(".side .balance-chip strong")).to_have_text("$0.90")
        expect(page.locator("#live")).to_have_text("Balance, $0.90, Notifications, 0 unread")
        assert page.evaluate("window.stayed && document.activeElement.matches('main *')")
        assert page.evaluate("window.shift") == 0
        assert seen.problems == []


def test_the_bell_follows_on_a_page_that_stays_open(visit: Open, site: Site) -> None:
    """S42, and whoever only listens is told politely, once."""
    with visit("fay") as seen:
        page = opened(seen, AGENTS)
        page.evaluate(
            """() => { const live = document.getElementById("live"); window.heard = [];
            new MutationObserver(() => heard.push(live.innerText)).observe(live, { childList: true }); }"""
        )
        unread = commit(lambda: say(site.people["fay"]))
        for _ in range(4):
            page.clock.fast_forward(TICK)
            page.wait_for_load_state("networkidle")
        bell = page.get_by_role("link", name=f"Notifications, {unread} unread")
        expect(bell.locator(".count")).to_have_text(str(unread))
        assert page.evaluate("window.heard.length") == 1
        assert f"{unread} unread" in page.evaluate("window.heard[0]")
        assert page.evaluate("window.stayed && window.shift === 0")


def say(person: User) -> int:
    now = timezone.now()
    tell(person.account_id, key=str(now), kind="facts", level="bad", title="News", body="Read me.", now=now)
    return selectors.unread(person)


def test_the_whole_overview_follows_in_its_place(visit: Open, use: Use) -> None:
    """S29 to S33: balance, month, chart and table stay the same sum; what the reader opened and holds stays."""
    with visit("ada") as seen:
        page = opened(seen, OVERVIEW)
        page.get_by_text("Show these numbers as a table").click()
        page.locator(".plot[data-ready]").wait_for()
        page.get_by_role("link", name="Add funds").first.focus()
        today = page.locator("#daily tr:last-child td").last
        before = today.inner_text(), drawn(page)
        at = page.evaluate("window.shift = 0; [scrollX, scrollY]")
        for number in range(2):
            use("ada", f"overview-{number}")
        page.clock.fast_forward(TICK)
        expect(today).not_to_have_text(before[0])
        last = page.locator("#daily tr:last-child td[data-v]").all()
        assert drawn(page) == [float(cell.get_attribute("data-v") or 0) for cell in last]
        assert drawn(page) != before[1]
        assert page.locator("#daily").is_visible(), "the table stays open"
        assert page.evaluate("document.activeElement.innerText") == "Add funds"
        assert page.evaluate("window.stayed")
        assert page.evaluate("[scrollX, scrollY]") == at
        assert page.evaluate("window.shift") == 0
        assert seen.problems == []


def drawn(page: Page) -> list[float]:
    """Today's bars."""
    chart = "Chart.getChart(document.querySelector('.plot canvas'))"
    return list(page.evaluate(f"{chart}.data.datasets.map((set) => set.data.at(-1))"))


def test_the_first_usage_turns_the_empty_overview(visit: Open, site: Site, use: Use) -> None:
    """The page promises that its cost shows here at once."""
    site.people["gil"] = commit(lambda: factories.owner("gil@example.org", name="Gil's garden"))
    site.sessions["gil"] = commit(lambda: sign_in(site.people["gil"]))
    with visit("gil") as seen:
        page = opened(seen, OVERVIEW)
        expect(page.get_by_text("No usage yet")).to_be_visible()
        use("gil", "first")
        page.clock.fast_forward(TICK)
        expect(page.locator(".plot[data-ready]")).to_have_count(1)
        expect(page.locator("main .figure").first).to_have_text("$0.90")


def test_what_would_move_waits_for_the_hand_to_rest(visit: Open, site: Site, use: Use) -> None:
    with visit("ada") as seen:
        page = opened(seen, OVERVIEW)
        newest = page.locator("[data-live=records] tbody a").first
        href = newest.get_attribute("href")
        page.mouse.move(300, 300)
        use("ada", "waits")
        page.mouse.move(310, 300)
        balance = page.locator("main .figure").first
        before = balance.inner_text()
        page.evaluate("document.dispatchEvent(new Event('look'))")
        expect(balance).not_to_have_text(before)
        assert newest.get_attribute("href") == href
        page.clock.fast_forward(TICK)
        expect(newest).not_to_have_attribute("href", href or "")


def test_a_top_up_confirmed_elsewhere_turns_the_open_page(visit: Open, site: Site) -> None:
    topup = TopUp.objects.get(account_id=site.people["ed"].account_id, status=TopUp.Status.REQUIRES_ACTION)
    path = f"{reverse('topup', args=[topup.public_id])}?returned=1"
    with visit("ed") as seen, visit("ed") as phone:
        page = opened(seen, path)
        expect(page.get_by_role("button", name="Confirm with your bank")).to_be_visible()
        phone.go(path).get_by_role("button", name="Confirm with your bank").click()
        phone.page.wait_for_url("**/sandbox/3ds/**")
        phone.page.get_by_role("button", name="Confirm payment").click()
        expect(phone.page.get_by_role("heading", name="$25.00 added")).to_be_visible()
        page.clock.fast_forward(TICK)
        expect(page.get_by_role("heading", name="$25.00 added")).to_be_visible()
        assert seen.problems == []


def test_a_hidden_page_does_not_ask_until_it_is_seen_again(visit: Open) -> None:
    with visit("cy") as seen:
        seen.page.add_init_script(
            "Object.defineProperty(document, 'hidden', { get: () => Boolean(window.away) })"
        )
        page = opened(seen, RECORDS)
        asked = asks(page)
        page.evaluate("window.away = true")
        for _ in range(5):
            page.clock.fast_forward(TICK)
        assert asked == []
        with page.expect_response(LIVE):
            page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
        page.clock.fast_forward(TICK)
        page.wait_for_load_state("networkidle")
        assert len(asked) == 2, "at once, and then as before"


def test_a_page_asks_less_and_less_while_nobody_answers(visit: Open) -> None:
    with visit("cy") as seen:
        page = opened(seen, RECORDS)
        asked = asks(page)
        page.route(LIVE, lambda route: route.abort())
        for _ in range(30):
            page.clock.run_for(TICK)
            page.wait_for_timeout(20)
        assert 3 <= len(asked) <= 7, "after 15, 30, 60, 120, 240 and 300 seconds"
        page.unroute(LIVE)
        with page.expect_response(LIVE):
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_whoever_signed_out_elsewhere_is_asked_nothing_more(visit: Open, site: Site) -> None:
    with visit("bo") as seen:
        page = opened(seen, RECORDS)
        commit(lambda: Session.objects.filter(session_key=site.sessions["bo"]).delete())
        with page.expect_response(LIVE):
            page.clock.fast_forward(TICK)
        asked = asks(page)
        for _ in range(5):
            page.clock.fast_forward(TICK)
            page.wait_for_timeout(50)
        assert asked == []
        assert (seen.problems, page.evaluate("window.stayed")) == ([], True)


def test_a_page_without_javascript_shows_it_when_it_is_loaded_again(visit: Open, use: Use) -> None:
    with visit("cy", java_script_enabled=False) as seen:
        page = seen.go(RECORDS)
        before = chip(page)
        use("cy", "unscripted")
        page.reload()
        assert float(chip(page)[1:]) == pytest.approx(float(before[1:]) - 0.1)
