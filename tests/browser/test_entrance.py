"""The pages that no link leads to: after sign-up, in the email's links, the new key, revoking."""

import pytest
from playwright.sync_api import Page

from tests.accounts import mailbox
from tests.browser.conftest import Open, Site
from tests.browser.gates import axe
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


def sign_up(page: Page, email: str) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Account name").fill("Eve's garden")
    page.get_by_role("button", name="Create account").click()


def create_key(page: Page) -> None:
    page.get_by_label("Name").fill("website chat")
    page.get_by_label("Read the balance").check()
    page.get_by_role("button", name="Create key").click()


def mailed(site: Site, email: str) -> str:
    return site.url + mailbox.links(email)[0]


def test_it_goes_from_sign_up_to_a_revoked_key_without_javascript(visit: Open, site: Site) -> None:
    """S10: an address and a password are all that it asks for."""
    email = "ivy@example.com"
    with visit(java_script_enabled=False) as seen:
        page = seen.go("/sign-up/")
        sign_up(page, email)
        assert email in page.get_by_role("main").inner_text()
        page.goto(mailed(site, email))
        page.get_by_role("button", name="Confirm and open my account").click()
        assert page.url.endswith("/settings/billing/")
        page = seen.go("/settings/api-keys/")
        create_key(page)
        assert "/billing/v3/balance" in page.locator("#curl").inner_text()
        page.get_by_role("link", name="I have copied it").click()
        page.get_by_role("link", name="Revoke website chat").click()
        page.get_by_role("button", name="Revoke this key").click()
        assert page.get_by_text("Revoked", exact=True).is_visible()


def test_it_leaves_axe_nothing_to_find_on_the_way(visit: Open, site: Site) -> None:
    email, found = "eva@example.com", {}
    with visit() as seen:
        page = seen.go("/sign-up/")
        sign_up(page, email)
        found["sent"] = axe(page)
        page.goto(mailed(site, email))
        found["confirm"] = axe(page)
        with visit() as elsewhere:
            elsewhere.page.goto(mailed(site, email))
            found["confirm elsewhere"] = axe(elsewhere.page)
        page.get_by_role("button", name="Confirm and open my account").click()
        page = seen.go("/settings/api-keys/")
        create_key(page)
        found["created"] = axe(page)
        page = seen.go("/settings/api-keys/")
        found["keys"] = axe(page)
        page.get_by_role("link", name="Revoke website chat").click()
        found["revoke"] = axe(page)
        seen.go("/confirm/nonsense/")
        found["expired"] = axe(seen.page)
    assert {where: wrong for where, wrong in found.items() if wrong} == {}


def test_it_proposes_the_browsers_time_zone(visit: Open) -> None:
    with visit(timezone_id="Asia/Kathmandu") as seen:
        assert seen.go("/sign-up/").get_by_label("Time zone").input_value() in (
            "Asia/Kathmandu",
            "Asia/Katmandu",
        )
        assert seen.problems == []
