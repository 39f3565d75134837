"""From nothing to an open account: sign-up, the email, the button."""

import threading

import pytest
import time_machine
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from accounts import people
from accounts.models import Account, Mail, User
from accounts.signals import account_opened
from tests.accounts.mailbox import links, subjects
from tests.factories import BIRTHDAY, PASSWORD

pytestmark = pytest.mark.django_db
DI = {"email": "Di@Example.com", "password": PASSWORD, "name": "Di's shop", "timezone": "Europe/Berlin"}


def sign_up(client: Client, **changes: str) -> HttpResponse:
    return client.post("/sign-up/", DI | changes)


def test_it_opens_an_account_by_a_confirmed_address(client: Client) -> None:
    """S10: from sign-up to a working account without any payment details."""
    answer = sign_up(client)
    assert answer["Location"] == "/check-email/"
    assert b"di@example.com" in client.get("/check-email/").content
    user = User.objects.get(email="di@example.com")
    assert (user.account.opened_at, user.email_confirmed_at, user.role) == (None, None, "owner")
    assert (user.account.name, user.account.timezone) == ("Di's shop", "Europe/Berlin")

    (link,) = links("di@example.com")
    assert client.get(link).status_code == 200
    user.refresh_from_db()
    assert user.email_confirmed_at is None  # following a link is what mail scanners do
    answer = client.post(link)
    user.account.refresh_from_db()
    assert user.account.opened_at is not None
    assert answer["Location"] == "/settings/billing/"
    assert client.session["_auth_user_id"] == str(user.pk)


def test_it_stays_kind_when_the_link_is_used_again(client: Client) -> None:
    sign_up(client)
    (link,) = links("di@example.com")
    client.post(link)
    assert client.post(link)["Location"] == "/settings/billing/"
    elsewhere = Client()
    assert elsewhere.get(link)["Location"] == "/sign-in/"
    assert "Your email address is confirmed" in elsewhere.get("/sign-in/").content.decode()


def test_it_asks_another_browser_for_the_password(client: Client) -> None:
    """Somebody else may have signed up with this address: a click must not open an account for them."""
    sign_up(client)
    (link,) = links("di@example.com")
    elsewhere = Client()
    assert b'name="password"' in elsewhere.get(link).content
    refused = elsewhere.post(link, {"password": "not the password"})
    assert "not the password that was chosen" in refused.content.decode()
    assert User.objects.get().email_confirmed_at is None
    assert elsewhere.post(link, {"password": PASSWORD})["Location"] == "/settings/billing/"
    assert User.objects.get().email_confirmed_at is not None


def test_it_does_not_let_a_stranger_in_who_signed_up_with_my_address_after_me(client: Client) -> None:
    sign_up(client)
    sign_up(Client(), password="the stranger's own words")
    for link in (links("di@example.com")[0],):
        assert b'name="password"' in client.get(link).content  # my browser is no longer the one
        client.post(link, {"password": PASSWORD})
    assert User.objects.get().email_confirmed_at is None


def test_it_answers_alike_whether_or_not_the_address_exists(client: Client, ada: User) -> None:
    known, unknown = sign_up(client, email="Ada@example.com"), sign_up(Client(), email="new@example.com")
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    page = client.get("/check-email/").content
    assert page.replace(b"ada@example.com", b"new@example.com").count(b"new@example.com") == 1
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)
    assert subjects("ada@example.com") == ["You already have an account"]
    assert User.objects.count() == 2
    assert Account.objects.count() == 2


def test_it_lets_the_last_sign_up_of_an_unconfirmed_address_win(client: Client) -> None:
    sign_up(client)
    sign_up(client, password="another good password", name="Second try")
    user = User.objects.get()
    assert user.check_password("another good password")
    assert user.account.name == "Second try"
    assert client.post(links("di@example.com")[0]).status_code == 302


def test_it_never_touches_staff_that_is_unconfirmed(client: Client) -> None:
    User.objects.create_user("root@example.com", PASSWORD, is_staff=True)
    sign_up(client, email="root@example.com", password="the stranger's own words")
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.parametrize("token", ["x", "usr_1:2:3", "usr_0000000000000000000000000A:1abcde:sig", "%00"])
def test_it_says_so_when_a_link_is_not_ours(client: Client, token: str) -> None:
    answer = client.get(f"/confirm/{token}/")
    assert answer.status_code == 404
    assert "no longer works" in answer.content.decode()


def test_it_lets_links_expire_after_a_week(client: Client) -> None:
    with time_machine.travel(BIRTHDAY, tick=False):
        sign_up(client)
        (link,) = links("di@example.com")
    with time_machine.travel(BIRTHDAY.replace(day=9), tick=False):
        assert client.get(link).status_code == 404
    with time_machine.travel(BIRTHDAY.replace(day=7), tick=False):
        assert client.get(link).status_code == 200


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"email": "nonsense"}, "Enter a valid email address"),
        ({"email": "a\x00b@example.com"}, "Null characters"),
        ({"password": "short"}, "at least 10 characters"),
        ({"password": "1234567890"}, "too common"),
        ({"password": "di@example.com"}, "too similar"),
        ({"name": ""}, "This field is required"),
        ({"name": "x" * 81}, "at most 80 characters"),
        ({"timezone": "Mars/Olympus"}, "not one of the available choices"),
        ({"timezone": "../../etc/passwd"}, "not one of the available choices"),
    ],
)
def test_it_keeps_what_was_typed_and_says_what_is_wrong(
    client: Client, changes: dict[str, str], says: str
) -> None:
    page = sign_up(client, **changes).content.decode()
    assert says in page
    assert "Europe/Berlin" in page
    assert PASSWORD not in page
    assert not User.objects.exists()


def test_it_stops_the_sixth_sign_up_of_an_hour(client: Client) -> None:
    for number in range(5):
        assert sign_up(client, email=f"{number}@example.com").status_code == 302
    refused = sign_up(client, email="6@example.com")
    assert (refused.status_code, refused["Retry-After"]) == (429, "3600")
    assert "Nothing was created" in refused.content.decode()
    assert User.objects.count() == 5


def test_it_writes_at_most_five_mails_an_hour_to_one_address(ada: User) -> None:
    for _ in range(7):
        people.forgot_password("ada@example.com", now=BIRTHDAY)
    assert Mail.objects.filter(to="ada@example.com").count() == 5


def test_it_sends_the_birth_of_the_account_once(ada: User) -> None:
    heard: list[object] = []
    account_opened.connect(lambda account_id, **_: heard.append(account_id), weak=False, dispatch_uid="once")
    try:
        user = people.register(
            email="e@example.com", password=PASSWORD, name="E", timezone="UTC", now=BIRTHDAY
        )
        assert heard == []
        assert people.confirm(user, now=BIRTHDAY) is True
        assert people.confirm(user, now=BIRTHDAY) is False
        assert heard == [user.account_id]
    finally:
        account_opened.disconnect(dispatch_uid="once")


@pytest.mark.django_db(transaction=True)
def test_it_opens_once_when_the_button_is_pressed_many_times_at_once() -> None:
    heard: list[object] = []
    account_opened.connect(lambda account_id, **_: heard.append(account_id), weak=False, dispatch_uid="race")
    user = people.register(email="e@example.com", password=PASSWORD, name="E", timezone="UTC", now=BIRTHDAY)
    results: list[bool] = []

    def press() -> None:
        results.append(people.confirm(user, now=BIRTHDAY))
        connection.close()

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    account_opened.disconnect(dispatch_uid="race")
    assert sorted(results) == [False] * 7 + [True]
    assert heard == [user.account_id]


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_account_when_the_form_is_sent_many_times_at_once() -> None:
    statuses: list[int] = []

    def send() -> None:
        statuses.append(sign_up(Client(REMOTE_ADDR=f"10.0.0.{len(statuses)}")).status_code)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [302] * 4
    assert (User.objects.count(), Account.objects.count()) == (1, 1)
