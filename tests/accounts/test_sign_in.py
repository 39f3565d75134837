"""Signing in and out, and new passwords."""

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts import people
from accounts.models import User
from tests.accounts.mailbox import links, subjects
from tests.factories import BIRTHDAY, PASSWORD

pytestmark = pytest.mark.django_db
WRONG = "This email and password do not match."


def sign_in(
    client: Client, email: str = "ada@example.com", password: str = PASSWORD, **more: str
) -> HttpResponse:
    return client.post("/sign-in/", {"email": email, "password": password, **more})


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_it_signs_in_by_email_in_any_case_and_out_by_post(client: Client, ada: User) -> None:
    assert sign_in(client, "  ADA@Example.com ")["Location"] == "/settings/billing/"
    assert signed_in(client)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert not signed_in(client)


def test_it_sends_people_to_sign_in_and_back(client: Client, ada: User) -> None:
    asked = client.get("/settings/api-keys/")
    assert asked["Location"] == "/sign-in/?next=/settings/api-keys/"
    answer = client.post(asked["Location"], {"email": "ada@example.com", "password": PASSWORD})
    assert answer["Location"] == "/settings/api-keys/"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil"]
)
def test_it_never_sends_people_elsewhere(client: Client, ada: User, target: str) -> None:
    assert sign_in(client, next=target)["Location"] == "/settings/billing/"


def test_it_answers_alike_for_a_wrong_password_and_an_unknown_address(client: Client, ada: User) -> None:
    pages = [
        sign_in(client, password="wrong").content.decode(),
        sign_in(client, email="ida@example.com").content.decode().replace("ida@", "ada@"),
    ]
    assert all(WRONG in page for page in pages)
    assert all("ada@example.com" in page for page in pages)
    assert not signed_in(client)


def test_it_refuses_inactive_people_like_unknown_ones(client: Client, ada: User) -> None:
    ada.is_active = False
    ada.save()
    assert WRONG in sign_in(client).content.decode()


def test_it_writes_again_to_who_never_confirmed(client: Client) -> None:
    people.register(email="di@example.com", password=PASSWORD, name="D", timezone="UTC", now=BIRTHDAY)
    assert sign_in(client, "di@example.com")["Location"] == "/check-email/"
    assert not signed_in(client)
    assert client.post(links("di@example.com")[0])["Location"] == "/settings/billing/"


def test_it_sends_staff_without_an_account_to_the_admin(client: Client) -> None:
    User.objects.create_superuser("root@example.com", PASSWORD)
    assert sign_in(client, "root@example.com")["Location"] == "/admin/"
    assert client.get("/settings/api-keys/").status_code == 403


def test_it_slows_down_who_guesses_one_persons_password(client: Client, ada: User) -> None:
    statuses = [sign_in(client, password="wrong").status_code for _ in range(5)]
    refused = sign_in(client)
    assert statuses == [200] * 5
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert not signed_in(client)
    assert "You were not signed in" in refused.content.decode()


def test_it_slows_down_who_guesses_from_one_address(client: Client, ada: User) -> None:
    for number in range(10):
        sign_in(client, email=f"{number}@example.com")
    assert sign_in(client).status_code == 429
    assert sign_in(Client(REMOTE_ADDR="10.1.1.1")).status_code == 302


def test_it_slows_down_the_admins_door_too(client: Client) -> None:
    User.objects.create_superuser("root@example.com", PASSWORD)
    for _ in range(5):
        client.post("/admin/login/", {"username": "root@example.com", "password": "wrong"})
    client.post("/admin/login/", {"username": "root@example.com", "password": PASSWORD})
    assert not signed_in(client)


def test_it_allows_three_tries_a_minute_without_redis(client: Client, ada: User, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    from accounts import limits, redis_link

    redis_link.client.cache_clear()
    limits._tries.counts.clear()
    try:
        assert [sign_in(client, password="wrong").status_code for _ in range(4)] == [200, 200, 200, 429]
    finally:
        redis_link.client.cache_clear()
        redis_link._closed_until = 0.0


# --- new passwords ------------------------------------------------------------------------------------------


def test_it_changes_a_forgotten_password_once(client: Client, ada: User) -> None:
    signed_in_elsewhere = Client()
    sign_in(signed_in_elsewhere)
    assert client.post("/password-reset/", {"email": "Ada@example.com"})["Location"] == "/check-email/"
    (link,) = links("ada@example.com")
    assert client.get(link).status_code == 200
    assert client.post(link, {"new_password": "short"}).status_code == 200
    assert client.post(link, {"new_password": "a brand new password"})["Location"] == "/settings/billing/"
    ada.refresh_from_db()
    assert ada.check_password("a brand new password")
    assert signed_in(client)
    assert signed_in_elsewhere.get("/settings/account/").status_code == 302
    assert Client().get(link).status_code == 404
    assert subjects("ada@example.com") == ["Choose a new password", "Your password was changed"]


def test_it_answers_alike_for_an_unknown_address(client: Client, ada: User) -> None:
    assert client.post("/password-reset/", {"email": "nobody@example.com"})["Location"] == "/check-email/"
    assert subjects("nobody@example.com") == []


def test_it_confirms_the_address_with_a_reset(client: Client) -> None:
    """Who reads the mailbox owns the address, whoever signed up with it."""
    people.register(email="di@example.com", password="the stranger's", name="D", timezone="UTC", now=BIRTHDAY)
    client.post("/password-reset/", {"email": "di@example.com"})
    client.post(links("di@example.com")[0], {"new_password": "a brand new password"})
    user = User.objects.select_related("account").get()
    assert user.email_confirmed_at is not None
    assert user.account.opened_at is not None


@pytest.mark.parametrize("path", ["usr_x/abc", "x/y", "usr_00000000000000000000000000/c-d", "%00/%00"])
def test_it_says_so_when_a_reset_link_is_not_ours(client: Client, path: str) -> None:
    assert client.get(f"/password-reset/{path}/").status_code == 404


def test_it_stops_the_sixth_reset_of_an_hour(client: Client) -> None:
    answers = [client.post("/password-reset/", {"email": "x@example.com"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [302] * 5 + [429]
