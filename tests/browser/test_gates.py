"""The gates that every page passes, found by following links: a page built tomorrow is looked at as well.

Each page is loaded twice, with scripts and without, and every gate looks at it then (gates.py). Django's own admin and
the API's documents are not ours to fix and stay out.
"""

import gzip
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.urls import get_resolver, reverse
from playwright.sync_api import Page, Route
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from billing.models import TopUp
from tests import factories
from tests.browser import crawl, gates
from tests.browser.conftest import Open, Site, Visit
from tests.browser.gates import axe
from thinnest_billing import csp

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
HERE = Path(__file__).parent
OVERVIEW, SIGN_IN, MISSING = "/settings/billing/", "/sign-in/", "/no-such-page/"
ADMIN, API_DOCS = f"/{settings.ADMIN_PATH}", "/billing/docs"
Stop = tuple[str, str]
Found = defaultdict[str, dict[Any, list[str]]]  # by gate, by stop: what is wrong
# What no link leads to: sent by a form, mailed (test_entrance.py, test_members.py), for machines, or files.
NOT_LINKED = {
    "check-email/",
    "confirm/<str:token>/",
    "invitation/<str:token>/",
    "new-email/<str:token>/",
    "password-reset/<str:user>/<str:token>/",
    "sandbox/checkout/<slug:page_id>/",
    "settings/api-keys/<str:key>/revoke/",
    "settings/account/channel/",
    "settings/account/password/",
    "settings/account/invitations/<str:public_id>/again/",
    "settings/account/invitations/<str:public_id>/withdraw/",
    "settings/billing/payment-methods/<str:card>/default/",
    "settings/billing/records/<str:public_id>/flag/",
    "settings/billing/records/<str:public_id>/flag/withdraw/",
    "settings/billing/topups/<str:topup_id>/cancel/",
    "settings/billing/topups/<str:topup_id>/confirm/",
    "settings/campaigns/<str:public_id>/launch/",
    "settings/campaigns/<str:public_id>/pause/",
    "settings/campaigns/<str:public_id>/resume/",
    "settings/notifications/email/",
    "settings/notifications/read/",
    "sign-out/",
    "theme/",
    "healthz",
    "readyz",
    "metrics",
    "settings/live/",
    "settings/billing/records.csv",
    "settings/billing/statement.csv",
    "settings/billing/usage.csv",
}
KEYBOARD = ("", "ada")  # whose pages hold every control


@pytest.fixture(scope="module")
def crawler(site: Site) -> crawl.Crawler:
    return crawl.Crawler()


@pytest.fixture(scope="module")
def tour(site: Site, crawler: crawl.Crawler, django_db_blocker: DjangoDbBlocker) -> list[Stop]:
    """(person, path) of every page: the rich account's, the newcomer's, the one that ran out, and signed out."""
    with django_db_blocker.unblock():
        found = [("", path) for path in crawler.pages(None, SIGN_IN)]
        for name, person in site.people.items():
            found += [(name, path) for path in crawler.pages(person, OVERVIEW, *topup_pages(person))]
    return [*found, ("", MISSING), ("ada", MISSING)]


def topup_pages(person: User) -> list[str]:
    """No list leads to those that brought nothing. `returned` keeps them from going on to the bank's page."""
    topups = TopUp.objects.filter(account_id=person.account_id)
    return [f"{reverse('topup', args=[topup.public_id])}?returned=1" for topup in topups]


def walk(visit: Open, tour: list[Stop], **options: Any) -> Iterator[tuple[Stop, Visit, gates.Scales]]:
    """Goes to every page in turn. What is looked at stays unread for the next look."""
    for person, stops in groupby(tour, key=lambda stop: stop[0]):
        with visit(person, color_scheme="light", **options) as seen:
            seen.page.route("**/notifications/read/", lambda route: route.fulfill(status=204))
            scales = gates.Scales(seen.page)
            for stop in stops:
                scales.sizes.clear()
                seen.go(stop[1])
                yield stop, seen, scales


@pytest.fixture(scope="module")
def found(visit: Open, tour: list[Stop]) -> Found:
    """One walk for all gates. The order matters: axe's own work is not the page's."""
    found: Found = defaultdict(dict)
    refused: set[str] = set()
    for stop, seen, scales in walk(visit, tour):
        look(found, stop, seen, scales)
        kind = crawl.kind_of(stop[1]) if stop[1] != MISSING else MISSING
        if kind not in refused and send_incomplete(seen.page):
            refused.add(kind)
            found["axe"][(*stop, "refused")] = axe(seen.page)
    return found


def look(found: Found, stop: Stop, seen: Visit, scales: gates.Scales) -> None:
    page = seen.page
    page.evaluate("document.fonts.ready.then(() => null)")
    heard = [text for text in seen.problems if not (stop[1] == MISSING and "404" in text)]
    found["policy"][stop] = heard + gates.ask(page, "inline")
    has_chart = page.locator(".plot").count()
    requests = 8 if stop[1] == OVERVIEW else 99
    found["weight"][stop] = scales.too_heavy(most=150_000 if has_chart else 75_000, requests=requests)
    found["keyboard"][stop] = gates.out_of_reach(page) if stop[0] in KEYBOARD else []
    if has_chart:
        found["charts"][stop] = gates.untrue_charts(page)
    found["wide"][stop] = gates.too_wide(page)
    found["small"][stop] = gates.too_small(page)
    found["axe"][stop] = axe(page)


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


def wrong_only(found: dict[Any, Any]) -> dict[Any, Any]:
    return {where: wrong for where, wrong in found.items() if wrong}


def test_it_leaves_axe_nothing_to_find(found: Found) -> None:
    """In both themes, on a desk and on a phone, and also on a form that was refused."""
    assert wrong_only(found["axe"]) == {}
    assert [where for where in found["axe"] if "refused" in where]


def test_it_keeps_to_its_own_site_and_policy(found: Found) -> None:
    """No console error, no violation of the policy, no request elsewhere, no inline style or script."""
    assert wrong_only(found["policy"]) == {}


def test_it_never_scrolls_sideways(found: Found) -> None:
    assert wrong_only(found["wide"]) == {}


def test_it_has_no_control_too_small_for_a_finger(found: Found) -> None:
    assert wrong_only(found["small"]) == {}


def test_it_is_usable_by_keyboard_with_a_visible_ring(found: Found) -> None:
    assert wrong_only(found["keyboard"]) == {}


def test_it_draws_what_the_table_says(found: Found) -> None:
    """S33: to the cent, day by day, on every page with a chart."""
    assert ("ada", OVERVIEW) in found["charts"]
    assert wrong_only(found["charts"]) == {}


def test_it_stays_light(found: Found) -> None:
    """Cold, over the wire. A page with the chart brings its library and may weigh twice as much as any other."""
    assert wrong_only(found["weight"]) == {}


def test_it_gives_every_form_a_working_button_without_javascript(visit: Open, tour: list[Stop]) -> None:
    dead = {
        stop: gates.dead_forms(seen.page) for stop, seen, _ in walk(visit, tour, java_script_enabled=False)
    }
    assert wrong_only(dead) == {}


BAD = """<!doctype html><html lang="en"><title>Bad</title><main><h1>Bad</h1><img src="data:,">
<p style="color: #ccc; background: #fff">Too pale</p><script>document.title = "ran"</script>
<div><b>{wide}</b></div><form method="post"><button type="button" style="all: unset">x</button></form>
<script src="/theme.js"></script><img alt="" src="https://elsewhere.example/x.png"></main></html>"""


def test_it_finds_what_is_wrong_with_a_bad_page(visit: Open) -> None:
    """Each gate can fail: a gate that lets this page pass is broken itself."""

    def answer(route: Route) -> None:
        headers = {"Content-Security-Policy": csp.header(settings.SECURE_CSP), "Content-Type": "text/html"}
        route.fulfill(body=BAD.format(wide="x" * 400) + " " * 80_000, headers=headers)

    with visit("ada") as seen:
        scales = gates.Scales(seen.page)
        seen.page.route("**/bad/", answer)
        page = seen.go("/bad/")
        heard = " ".join(seen.problems)
        for wrong in ("inline script", "inline style", "https://elsewhere.example/x.png", "404"):
            assert wrong in heard, heard
        assert len(gates.ask(page, "inline")) == 3
        assert scales.too_heavy(most=75_000, requests=99)
        assert scales.too_heavy(most=150_000, requests=0)
        assert any("no ring" in wrong for wrong in gates.out_of_reach(page))
        assert len({wide.rpartition("at ")[2] for wide in gates.too_wide(page)}) == len(gates.WIDTHS)
        assert gates.too_small(page)
        assert {rule.partition(" ")[0] for rule in axe(page)} >= {"image-alt"}
        assert gates.dead_forms(page)


@pytest.mark.parametrize("colour", ["light", "dark"])
def test_it_finds_pale_words_in_either_theme(visit: Open, colour: str) -> None:
    """The policy keeps inline colours out of a page, so the style sheet's own are made worse here."""
    with visit("ada") as seen:
        page = seen.go("/settings/agents/")
        muted = {"light": "light-dark(#ddd, #9ca6b6)", "dark": "light-dark(#535c6b, #222)"}[colour]
        page.evaluate("muted => document.documentElement.style.setProperty('--muted', muted)", muted)
        wrong = axe(page)
        assert wrong
        assert [each for each in wrong if each.endswith("dark") != (colour == "dark")] == []


def test_it_finds_a_chart_that_lies(visit: Open) -> None:
    with visit("ada") as seen:
        page = seen.go(OVERVIEW)
        assert gates.untrue_charts(page) == []
        page.evaluate(
            "Chart.getChart(document.querySelector('.plot canvas')).data.datasets[0].data[3] += 0.01"
        )
        assert len(gates.untrue_charts(page)) == 1


def test_it_meets_every_page_of_the_product(tour: list[Stop], crawler: crawl.Crawler) -> None:
    """Links lead to each of them, and each answers its owner with 200; what is only sent to or mailed is named here."""
    ours = {route for route in routes() if crawl.is_page(f"/{route}")}
    assert ours - crawler.met - NOT_LINKED == set()
    assert ours >= NOT_LINKED, "gone, or linked by now"


def routes(patterns: Any = None, above: str = "") -> Iterator[str]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = above + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route


def test_it_keeps_staff_and_the_api_documents_to_the_policy_too(visit: Open) -> None:
    with visit("staff") as seen:
        listed = seen.go(ADMIN).locator("#content-main a").evaluate_all("links => links.map(a => a.pathname)")
        assert any(path.endswith("/add/") for path in listed)
        found = {}
        for path in [ADMIN, *listed, API_DOCS]:
            seen.go(path).wait_for_load_state("networkidle")
            found[path] = seen.problems.copy()
    assert wrong_only(found) == {}


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
