"""Exporting everything and closing the account, with JavaScript off."""

import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from playwright.sync_api import expect

from accounts.models import Account, User
from tests import factories
from tests.browser.conftest import Open, Site, sign_in
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


def newcomer() -> tuple[User, str]:
    """Committed, as the test's own transaction is not: nobody else's pages lose an owner by this test."""
    person = factories.owner("gil@example.org", name="Gil's goodbye")
    User.objects.filter(pk=person.pk).update(password=make_password(PASSWORD))
    session = sign_in(User.objects.get(pk=person.pk))
    connection.close()
    return person, session


def is_closed(person: User) -> bool:
    closed_at = Account.objects.get(pk=person.account_id).closed_at
    connection.close()
    return closed_at is not None


def test_it_exports_and_closes_without_javascript(visit: Open, site: Site) -> None:
    with ThreadPoolExecutor(max_workers=1) as another_connection:
        person, session = another_connection.submit(newcomer).result()
        site.sessions["gil"] = session
        with visit("gil", width=390, java_script_enabled=False) as seen:
            page = seen.go("/settings/account/")
            page.get_by_role("link", name="Export my data").click()
            with page.expect_download() as waiting:
                page.get_by_role("button", name="Download the ZIP").click()
            assert waiting.value.suggested_filename.startswith("thinnest-export-")
            with zipfile.ZipFile(waiting.value.path()) as found:
                assert "README.txt" in found.namelist()
                assert person.email in found.read("you.json").decode()

            page = seen.go("/settings/account/")
            page.get_by_role("link", name="Close this account").click()
            page.get_by_label("Your password").fill("not this one")
            page.get_by_role("button", name="Close this account").click()
            expect(page.get_by_text("That is not your password.")).to_be_visible()
            page.get_by_label("Your password").fill(PASSWORD)
            page.get_by_role("button", name="Close this account").click()
            expect(page.get_by_text("The account “Gil's goodbye” is closed.")).to_be_visible()

            page.get_by_label("Email").fill(person.email)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_text("was closed on")).to_be_visible()
            assert not seen.problems
        assert another_connection.submit(is_closed, person).result()
