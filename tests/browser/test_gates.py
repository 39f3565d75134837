"""The gates that every page passes, found by following links: a page built tomorrow is looked at as well.

Django's own admin and the API's documents are not ours to fix and stay out.
"""

import gzip
import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Locator, Page
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from billing.models import TopUp
from tests import factories
from tests.browser import crawl
from tests.browser.conftest import Open, Site, Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
HERE = Path(__file__).parent
AXE = (HERE / "vendor" / "axe.min.js").read_text()
GATES = (HERE / "gates.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OVERVIEW, SIGN_IN, MISSING = "/settings/billing/", "/sign-in/", "/no-such-page/"
ADMIN, API_DOCS = f"/{settings.ADMIN_PATH}", "/billing/docs"
Tour = list[tuple[str, str]]


@pytest.fixture(scope="module")
def tour(site: Site, django_db_blocker: DjangoDbBlocker) -> Tour:
    """(person, path) of every page: the rich account's, the newcomer's, the one that ran out, and signed out."""
    with django_db_blocker.unblock():
        crawler = crawl.Crawler()
        found = [("", path) for path in crawler.pages(None, SIGN_IN)]
        for name, person in site.people.items():
            found += [(name, path) for path in crawler.pages(person, OVERVIEW, *topup_pages(person))]
    return [*found, ("", MISSING), ("ada", MISSING)]


def topup_pages(person: User) -> list[str]:
    """No list leads to those that brought nothing. `returned` keeps them from going on to the bank's page."""
    topups = TopUp.objects.filter(account_id=person.account_id)
    return [f"{reverse('topup', args=[topup.public_id])}?returned=1" for topup in topups]


def walk(visit: Open, tour: Tour, **options: Any) -> Iterator[tuple[tuple[str, str], Visit]]:
    """Goes to every page in turn. What is looked at stays unread for the next gate."""
    for person, stops in groupby(tour, key=lambda stop: stop[0]):
        with visit(person, **options) as seen:
            seen.page.route("**/notifications/read/", lambda route: route.fulfill(status=204))
            for stop in stops:
                seen.go(stop[1])
                yield stop, seen


def wrong_only(found: dict[Any, Any]) -> dict[Any, Any]:
    return {where: wrong for where, wrong in found.items() if wrong}


def ask(page: Page, question: str) -> Any:
    return page.evaluate(f"{GATES}.{question}()")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_leaves_axe_nothing_to_find(visit: Open, tour: Tour, theme: str) -> None:
    """On a desk and on a phone, and also on a form that was refused."""
    found: dict[Any, list[str]] = {}
    for stop, seen in walk(visit, tour, color_scheme=theme, bypass_csp=True):
        found[stop] = axe(seen.page)
        if send_incomplete(seen.page):
            found[(*stop, "refused")] = axe(seen.page)
    assert wrong_only(found) == {}


def axe(page: Page) -> list[str]:
    page.evaluate(AXE)
    return [broken for width in (1280, 390) for broken in axe_at(page, width)]


def axe_at(page: Page, width: int) -> list[str]:
    page.set_viewport_size({"width": width, "height": 900})
    report = page.evaluate(f"axe.run(document, {{runOnly: {json.dumps(RULES)}}})")
    return [
        f"{broken['id']} at {broken['nodes'][0]['target']}, {width} px" for broken in report["violations"]
    ]


def send_incomplete(page: Page) -> bool:
    """Send the page's first form with a required text that is empty, if there is one."""
    form = page.locator("main form:has(input[required]:not([type=radio], [type=checkbox]))").first
    if not form.count() or form.evaluate("form => form.checkValidity()"):
        return False
    form.evaluate("form => { form.noValidate = true; }")
    form.locator("[type=submit]").first.click()
    page.wait_for_load_state()
    assert page.locator(".err").count(), f"{page.url} does not say what is missing"
    return True


def test_it_keeps_to_its_own_site_and_policy(visit: Open, tour: Tour) -> None:
    """No console error, no violation of the policy, no request elsewhere, no inline style or script."""
    found = {}
    for stop, seen in walk(visit, tour):
        seen.page.wait_for_load_state("networkidle")
        heard = [text for text in seen.problems if not (stop[1] == MISSING and "404" in text)]
        found[stop] = heard + ask(seen.page, "inline")
    assert wrong_only(found) == {}


def test_it_keeps_staff_and_the_api_documents_to_the_policy_too(visit: Open) -> None:
    with visit("staff") as seen:
        listed = seen.go(ADMIN).locator("#content-main a").evaluate_all("links => links.map(a => a.pathname)")
        assert any(path.endswith("/add/") for path in listed)
        found = {}
        for path in [ADMIN, *listed, API_DOCS]:
            seen.go(path).wait_for_load_state("networkidle")
            found[path] = seen.problems.copy()
    assert wrong_only(found) == {}


def test_it_never_scrolls_sideways(visit: Open, tour: Tour) -> None:
    found: dict[Any, list[str]] = {}
    for stop, seen in walk(visit, tour):
        for width in (320, 390, 768, 1280):
            seen.page.set_viewport_size({"width": width, "height": 800})
            found[(*stop, width)] = ask(seen.page, "wide")
    assert wrong_only(found) == {}


def test_it_has_no_control_too_small_for_a_finger(visit: Open, tour: Tour) -> None:
    found = {stop: ask(seen.page, "small") for stop, seen in walk(visit, tour, width=390, has_touch=True)}
    assert wrong_only(found) == {}


def test_it_is_usable_by_keyboard_with_a_visible_ring(visit: Open, tour: Tour) -> None:
    mine = [stop for stop in tour if stop[0] in ("", "ada")]
    assert wrong_only({stop: tab_through(seen.page) for stop, seen in walk(visit, mine)}) == {}


def tab_through(page: Page) -> list[str]:
    wanted, stops, wrong = ask(page, "stops"), set(), []
    for _ in range(wanted + 30):  # a date field has several stops
        page.keyboard.press("Tab")
        at = ask(page, "focus")
        if at is None:
            break
        stops.add(at[0])
        if not at[1]:
            wrong.append(f"no ring on {at[2]}")
    return wrong if len(stops) >= wanted else [*wrong, f"Tab reaches {len(stops)} of {wanted} controls"]


def test_it_gives_every_form_a_working_button_without_javascript(visit: Open, tour: Tour) -> None:
    found = {}
    for stop, seen in walk(visit, tour, java_script_enabled=False):
        found[stop] = [
            form.inner_html()[:90] for form in seen.page.locator("form:visible").all() if is_dead(form)
        ]
    assert wrong_only(found) == {}


def is_dead(form: Locator) -> bool:
    """No button that sends it, or a POST that the server would refuse."""
    is_post = (form.get_attribute("method") or "").lower() == "post"
    is_signed = form.locator("[name=csrfmiddlewaretoken]").count() > 0
    return not form.locator("[type=submit]:visible").count() or (is_post and not is_signed)


def test_it_signs_in_changes_the_theme_and_signs_out_without_javascript(visit: Open) -> None:
    with visit(java_script_enabled=False) as seen:
        page = seen.go(SIGN_IN)
        page.get_by_label("Email").fill("ada@example.com")
        page.get_by_label("Password").fill(factories.PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Switch to the dark theme").click()
        assert page.locator("html").get_attribute("data-theme") == "dark"
        assert page.url.endswith(OVERVIEW)
        page.set_viewport_size({"width": 390, "height": 800})
        page.get_by_label("Menu", exact=True).click()
        assert page.get_by_role("link", name="API keys").is_visible()
        page.get_by_label("You: ada@example.com").click()
        page.get_by_role("button", name="Sign out").click()
        assert page.get_by_role("heading", name="Sign in").is_visible()


def test_it_changes_the_theme_without_a_reload(visit: Open) -> None:
    with visit("ada", color_scheme="light") as seen:
        page = seen.go(OVERVIEW)
        page.evaluate("window.stayed = true")
        page.get_by_role("button", name="Switch to the dark theme").press("Enter")
        assert page.locator("html").get_attribute("data-theme") == "dark"
        assert page.evaluate("document.activeElement.ariaLabel") == "Switch to the light theme"
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.stayed")
        page.reload()
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_it_draws_what_the_table_says(visit: Open, tour: Tour) -> None:
    """S33: to the cent, day by day, on every page with a chart."""
    charts = []
    for _, seen in walk(visit, [stop for stop in tour if stop[0] == "ada"]):
        for plot in seen.page.locator(".plot").all():
            plot.scroll_into_view_if_needed()
        seen.page.locator(".plot:not([data-ready])").first.wait_for(state="detached")
        charts += ask(seen.page, "charts")
    assert charts
    for chart in charts:
        days = list(zip(*chart["drawn"], strict=True))
        assert any(map(any, days))
        assert [[*values, sum(values)] for values in days] == chart["table"]


def test_it_stays_light(visit: Open, tour: Tour) -> None:
    """Cold, over the wire. A page with the chart brings its library and may weigh twice as much as any other."""
    found = {}
    for stop, seen in walk(visit, tour):
        weight, requests = reload_cold(seen.page)
        has_chart = stop[1] == OVERVIEW or seen.page.locator(".plot").count()
        allowed = (150_000 if has_chart else 75_000, 8 if stop[1] == OVERVIEW else 99)
        if weight > allowed[0] or requests > allowed[1]:
            found[stop] = f"{weight} bytes in {requests} requests"
    assert found == {}


def reload_cold(page: Page) -> tuple[int, int]:
    """Bytes on the wire and requests, nothing cached."""
    sizes: list[float] = []
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.reload()
    page.wait_for_load_state("networkidle")
    network.detach()
    return int(sum(sizes)), len(sizes)


def test_it_sends_a_small_overview_that_does_not_jump(visit: Open) -> None:
    with visit("ada") as seen:
        page = seen.go(OVERVIEW)
        page.locator(".plot[data-ready]").wait_for()
        html = page.request.get(seen.url + OVERVIEW).body()
        shift = page.evaluate(
            """() => new Promise((done) => { let sum = 0;
            new PerformanceObserver((list) => { for (const e of list.getEntries()) sum += e.value; })
              .observe({ type: "layout-shift", buffered: true });
            setTimeout(() => done(sum), 200); })"""
        )
    assert len(gzip.compress(html)) <= 12 * 1024
    assert shift <= 0.02


def test_it_keeps_style_sheets_and_scripts_short() -> None:
    static = HERE.parent.parent / "static"
    scripts = {path.name: lines(path) for path in static.glob("js/*.js")}
    assert sum(map(lines, static.glob("css/*.css"))) < 450
    assert sum(scripts.values()) < 250
    assert max(scripts.values()) < 100


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())
