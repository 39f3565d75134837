"""When a browser has painted the largest part of a page (LCP), cold and over loopback."""

from playwright.sync_api import Browser, sync_playwright

from thinnest_billing.devstack.testing import chromium

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
)
LARGEST = """() => new Promise(tell => new PerformanceObserver(list =>
    tell(list.getEntries().at(-1).startTime)).observe({type: "largest-contentful-paint", buffered: true}))"""


def largest(url: str, cookie: str, *, times: int) -> list[float]:
    """Milliseconds of each of so many cold loads; none without a browser."""
    path = chromium()
    if path is None:
        return []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS.split())
        return [_once(browser, url, cookie) for _ in range(times)]


def _once(browser: Browser, url: str, cookie: str) -> float:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    name, _, value = cookie.partition("=")
    context.add_cookies([{"name": name, "value": value, "url": url}])
    page = context.new_page()
    page.goto(url, wait_until="networkidle")
    painted = float(page.evaluate(LARGEST))
    context.close()
    return painted
