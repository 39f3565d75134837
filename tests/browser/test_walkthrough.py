"""A customer's road from sign-up to the second month, on a phone of 390 px, with nothing but the keyboard.

docs/walkthrough.md tells it step by step. Every control is reached by Tab.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import time_machine
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from billing import verify
from tests.browser.conftest import Open, Site
from tests.browser.test_main_job import MANY, call, say
from tests.factories import PASSWORD
from tests.usage import events
from usage import agents, metering
from usage import verify as usage_verify

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
EMAIL, COLLEAGUE = "gil@example.com", "hal@example.com"
BILLING = "/settings/billing/"
FAR = 90  # presses of Tab: no control of a page is further away


class Keyboard:
    """A person who cannot point. Whatever is used must be reached by Tab; test_gates.py proves the visible ring."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page, self.site = page, site

    def to(self, control: Locator) -> None:
        for _ in range(FAR):
            if control.evaluate("e => e === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{control} cannot be reached by keyboard on {self.page.url}")

    def press(self, role: str, name: str, key: str = "Enter") -> None:
        self.to(self.page.get_by_role(role, name=name, exact=True).first)  # type: ignore[arg-type]
        self.page.keyboard.press(key)

    def choose(self, name: str) -> None:
        """A box or a switch."""
        self.to(self.page.get_by_label(name).first)
        self.page.keyboard.press("Space")

    def pick(self, name: str) -> None:
        """One of a group of radio buttons: Tab to the group, then the arrows."""
        wanted = self.page.get_by_label(name).first
        group = wanted.get_attribute("name")
        for _ in range(FAR):
            if self.page.evaluate("name => document.activeElement.name === name", group):
                break
            self.page.keyboard.press("Tab")
        for _ in range(20):
            if wanted.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{name} cannot be picked by keyboard on {self.page.url}")

    def write(self, label: str, text: str) -> None:
        self.to(self.page.get_by_label(label, exact=True).first)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def see(self, text: str) -> None:
        """It is on the page, and the page is not wider than the phone."""
        expect(self.page.get_by_role("main")).to_contain_text(text)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= 390

    def open(self, path: str) -> None:
        self.page.goto(self.site.url + path)


@pytest.fixture
def gil(visit: Open, site: Site) -> Iterator[Keyboard]:
    with visit(width=390) as seen:
        yield Keyboard(seen.page, site)


def come_in(gil: Keyboard) -> None:
    gil.open("/sign-up/")
    gil.write("Email", EMAIL)
    gil.write("Password", PASSWORD)
    gil.write("Account name", "Gil's garden")
    gil.press("button", "Create account")
    gil.page.wait_for_url("**/check-email/")
    gil.open("/sandbox/outbox/")
    gil.to(gil.page.locator("a[href*='/confirm/']").first)
    gil.page.keyboard.press("Enter")
    gil.press("button", "Confirm and open my account")
    gil.page.wait_for_url(f"**{BILLING}")
    gil.see("$1.00")


def make_key(gil: Keyboard) -> str:
    gil.open("/settings/api-keys/")
    gil.write("Name", "platform")
    gil.choose("Record usage and hold funds")
    gil.press("button", "Create key")
    gil.see("tb_test_")
    found = re.search(r"tb_test_\w+", gil.page.content())
    assert found
    return found.group()


def run_out(gil: Keyboard, key: str) -> None:
    assert say(gil.site, key, "gil-1")[0] == 201
    assert call(gil.site, key, "/billing/v3/usage", MANY | {"event_id": "gil-many"})[0] == 201
    assert say(gil.site, key, "gil-2")[0] == 201
    assert say(gil.site, key, "gil-3")[0] == 402
    gil.open(BILLING)
    gil.see("paused")


def pay(gil: Keyboard, key: str) -> None:
    gil.press("link", "Add funds")
    gil.page.wait_for_url("**/add-funds/")
    gil.pick("$25")
    gil.choose("Save the new card for later")
    gil.to(gil.page.get_by_role("button", name="Pay $25.00"))
    gil.page.keyboard.press("Enter")
    gil.page.wait_for_url("**/sandbox/checkout/**")
    gil.pick("4242 4242 4242 4242")
    gil.press("button", "Pay $25.00")
    gil.page.wait_for_url("**/topups/**")
    gil.see("$25.00 added")
    assert say(gil.site, key, "gil-3")[0] == 201


def never_run_out_again(gil: Keyboard) -> None:
    gil.open(f"{BILLING}auto-topup/")
    gil.choose("Add funds when the balance runs low")
    gil.write("When available falls below", "5.00")
    gil.write("Add this amount", "20.00")
    gil.choose("I allow thinnest to charge this card automatically")
    gil.to(gil.page.get_by_role("button", name="Save").first)
    gil.page.keyboard.press("Enter")
    gil.see("is on")
    gil.open(f"{BILLING}alerts/")
    gil.write("Amount", "3.00")
    gil.press("button", "Add alert")
    gil.see("$3.00")


def ask(gil: Keyboard) -> None:
    """What did this cost, why, and is it right?"""
    gil.open(f"{BILLING}records/")
    gil.to(gil.page.locator("main table a[href*='/records/bill_']").first)
    gil.page.keyboard.press("Enter")
    gil.page.wait_for_url("**/records/bill_*/")
    gil.see("340")
    gil.write("What looks wrong?", "I did not send this one.")
    gil.press("button", "Flag this charge")
    gil.see("I did not send this one.")


def invite(gil: Keyboard) -> None:
    gil.open("/settings/account/members/")
    gil.write("Email", COLLEAGUE)
    gil.press("button", "Send the invitation")
    gil.see(COLLEAGUE)


def come_back(gil: Keyboard) -> None:
    """The session is over by then."""
    gil.open(BILLING)
    gil.page.wait_for_url("**/sign-in/**")
    gil.write("Email", EMAIL)
    gil.write("Password", PASSWORD)
    gil.press("button", "Sign in")
    gil.page.wait_for_url(f"**{BILLING}")


def look_back(gil: Keyboard, last: date) -> None:
    gil.open(f"{BILLING}statement/")
    gil.press("link", "Previous month")
    gil.page.wait_for_url(f"**month={last:%Y-%m}")
    gil.see(f"Statement of {last:%B %Y}")
    gil.see("everything adds up")
    gil.see("+$25.00")
    gil.open(f"{BILLING}usage/?period={last:%Y-%m}&by=agent")
    gil.see("Shop")
    gil.open(f"{BILLING}receipts/")
    gil.to(gil.page.locator("main a[href*='/receipts/top_']").first)
    gil.page.keyboard.press("Enter")
    gil.see("$25.00")


def test_from_sign_up_to_the_second_month(gil: Keyboard) -> None:
    """S5 S10 S22 S26 S40: a month of a customer who has a phone and a keyboard."""
    come_in(gil)
    key = make_key(gil)
    run_out(gil, key)
    pay(gil, key)
    never_run_out_again(gil)
    ask(gil)
    invite(gil)
    first = timezone.now().date()
    later = (timezone.now().replace(day=1) + timedelta(days=32)).replace(day=21)
    owner = User.objects.get(email=EMAIL)
    assert owner.account_id
    metering.record(owner.account_id, events.chat("later", agent=agents.reference("Shop")), now=later)
    with time_machine.travel(later, tick=True):
        come_back(gil)
        gil.see("$25.00")
        look_back(gil, first)
    proofs = verify.CHECKS | verify.WHOLE | usage_verify.CHECKS
    assert verify.run(proofs, [owner.account_id]) == []
