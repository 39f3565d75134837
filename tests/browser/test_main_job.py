"""The main job, as a person and the platform live it: sign up, use, run out, pay, go on. JavaScript is off."""

import json
import re
import urllib.error
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Page

from accounts.models import User
from billing import verify
from tests.browser.conftest import Open, Site
from tests.factories import PASSWORD
from usage import verify as usage_verify

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
EMAIL = "fay@example.com"
MESSAGE = {
    "type": "chat",
    "model": "gpt-4o-mini",
    "input_tokens": 1250,
    "output_tokens": 340,
    "agent": "Shop",
}
# The other 2,500 messages of the dollar in one: $0.999108, which leaves $0.0005005.
MANY = {"event_id": "many", **MESSAGE, "input_tokens": 0, "output_tokens": 1_665_180}


def call(site: Site, key: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(site.url + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def say(site: Site, key: str, event_id: str) -> tuple[int, dict[str, Any]]:
    return call(site, key, "/billing/v3/usage", {"event_id": event_id, **MESSAGE})


def come_in(page: Page, site: Site) -> None:
    """Sign up, and follow the link of the email that this browser asked for."""
    page.goto(f"{site.url}/sign-up/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Account name").fill("Fay's flowers")
    page.get_by_role("button", name="Create account").click()
    page.goto(f"{site.url}/sandbox/outbox/")
    page.locator("a[href*='/confirm/']").first.click()
    page.get_by_role("button", name="Confirm and open my account").click()


def make_key(page: Page, site: Site) -> str:
    page.goto(f"{site.url}/settings/api-keys/")
    page.get_by_label("Name").fill("platform")
    page.get_by_label("Record usage and hold funds").check()
    page.get_by_role("button", name="Create key").click()
    found = re.search(r"tb_test_\w+", page.content())
    assert found
    return found.group()


def pay_with_a_new_visa(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/settings/billing/")
    page.get_by_role("link", name="Add funds").first.click()
    page.get_by_label("$25", exact=True).check(force=True)
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url("**/sandbox/checkout/**")  # our page leads there by itself, without any script
    page.get_by_label("4242 4242 4242 4242").check(force=True)
    page.get_by_role("button", name="Pay $25.00").click()


def main_text(page: Page, url: str) -> str:
    page.goto(url)
    return page.get_by_role("main").inner_text()


def test_from_sign_up_through_running_out_to_going_on(visit: Open, site: Site) -> None:
    """S1 S5 S6 S10 S22 S24 S25 S43: the trial buys messages to the last that fits, a top-up the next one."""
    overview = f"{site.url}/settings/billing/"
    with visit(java_script_enabled=False) as seen:
        page = seen.page
        come_in(page, site)
        assert "$1.00" in main_text(page, overview), "the trial is there, and no card was asked for"
        key = make_key(page, site)
        assert say(site, key, "hello")[0] == 201
        assert call(site, key, "/billing/v3/usage", MANY)[0] == 201
        assert say(site, key, "the last that fits")[0] == 201
        status, refusal = say(site, key, "one too many")
        assert (status, refusal["code"]) == (402, "insufficient_balance")
        assert refusal["topup_url"] == f"{overview}add-funds/"
        assert "paused" in main_text(page, overview)
        pay_with_a_new_visa(page, site)
        assert "$25.00 added" in page.get_by_role("main").inner_text()
        assert "paused" not in main_text(page, overview)
        assert say(site, key, "one too many")[0] == 201
        assert "Shop" in main_text(page, f"{overview}records/")
    account_id = User.objects.get(email=EMAIL).account_id
    assert verify.run(verify.CHECKS | verify.WHOLE | usage_verify.CHECKS, [account_id]) == []
