"""What the scripts add to pages that work without them."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
ADD_FUNDS, RECORDS = "/settings/billing/add-funds/", "/settings/billing/records/"


def test_it_sums_up_what_will_be_charged_while_choosing(visit: Open) -> None:
    with visit("cy") as seen:
        page = seen.go(ADD_FUNDS)
        page.get_by_label("$100").check(force=True)
        expect(page.get_by_role("button", name="Pay $100.00")).to_be_visible()
        expect(page.locator("[data-out=balance]")).to_have_text("$101.00")
        page.get_by_label("Other amount").fill("7.5")
        expect(page.get_by_role("button", name="Pay $7.50")).to_be_visible()
        expect(page.locator("[data-out=balance]")).to_have_text("$8.50")
        assert not page.get_by_label("$100").is_checked()


@pytest.mark.parametrize("amount", ["4.99", "1000.01"])
def test_it_promises_nothing_beyond_the_limits(visit: Open, amount: str) -> None:
    with visit("cy") as seen:
        page = seen.go(ADD_FUNDS)
        page.get_by_label("Other amount").fill(amount)
        expect(page.get_by_role("button", name="Pay", exact=True)).to_be_visible()
        expect(page.locator("[data-out=balance]")).to_have_text("–")


def test_it_sends_a_payment_form_once_however_often_it_is_clicked(visit: Open) -> None:
    sent: list[str] = []

    def swallow(route: Route) -> None:
        sent.append(route.request.method)
        route.fulfill(status=204)

    with visit("cy") as seen:
        page = seen.go(ADD_FUNDS)
        page.route("**/add-funds/", swallow)
        for _ in range(3):
            page.get_by_role("button", name="Pay").click()
        assert sent == ["POST"]
        expect(page.get_by_role("button", name="Pay")).to_have_attribute("aria-busy", "true")


def test_it_copies_a_key_and_says_so(visit: Open) -> None:
    with visit("cy", permissions=["clipboard-read", "clipboard-write"]) as seen:
        page = seen.go("/settings/api-keys/")
        page.get_by_label("Name").fill("website chat")
        page.get_by_label("Read the balance").check()
        page.get_by_role("button", name="Create key").click()
        page.get_by_role("button", name="Copy text of the key").click()
        expect(page.locator("#live")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == page.locator("#key").inner_text()


def test_it_closes_the_menu_with_escape(visit: Open) -> None:
    with visit("cy", width=390) as seen:
        page = seen.go(RECORDS)
        page.get_by_label("Menu", exact=True).click()
        page.keyboard.press("Tab")
        page.keyboard.press("Escape")
        expect(page.get_by_role("link", name="API keys")).to_be_hidden()
        assert page.evaluate("document.activeElement.ariaLabel") == "Menu"


def test_it_brings_the_current_tab_into_view_on_a_phone(visit: Open) -> None:
    with visit("cy", width=320) as seen:
        page = seen.go("/settings/billing/pricing/")
        expect(page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=0.9)


def test_it_opens_a_record_from_anywhere_in_its_row(visit: Open) -> None:
    with visit("ada") as seen:
        page = seen.go(RECORDS)
        page.get_by_role("cell", name="gpt-4o-mini").first.click()
        expect(page).to_have_url(re.compile(f"{RECORDS}bill_"))
