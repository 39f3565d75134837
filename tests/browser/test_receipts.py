"""A receipt on paper: black on white from either theme, the content alone; and the button that prints it."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page
from pytest_django.plugin import DjangoDbBlocker

from billing.models import TopUp
from tests.browser.conftest import Open, Site

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture
def path(site: Site, django_db_blocker: DjangoDbBlocker) -> str:
    topup = TopUp.objects.filter(account=site.people["ada"].account, status=TopUp.Status.SUCCEEDED).first()
    assert topup is not None
    return reverse("receipt", args=[topup.public_id])


def colour(page: Page, selector: str, name: str) -> str:
    return str(page.locator(selector).first.evaluate("(part, name) => getComputedStyle(part)[name]", name))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_prints_the_same_from_either_theme(visit: Open, site: Site, path: str, theme: str) -> None:
    with visit("ada", color_scheme=theme) as seen:
        seen.page.context.add_cookies([{"name": "theme", "value": theme, "url": site.url}])
        page = seen.go(path)
        page.emulate_media(media="print")
        assert colour(page, ".sheet", "color") == "rgb(16, 20, 27)"
        assert colour(page, ".sheet", "backgroundColor") == "rgb(255, 255, 255)"
        assert colour(page, "body", "backgroundColor") == "rgba(0, 0, 0, 0)"
        for hidden in (".side", ".top", ".tabs", "[data-print]", "h1"):
            assert page.locator(hidden).first.is_hidden(), hidden
        assert page.get_by_text("Prepaid account credit").is_visible()


def test_it_has_a_print_button_where_it_works(visit: Open, path: str) -> None:
    with visit("ada") as seen:
        seen.page.add_init_script("window.print = () => { document.title = 'printed'; };")
        page = seen.go(path)
        page.get_by_role("button", name="Print").click()
        assert page.title() == "printed"
    with visit("ada", java_script_enabled=False) as seen:
        assert seen.go(path).get_by_role("button", name="Print").count() == 0
