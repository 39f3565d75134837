"""Settings > API keys."""

import re

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils.html import escape

from accounts import api_keys
from accounts.ids import uuid7
from accounts.models import ApiKey, Scope, User
from tests import factories
from tests.api_client import ApiClient

pytestmark = pytest.mark.django_db
PAGE = "/settings/api-keys/"


def create(client: Client, **changes: object) -> HttpResponse:
    form = {
        "id": str(uuid7()),
        "name": "website chat",
        "scopes": ["balance:read", "usage:write"],
        "expires": "",
    }
    return client.post(PAGE, form | changes)


def shown_key(answer: HttpResponse) -> str:
    return re.search(r"tb_test_\w{36}", answer.content.decode())[0]


def test_it_shows_a_new_key_once_with_a_command_that_uses_it(
    client: Client, ada: User, api: ApiClient
) -> None:
    client.force_login(ada)
    answer = create(client)
    plain = shown_key(answer)
    row = ApiKey.objects.get()
    assert bytes(row.digest) == api_keys.digest(plain)
    assert (row.account, row.created_by, row.scopes) == (ada.account, ada, ["balance:read", "usage:write"])
    curl = f'curl "http://127.0.0.1:8000/billing/v3/balance?period=month" \\\n  -H "Authorization: Bearer {plain}"'
    assert escape(curl) in answer.content.decode()
    assert answer["Cache-Control"].count("no-store") == 1
    assert plain not in client.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("history:read", "/billing/history/me?limit=10"),
        ("usage:write", "/billing/v3/authorize?type=chat"),
        ("topup:write", "/billing/v3/payment-methods"),
    ],
)
def test_it_shows_a_command_that_the_key_may_do(client: Client, ada: User, scope: str, path: str) -> None:
    client.force_login(ada)
    assert path in create(client, scopes=[scope]).content.decode()


def test_it_makes_one_key_of_a_form_sent_twice(client: Client, ada: User) -> None:
    client.force_login(ada)
    form_id = str(uuid7())
    create(client, id=form_id)
    again = create(client, id=form_id)
    assert again["Location"] == PAGE
    assert "created already" in client.get(PAGE).content.decode()
    assert ApiKey.objects.count() == 1


def test_it_lets_admins_make_keys_but_none_that_adds_funds(client: Client, ada: User) -> None:
    client.force_login(factories.member(ada.account, email="bo@example.com", role="admin"))
    assert "topup:write" not in client.get(PAGE).content.decode()
    refused = create(client, scopes=["topup:write"])
    assert "topup:write is not one of the available choices" in refused.content.decode()
    assert not ApiKey.objects.exists()
    shown_key(create(client))


def test_it_lets_viewers_look_only(client: Client, ada: User, bo: User) -> None:
    row, _ = api_keys.create(account=ada.account, name="ci", scopes=[], now=factories.BIRTHDAY)
    client.force_login(bo)
    page = client.get(PAGE).content.decode()
    assert "ci" in page
    assert "Create key" not in page
    assert "revoke" not in page
    assert create(client).status_code == 403
    assert client.post(f"{PAGE}{row.public_id}/revoke/").status_code == 403
    row.refresh_from_db()
    assert row.revoked_at is None


def test_it_revokes_on_a_page_of_its_own(client: Client, ada: User, api: ApiClient) -> None:
    row, plain = api_keys.create(account=ada.account, name="ci", scopes=Scope.values, now=factories.BIRTHDAY)
    client.force_login(ada)
    page = f"{PAGE}{row.public_id}/revoke/"
    assert "cannot be undone" in client.get(page).content.decode()
    assert api.get("/billing/v3/nothing", key=plain).status_code == 404
    assert client.post(page)["Location"] == PAGE
    row.refresh_from_db()
    assert row.revoked_at is not None
    assert "Revoked" in client.get(PAGE).content.decode()
    assert "is revoked" in client.get(page).content.decode()


def test_it_answers_404_for_a_strangers_key(client: Client, ada: User, cy: User) -> None:
    row, _ = api_keys.create(account=ada.account, name="ci", scopes=[], now=factories.BIRTHDAY)
    client.force_login(cy)
    for name in (row.public_id, "key_nonsense", str(row.pk), "acct_00000000000000000000000000"):
        assert client.post(f"{PAGE}{name}/revoke/").status_code == 404
    row.refresh_from_db()
    assert row.revoked_at is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": ""}, "This field is required"),
        ({"scopes": []}, "Choose at least one thing"),
        ({"scopes": ["root"]}, "not one of the available choices"),
        ({"expires": "1"}, "not one of the available choices"),
        ({"name": "x" * 81}, "at most 80"),
    ],
)
def test_it_says_what_is_wrong_and_makes_no_key(
    client: Client, ada: User, changes: dict[str, object], says: str
) -> None:
    client.force_login(ada)
    assert says in create(client, **changes).content.decode()
    assert not ApiKey.objects.exists()


def test_it_ends_a_key_when_its_days_are_over(client: Client, ada: User) -> None:
    client.force_login(ada)
    create(client, expires="30")
    row = ApiKey.objects.get()
    assert (row.expires_at - row.created_at).days == 30


def test_it_invites_to_make_the_first_key(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert "No keys yet" in client.get(PAGE).content.decode()
