"""The pages of staff in a real browser: nothing the policy refuses, readable on a phone, and done by keyboard."""

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.browser.conftest import Open, Site
from usage.models import Charge, Flag

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture(scope="module")
def places(site: Site, django_db_blocker: DjangoDbBlocker) -> dict[str, str]:
    ada = site.people["ada"]
    with django_db_blocker.unblock():
        flag = Flag.objects.filter(account=ada.account_id, outcome="open").first()
        charge = Charge.objects.filter(account_id=ada.account_id, type="chat", reverses=None).latest(
            "recorded_at"
        )
    return {
        "home": "/admin/",
        "account": f"/admin/account/{ada.account.public_id}/",
        "search": "/admin/search/?q=4242",
        "nothing": "/admin/search/?q=nothing-like-it",
        "log": "/admin/accounts/staffact/",
        "flags": "/admin/usage/flag/",
        "flag": f"/admin/usage/flag/{flag.pk}/change/" if flag else "/admin/usage/flag/",
        "reverse": f"/admin/usage/charge/{charge.pk}/reverse/",
        "price": "/admin/usage/price/add/",
        "grant": f"/admin/billing/balance/{ada.account_id}/grant/",
        "transfer": f"/admin/billing/balance/{ada.account_id}/receive/",
    }


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_staff_keep_the_policy_and_fit(
    visit: Open, places: dict[str, str], scheme: str, width: int
) -> None:
    with visit("staff", width=width, color_scheme=scheme) as visited:
        for name, path in places.items():
            page = visited.go(path)
            assert visited.problems == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_staff_find_an_account_by_keyboard_alone(visit: Open, site: Site, places: dict[str, str]) -> None:
    with visit("staff") as visited:
        page = visited.go("/admin/")
        box = page.get_by_label("Find")
        for _ in range(30):
            page.keyboard.press("Tab")
            if box.evaluate("box => box === document.activeElement"):
                break
        page.keyboard.type(site.people["ada"].account.public_id)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name=site.people["ada"].account.name).wait_for()
        assert page.url.endswith(places["account"])


def test_a_price_is_tried_and_then_added(visit: Open) -> None:
    with visit("staff") as visited:
        page = visited.go("/admin/usage/price/add/")
        page.get_by_label("Meter").fill("gpt-4o.input")
        page.get_by_label("Rate").fill("2.60")
        page.get_by_role("button", name="Try it on last week").click()
        page.get_by_text("gpt-4o.input at $2.60 instead of $2.50").wait_for()
        assert visited.problems == []
        page.get_by_role("button", name="Add this price").wait_for()
