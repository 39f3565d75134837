"""Auto-topup as its owner lives it in a browser: without JavaScript, with it, and with a bank that asks to confirm."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
OVERVIEW = "/settings/billing/"
PAGE = f"{OVERVIEW}auto-topup/"


def save_a_card(page: Page, number: str) -> None:
    """From the page of auto-topup to the processor's and back: our own page in between leads on by itself."""
    page.get_by_role("link", name=re.compile("^Add (a card|one)$")).click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/sandbox/checkout/**")
    page.get_by_label("Another test card's number").fill(number)
    page.get_by_role("button", name="Save this card").click()


def test_a_newcomer_turns_it_on_without_javascript(visit: Open) -> None:
    """S26: from the overview, with the first card on the way; it says what it will do, and what it did."""
    with visit("cy", java_script_enabled=False) as seen:
        page = seen.go(OVERVIEW)
        page.get_by_role("link", name="Set up auto-topup").click()
        save_a_card(page, "4242424242424242")
        expect(page.get_by_role("switch")).to_be_checked()
        expect(page.get_by_text("already below: we top up as soon as it is on.")).to_be_visible()
        page.get_by_label("When available falls below").fill("0.50")
        page.get_by_role("button", name="Save changes").click()
        expect(page.get_by_text("Please tick this first")).to_be_visible()
        expect(page.get_by_label("When available falls below")).to_have_value("0.50")
        page.get_by_label("I allow thinnest to charge this card automatically").check()
        page.get_by_role("button", name="Save changes").click()
        expect(page.get_by_text("Auto-topup is on.")).to_be_visible()
        expect(page.get_by_text("Next top-up: when less than $0.50 is available")).to_be_visible()
        seen.go(OVERVIEW)
        expect(
            page.get_by_role("region", name="Auto-topup").get_by_text("$25.00", exact=True)
        ).to_be_visible()


def test_the_sentence_follows_the_fields(visit: Open) -> None:
    with visit("ada") as seen:
        page = seen.go(PAGE)
        page.get_by_label("When available falls below").fill("31.5")
        page.get_by_label("Add this amount").fill("40")
        page.get_by_label("At most in a month").fill("")
        sentence = page.locator("form .note")
        expect(sentence).to_contain_text("When less than $31.50 is available, we charge $40.00")
        expect(sentence).to_contain_text("at most – a month")
        expect(sentence).not_to_contain_text("already below", use_inner_text=True)
        page.get_by_label("When available falls below").fill("1000")
        expect(sentence).to_contain_text("already below", use_inner_text=True)
        consent = page.get_by_label("I allow thinnest to charge this card automatically")
        expect(consent).to_be_visible()
        page.get_by_role("switch").press("Space")
        expect(consent).to_be_hidden()
        assert seen.problems == []


def test_it_confirms_with_the_bank_from_the_banner_to_the_credit(visit: Open) -> None:
    """The rehearsal's card asks each time: banner, top-up page, bank, and back to a topped-up balance."""
    with visit("ed") as seen:
        page = seen.go(OVERVIEW)
        banner = page.locator(
            ".note", has_text="Your bank wants you to confirm the automatic top-up of $25.00"
        )
        banner.get_by_role("link", name="Confirm").click()
        expect(page.get_by_role("heading", name="Confirm the automatic top-up of $25.00")).to_be_visible()
        page.get_by_role("button", name="Confirm with your bank").click()
        page.wait_for_url("**/sandbox/3ds/**")
        page.get_by_role("button", name="Confirm payment").click()
        expect(page.get_by_role("heading", name="$25.00 added")).to_be_visible()
        seen.go(OVERVIEW)
        expect(page.locator("main .figure").first).to_have_text("$26.00")
        expect(banner).to_have_count(0)


def test_a_stopped_one_is_turned_on_again_and_the_open_overview_follows(visit: Open) -> None:
    """S45: the balance, the banners and auto-topup follow by themselves, in place."""
    with visit("di") as seen, visit("di") as other:
        overview = seen.page
        overview.clock.install()
        seen.go(OVERVIEW)
        expect(overview.get_by_text("Your agents are paused")).to_be_visible()
        page = other.go(PAGE)
        page.get_by_label("I allow thinnest to charge this card automatically").check()
        page.get_by_role("button", name="Use this card and turn on again").click()
        expect(page.get_by_role("heading", name="$25.00 added")).to_be_visible()
        overview.evaluate("window.stayed = true")
        overview.clock.fast_forward(20_000)
        expect(overview.locator("main .figure").first).to_have_text("$25.00")
        expect(overview.locator(".side .balance-chip")).to_contain_text("$25.00")
        expect(overview.get_by_text("Your agents are paused")).to_have_count(0)
        expect(overview.get_by_role("region", name="Auto-topup")).to_contain_text("$25.00 of $200.00")
        assert overview.evaluate("window.stayed"), "nothing was reloaded"
        assert seen.problems == []
