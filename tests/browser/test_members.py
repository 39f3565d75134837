"""The whole road of an invitation, and the pages of members that no link of the crawl leads to."""

import pytest
from playwright.sync_api import Page

from accounts.models import Mail
from tests.browser.conftest import Open, Site
from tests.browser.test_gates import axe
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db]
MEMBERS = "/settings/account/members/"


def invite(page: Page, email: str) -> None:
    page.get_by_label("Email", exact=True).fill(email)
    page.get_by_label("Admin:").check()
    page.get_by_role("button", name="Send the invitation").click()


def mailed(site: Site, email: str) -> str:
    """The link of the last invitation; later emails have none."""
    invitation = Mail.objects.filter(to=email, secret=True).latest("created_at", "id")
    return next(word for word in invitation.text.split() if word.startswith(f"{site.url}/invitation/"))


def join(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("Choose a password").fill(PASSWORD)
    page.get_by_role("button", name="Join the account").click()


def test_it_goes_from_invitation_to_removal_without_javascript(visit: Open, site: Site) -> None:
    """Invited, sent to the right page, joined, promoted, removed; the removed one is out at once."""
    email = "gil@example.com"
    with visit("cy", java_script_enabled=False) as owner, visit(java_script_enabled=False) as guest:
        page = owner.go("/settings/account/")
        page.get_by_role("link", name="Manage members").click()
        invite(page, email)
        assert page.get_by_text(f"{email} is invited.").is_visible()
        join(guest.page, mailed(site, email))
        assert guest.page.url.endswith("/settings/billing/")
        assert guest.page.get_by_text("Welcome. You are an admin").is_visible()
        page = owner.go(MEMBERS)
        page.get_by_role("link", name=f"Change {email}").click()
        page.get_by_label("Viewer:").check()
        page.get_by_role("button", name="Save the role").click()
        assert page.get_by_text(f"{email} is a viewer now").is_visible()
        page.get_by_role("link", name=f"Change {email}").click()
        page.get_by_role("link", name=f"Remove {email}").click()
        page.get_by_role("button", name="Remove them").click()
        assert page.get_by_text(f"{email} is removed").is_visible()
        assert guest.go("/settings/billing/").get_by_role("heading", name="Sign in").is_visible()
        guest.page.goto(mailed(site, email))
        assert guest.page.get_by_text("was used already").is_visible()


def test_it_withdraws_and_hands_over_without_javascript(visit: Open, site: Site) -> None:
    with visit("ed", java_script_enabled=False) as owner, visit(java_script_enabled=False) as guest:
        page = owner.go(MEMBERS)
        invite(page, "gus@example.com")
        page.get_by_role("button", name="Withdraw the invitation of gus@example.com").click()
        guest.page.goto(mailed(site, "gus@example.com"))
        assert guest.page.get_by_text("This invitation was withdrawn").is_visible()
        invite(page, "flo@example.com")
        join(guest.page, mailed(site, "flo@example.com"))
        page = owner.go(MEMBERS)
        page.get_by_role("link", name="Change flo@example.com").click()
        page.get_by_role("link", name="Make an owner of flo@example.com").click()
        page.get_by_label("I hand over and become an admin").check()
        page.get_by_role("button", name="Make them an owner").click()
        assert page.get_by_text("You are an admin.", exact=False).first.is_visible()
        assert not page.get_by_role("heading", name="Invite somebody").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_leaves_axe_nothing_to_find_on_the_way(visit: Open, site: Site, theme: str) -> None:
    email, found = f"gil-{theme}@example.com", {}
    with (
        visit("di", color_scheme=theme, bypass_csp=True) as owner,
        visit(color_scheme=theme, bypass_csp=True) as guest,
    ):
        page = owner.go(MEMBERS)
        invite(page, email)
        found["invited"] = axe(page)
        page.goto(mailed(site, email))
        found["elsewhere"] = axe(page)
        guest.page.goto(mailed(site, email))
        found["join"] = axe(guest.page)
        guest.page.goto(site.url + "/invitation/nonsense/")
        found["unknown"] = axe(guest.page)
        join(guest.page, mailed(site, email))
        found["leave"] = axe(guest.go(f"{MEMBERS}leave/"))
        found["everywhere"] = axe(guest.go("/sign-out/everywhere/"))
        page = owner.go(MEMBERS)
        page.get_by_role("link", name=f"Change {email}").click()
        found["member"] = axe(page)
        page.get_by_role("link", name=f"Make an owner of {email}").click()
        found["owner"] = axe(page)
        page.go_back()
        page.get_by_role("link", name=f"Remove {email}").click()
        found["remove"] = axe(page)
        found["last owner"] = axe(owner.go(f"{MEMBERS}leave/"))
    assert {where: wrong for where, wrong in found.items() if wrong} == {}
