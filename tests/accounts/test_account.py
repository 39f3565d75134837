"""The account page: name, time zone, members, password."""

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from tests import factories
from tests.accounts.mailbox import subjects
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def test_it_shows_the_time_where_the_account_is(client: Client, ada: User) -> None:
    ada.account.timezone = "Asia/Kathmandu"
    ada.account.save()
    client.force_login(ada)
    with time_machine.travel("2026-03-05T10:30:00Z", tick=False):
        page = client.get("/settings/account/").content.decode()
    assert "16:15" in page
    assert ada.account.public_id in page


def test_it_lets_the_owner_change_name_and_time_zone(client: Client, ada: User) -> None:
    client.force_login(ada)
    answer = client.post("/settings/account/", {"name": "Ada & Co", "timezone": "America/New_York"})
    ada.account.refresh_from_db()
    assert answer.status_code == 302
    assert (ada.account.name, ada.account.timezone) == ("Ada & Co", "America/New_York")


def test_it_refuses_a_time_zone_that_does_not_exist(client: Client, ada: User) -> None:
    client.force_login(ada)
    page = client.post("/settings/account/", {"name": "New name", "timezone": "Mars"}).content.decode()
    ada.account.refresh_from_db()
    assert ada.account.timezone == "UTC"
    assert 'value="New name"' in page


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_it_lets_nobody_else_change_them(client: Client, ada: User, role: str) -> None:
    client.force_login(factories.member(ada.account, email="bo@example.com", role=role))
    page = client.get("/settings/account/").content.decode()
    assert 'name="timezone"' not in page
    answer = client.post("/settings/account/", {"name": "Bo's now", "timezone": "UTC"})
    ada.account.refresh_from_db()
    assert (answer.status_code, ada.account.name) == (403, "Ada's agents")


def test_it_leads_to_the_members(client: Client, ada: User, bo: User) -> None:
    client.force_login(bo)
    page = client.get("/settings/account/").content.decode()
    assert 'href="/settings/account/members/"' in page
    assert "2 people" in page


def test_it_changes_the_password_and_ends_other_sessions(client: Client, ada: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(ada)
    client.force_login(ada)
    body = {"password": PASSWORD, "new_password": "a brand new password"}
    assert client.post("/settings/account/password/", body)["Location"] == "/settings/account/"
    assert client.get("/settings/account/").status_code == 200
    assert elsewhere.get("/settings/account/").status_code == 302
    assert subjects("ada@example.com") == ["Your password was changed"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"password": "wrong", "new_password": "a brand new password"}, "not your current password"),
        ({"password": PASSWORD, "new_password": "short"}, "at least 10 characters"),
        ({"password": PASSWORD, "new_password": "ada@example.com"}, "too similar"),
    ],
)
def test_it_keeps_the_password_and_says_why(
    client: Client, ada: User, body: dict[str, str], says: str
) -> None:
    client.force_login(ada)
    assert says in client.post("/settings/account/password/", body).content.decode()
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_it_asks_strangers_to_sign_in(client: Client) -> None:
    assert client.get("/settings/account/")["Location"] == "/sign-in/?next=/settings/account/"
    assert client.post("/settings/account/password/", {})["Location"].startswith("/sign-in/")
