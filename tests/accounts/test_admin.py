"""Django admin for accounts, people, keys and mail."""

import re

import pytest
from django.test import Client

from accounts import mail
from accounts.models import ApiKey, User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root@example.com", factories.PASSWORD))
    return client


@pytest.mark.parametrize("model", ["account", "user", "apikey", "mail"])
def test_it_opens_every_list(staff: Client, ada: User, ada_key: str, model: str) -> None:
    mail.send(ada.email, "password_changed", {"at": factories.BIRTHDAY}, user=ada, now=factories.BIRTHDAY)
    assert staff.get(f"/admin/accounts/{model}/").status_code == 200
    assert staff.get(f"/admin/accounts/{model}/?q=ada").status_code == 200


def test_it_finds_an_account_by_its_id_its_name_and_its_owner(staff: Client, ada: User, cy: User) -> None:
    for words in (ada.account.public_id, "Ada's", "ada@example.com"):
        page = staff.get("/admin/accounts/account/", {"q": words}).content.decode()
        assert "Ada&#x27;s agents" in page
        assert "Cy&#x27;s shop" not in page


def test_it_opens_every_row(staff: Client, ada: User) -> None:
    row = mail.send(
        ada.email, "confirm_email", {"link": "the secret"}, user=ada, now=factories.BIRTHDAY, secret=True
    )
    for path in (f"account/{ada.account_id}", f"user/{ada.pk}"):
        assert staff.get(f"/admin/accounts/{path}/change/").status_code == 200
    page = staff.get(f"/admin/accounts/mail/{row.pk}/change/").content.decode()
    assert "Hidden" in page
    assert "the secret" not in page


def test_it_makes_a_platform_key_and_shows_it_once(staff: Client) -> None:
    form = {
        "name": "calls",
        "scopes": ["usage:write", "balance:read"],
        "expires_at_0": "",
        "expires_at_1": "",
    }
    page = staff.post("/admin/accounts/apikey/add/", form, follow=True).content.decode()
    plain = re.search(r"tb_test_\w{36}", page)[0]
    row = ApiKey.objects.get()
    assert (row.account, row.scopes) == (None, ["balance:read", "usage:write"])
    assert plain not in staff.get("/admin/accounts/apikey/").content.decode()


def test_it_offers_no_platform_key_that_adds_funds(staff: Client) -> None:
    staff.post("/admin/accounts/apikey/add/", {"name": "calls", "scopes": ["topup:write"]})
    assert not ApiKey.objects.exists()


def test_it_revokes_chosen_keys(staff: Client, ada_key: str) -> None:
    row = ApiKey.objects.get()
    staff.post("/admin/accounts/apikey/", {"action": "revoke", "_selected_action": [str(row.pk)]})
    row.refresh_from_db()
    assert row.revoked_at is not None


def test_it_takes_the_word_of_staff_for_an_address(staff: Client) -> None:
    form = {"email": "New@Example.com", "usable_password": "true", "password1": "a brand new password"}
    staff.post("/admin/accounts/user/add/", form | {"password2": "a brand new password"})
    assert User.objects.get(email="new@example.com").email_confirmed_at is not None


def test_it_deletes_nothing(staff: Client, ada: User, ada_key: str) -> None:
    for path in (f"account/{ada.account_id}", f"user/{ada.pk}", f"apikey/{ApiKey.objects.get().pk}"):
        assert staff.post(f"/admin/accounts/{path}/delete/", {"post": "yes"}).status_code == 403


def test_it_lets_customers_in_nowhere(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert client.get("/admin/accounts/user/").status_code == 302
