"""The door of staff: guessers are slowed down, sessions are short, and the address is a setting."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import settings as project
from django.contrib import admin
from django.test import Client
from django.urls import path
from django.utils import timezone
from pytest_django import Settings

from accounts import limits, redis_link
from accounts.models import User
from billing import notices
from tests.factories import PASSWORD
from tests.staff.people import clerk, person, signed_in
from thinnest_billing import urls
from thinnest_billing.checks import admin_path_is_relative

pytestmark = pytest.mark.django_db
DOORS = {"/admin/login/": "username", "/sign-in/": "email"}
PROJECT = Path(__file__).parents[2]


def knock(client: Client, door: str, password: str = "wrong", email: str = "dee@example.com") -> int:
    return client.post(door, {DOORS[door]: email, "password": password}).status_code


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


@pytest.mark.parametrize("door", DOORS)
def test_it_lets_nobody_guess_the_password_of_staff_for_long(door: str) -> None:
    """Five a minute as for everybody, and ten in a quarter of an hour, by whichever door."""
    person("billing")
    start = timezone.now().replace(minute=0, second=5, microsecond=0)
    for minute in range(2):
        with time_machine.travel(start + timedelta(minutes=minute), tick=False):
            assert [knock(Client(), door) for _ in range(6)] == [200] * 5 + [429]
    with time_machine.travel(start + timedelta(minutes=2), tick=False):
        client = Client()
        assert knock(client, door, PASSWORD) == 429
        assert not is_in(client)
    with time_machine.travel(start + timedelta(minutes=15), tick=False):
        client = Client()
        assert knock(client, door, PASSWORD) == 302
        assert is_in(client)


def test_it_says_so_at_the_door_of_admin() -> None:
    person("billing")
    with time_machine.travel(timezone.now(), tick=False):  # within one minute
        for _ in range(5):
            knock(Client(), "/admin/login/")
        said = Client().post("/admin/login/", {"username": "dee@example.com", "password": PASSWORD})
    assert said.status_code == 429
    assert "Too many tries. You were not signed in." in said.content.decode()
    assert said["Retry-After"]


def test_customers_keep_their_own_limit(ada: User) -> None:
    start = timezone.now().replace(minute=0, second=5, microsecond=0)
    for minute in range(3):
        with time_machine.travel(start + timedelta(minutes=minute), tick=False):
            assert [knock(Client(), "/sign-in/", email=ada.email) for _ in range(5)] == [200] * 5


def test_without_redis_staff_have_two_tries_a_minute(settings: Settings) -> None:
    person("billing")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    redis_link.client.cache_clear()
    limits._tries.counts.clear()
    try:
        with time_machine.travel(timezone.now(), tick=False):
            assert [knock(Client(), "/admin/login/") for _ in range(3)] == [200, 200, 429]
    finally:
        redis_link.client.cache_clear()
        redis_link._closed_until = 0.0


def test_a_session_of_staff_ends_when_nobody_is_at_it() -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        client = clerk("billing")
    for minutes in (20, 40, 60):
        with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
            assert is_in(client), minutes
    with time_machine.travel(now + timedelta(minutes=91), tick=False):
        answer = client.get("/admin/", follow=True)
        assert answer.redirect_chain == [("/admin/login/?next=/admin/", 302)]
        assert "Your time here is over" in answer.content.decode()


def test_a_session_of_staff_ends_after_eight_hours_however_busy() -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        client = clerk("billing")
    for minutes in range(20, 480, 20):
        with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
            assert is_in(client)
    with time_machine.travel(now + timedelta(hours=8), tick=False):
        assert not is_in(client)


def test_an_act_of_an_old_session_is_not_done(ada: User) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        client = clerk("billing")
    with time_machine.travel(now + timedelta(minutes=31), tick=False):
        form = {"amount": "5", "reason": "Ticket 7", "key": "staff:1"}
        answer = client.post(f"/admin/billing/balance/{ada.account_id}/grant/", form)
    assert answer["Location"].startswith("/admin/login/")


def test_a_member_of_staff_stays_signed_in_as_a_customer(ada: User) -> None:
    """Only admin asks again; their own billing pages do not."""
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        client = signed_in(User.objects.get(pk=ada.pk))
    with time_machine.travel(now + timedelta(hours=9), tick=False):
        assert not is_in(client)
        assert client.get("/settings/billing/").status_code == 200
        assert knock(client, "/admin/login/", PASSWORD, ada.email) == 302
        assert is_in(client)


def test_a_customer_is_told_that_this_is_not_their_place(ada: User) -> None:
    page = signed_in(ada).get("/admin/", follow=True).content.decode()
    assert "who is not of staff" in page


def test_customers_sessions_are_as_long_as_ever(ada: User) -> None:
    client = signed_in(ada)
    with time_machine.travel(timezone.now() + timedelta(days=13), tick=False):
        assert client.get("/settings/billing/").status_code == 200
        assert client.get("/admin/").status_code == 302


# --- Its address ------------------------------------------------------------------------------------------------


class Elsewhere:
    """The product's addresses with the admin behind another one."""

    handler500 = urls.handler500
    urlpatterns = [
        *(one for one in urls.urlpatterns if str(one.pattern) != project.ADMIN_PATH),
        path("back-office-7/", admin.site.urls),
    ]


@pytest.fixture
def elsewhere(settings: Settings) -> None:
    settings.ADMIN_PATH, settings.ROOT_URLCONF = "back-office-7/", Elsewhere


def test_the_admin_s_address_is_a_setting(elsewhere: None, ada: User) -> None:
    client = Client()
    person("billing")
    answer = client.post("/sign-in/", {"email": "dee@example.com", "password": PASSWORD})
    assert answer["Location"] == "/back-office-7/"
    assert client.get("/admin/").status_code == 404
    for place in ("", f"account/{ada.account.public_id}/", "search/?q=ada", "billing/topup/"):
        page = client.get(f"/back-office-7/{place}", follow=True)
        assert page.status_code == 200
        assert not re.search(r'(href|action|src)="/admin/', page.content.decode()), place


def test_letters_to_staff_lead_there(elsewhere: None) -> None:
    from accounts.models import Mail

    person("billing")
    notices.tell_staff("key", "Look.", now=timezone.now())
    assert "/back-office-7/billing/staffnotice/" in Mail.objects.get().text


def test_nothing_spells_the_admin_s_address() -> None:
    """Files of the product ask Django for addresses."""
    spelt = re.compile(r"""["'(=]/admin/""")
    files = [file for app in ("accounts", "billing", "usage", "alerts", "thinnest_billing", "templates", "static")
             for file in (PROJECT / app).rglob("*") if file.suffix in (".py", ".html", ".txt", ".js")]  # fmt: skip
    assert len(files) > 300
    assert [file for file in files if "vendor" not in file.parts and spelt.search(file.read_text())] == []


@pytest.mark.parametrize("wrong", ["/admin/", "admin", "", "/", "settings/", "billing/", "ad min/", "../x/"])
def test_an_address_that_cannot_work_stops_the_start(settings: Settings, wrong: str) -> None:
    settings.ADMIN_PATH = wrong
    assert [found.id for found in admin_path_is_relative()] == ["thinnest_billing.E005"]


@pytest.mark.parametrize("right", ["admin/", "back-office-7/", "ops/staff/"])
def test_an_address_that_works_does_not(settings: Settings, right: str) -> None:
    settings.ADMIN_PATH = right
    assert admin_path_is_relative() == []
