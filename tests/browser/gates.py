"""What each gate asks of a page that the browser shows; each answers with what is wrong: nothing, on a good page."""

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

HERE = Path(__file__).parent
AXE = (HERE / "vendor" / "axe.min.js").read_text()
GATES = (HERE / "gates.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_COLOUR = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
WIDTHS, DESK, PHONE = (320, 390, 768, 1280), 1280, 390


def ask(page: Page, question: str) -> Any:
    return page.evaluate(f"{GATES}.{question}()")


def settle(page: Page) -> None:
    """Until the new size or theme is drawn: a chart follows two frames later."""
    for _ in range(4):
        page.evaluate("new Promise(requestAnimationFrame)")


def axe(page: Page) -> list[str]:
    """On a desk and on a phone, in both themes; in the dark only the colours are other ones."""
    page.evaluate(AXE)
    light = [broken for width in (DESK, PHONE) for broken in _axe_at(page, width, RULES)]
    page.emulate_media(color_scheme="dark")
    dark = [f"{broken}, dark" for width in (PHONE, DESK) for broken in _axe_at(page, width, OF_COLOUR)]
    page.emulate_media(color_scheme="light")
    return light + dark


def _axe_at(page: Page, width: int, rules: Any) -> list[str]:
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("scrollTo(0, 0)")  # or the bar at the top covers what the keyboard has scrolled to
    settle(page)
    options = {"runOnly": rules, "resultTypes": ["violations"], "preload": False}
    broken = page.evaluate(f"axe.run(document, {json.dumps(options)}).then((report) => report.violations)")
    return [f"{rule['id']} at {rule['nodes'][0]['target']}, {width} px" for rule in broken]


def too_wide(page: Page) -> list[str]:
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        settle(page)
        found += [f"{wide}, at {width} px" for wide in ask(page, "wide")]
    return found


def too_small(page: Page) -> list[str]:
    """Controls too small for a finger."""
    page.set_viewport_size({"width": PHONE, "height": 900})
    found: list[str] = ask(page, "small")
    page.set_viewport_size({"width": DESK, "height": 900})
    return found


def out_of_reach(page: Page) -> list[str]:
    """What the Tab key does not reach, or reaches without a ring."""
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


def untrue_charts(page: Page) -> list[str]:
    """Charts that draw anything else than what their table says, to the cent, day by day."""
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
    page.locator(".plot:not([data-ready])").first.wait_for(state="detached")
    return [f"{chart}" for chart in ask(page, "charts") if not _is_true(chart)]


def _is_true(chart: dict[str, Any]) -> bool:
    days = list(zip(*chart["drawn"], strict=True))
    return any(map(any, days)) and [[*values, sum(values)] for values in days] == chart["table"]


def dead_forms(page: Page) -> list[str]:
    """Without JavaScript: forms with no button that sends them, or a POST that the server would refuse."""
    return [form.inner_html()[:90] for form in page.locator("form:visible").all() if _is_dead(form)]


def _is_dead(form: Locator) -> bool:
    is_post = (form.get_attribute("method") or "").lower() == "post"
    is_signed = form.locator("[name=csrfmiddlewaretoken]").count() > 0
    return not form.locator("[type=submit]:visible").count() or (is_post and not is_signed)


class Scales:
    """Weighs what a page brings over the wire, nothing cached."""

    def __init__(self, page: Page) -> None:
        self.sizes: list[float] = []
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.send("Network.setCacheDisabled", {"cacheDisabled": True})
        network.on("Network.loadingFinished", lambda event: self.sizes.append(event["encodedDataLength"]))

    def too_heavy(self, *, most: int, requests: int) -> list[str]:
        weight, count = int(sum(self.sizes)), len(self.sizes)
        return [f"{weight} bytes in {count} requests"] if weight > most or count > requests else []
