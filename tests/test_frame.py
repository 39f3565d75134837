"""What stands around every page: navigation, theme, error pages and the content policy."""

from datetime import timedelta
from decimal import Decimal
from unittest.mock import patch
from urllib.parse import quote

import pytest
from django.contrib.auth import SESSION_KEY
from django.core import mail as sent
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import Settings

from accounts import mail
from accounts.models import User
from billing import holds, ledger
from thinnest_billing import frame
from thinnest_billing.frame import Frame

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def asked(path: str, **cookies: str) -> HttpRequest:
    request = RequestFactory().get(path)
    request.COOKIES.update(cookies)
    return request


@pytest.mark.parametrize(
    "path",
    [
        "/sign-in/",
        "/no-such-page",
        "/admin/login/",
        "/billing/v3/balance",
        "/billing/openapi.json",
        "/healthz",
    ],
)
def test_it_sends_the_strict_policy_with_every_answer(client: Client, db: None, path: str) -> None:
    assert client.get(path)["Content-Security-Policy"] == POLICY


def test_it_marks_where_the_reader_is() -> None:
    here = Frame(asked("/settings/api-keys/"))
    below = Frame(asked("/settings/api-keys/key_1/revoke/"))
    assert {link.name: link.current for link in here.settings}["API keys"] == "page"
    assert {link.name: link.current for link in below.settings}["API keys"] == "true"
    assert [link.name for link in below.crumbs] == ["API keys"]


@pytest.mark.parametrize(("sent", "kept"), [("dark", "dark"), ("light", "light"), ("<script>", "")])
def test_it_shows_the_theme_of_the_cookie(sent: str, kept: str) -> None:
    assert Frame(asked("/", theme=sent)).theme == kept


def test_it_remembers_the_theme_and_goes_back(client: Client) -> None:
    answer = client.post("/theme/", {"theme": "dark", "next": "/settings/billing/?month=2026-03"})
    assert (answer.status_code, answer["Location"]) == (303, "/settings/billing/?month=2026-03")
    assert client.cookies["theme"].value == "dark"


@pytest.mark.parametrize(
    "next", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1", ""]
)
def test_it_never_goes_back_to_another_site(client: Client, next: str) -> None:
    assert client.post("/theme/", {"theme": "dark", "next": next})["Location"] == "/"


def test_it_sets_no_unknown_theme(client: Client) -> None:
    assert client.post("/theme/", {"theme": "pink"}).status_code == 303
    assert "theme" not in client.cookies


def test_it_keeps_the_theme_button_behind_the_csrf_check() -> None:
    assert Client(enforce_csrf_checks=True).post("/theme/", {"theme": "dark"}).status_code == 403


def test_it_shows_a_member_the_frame_around_a_missing_page(client: Client, ada: User) -> None:
    client.force_login(ada)
    page = client.get("/no-such-page").content.decode()
    assert "There is nothing here" in page
    assert "Balance</small><strong>$1.00" in page


def test_it_shows_a_stranger_a_missing_page_without_navigation(client: Client, db: None) -> None:
    answer = client.get("/no-such-page")
    assert answer.status_code == 404
    assert "API keys" not in answer.content.decode()


@pytest.mark.parametrize("signed_in", [True, False])
def test_it_shows_a_crash_without_asking_the_database(signed_in: bool) -> None:
    """No database fixture: a query would fail this test."""
    cookies = {"sessionid": SESSION_KEY, "theme": "dark"} if signed_in else {}
    request = asked("/settings/billing/", **cookies)
    request.id = "req_1234"
    answer = frame.crashed(request)
    page = answer.content.decode()
    assert answer.status_code == 500
    assert "Something broke on our side" in page
    assert "req_1234" in page
    assert ("API keys" in page, 'data-theme="dark"' in page) == (signed_in, signed_in)


def test_it_answers_an_unexpected_error_with_the_page_for_a_crash(db: None) -> None:
    client = Client(raise_request_exception=False)
    with patch("accounts.views.entrance.SignInForm", side_effect=ZeroDivisionError):
        answer = client.get("/sign-in/")
    assert (answer.status_code, "Something broke" in answer.content.decode()) == (500, True)
    assert answer["Content-Security-Policy"] == POLICY


def test_it_explains_a_refused_form(db: None) -> None:
    answer = Client(enforce_csrf_checks=True).post("/sign-in/", {"email": "ada@example.com"})
    assert (answer.status_code, "Nothing was sent or charged" in answer.content.decode()) == (403, True)


def test_it_takes_any_path_back_that_the_page_had(client: Client, db: None) -> None:
    page = client.get("/sign-in/?next=" + quote("/settings/billing/?a=1&b=2")).content.decode()
    assert 'name="next" value="/sign-in/?next=/settings/billing/%3Fa%3D1%26b%3D2"' in page


def test_the_chip_tells_what_is_available_only_where_it_reads_differently(client: Client, ada: User) -> None:
    """A tenth of a cent that is held would say "$1.00, $1.00 available"."""
    client.force_login(ada)
    for key, amount, words in (
        ("small", "0.001", "Balance</small>"),
        ("call", "0.5", "Balance, $0.50 available"),
    ):
        holds.hold(
            ada.account_id, key=key, request_hash=key.encode(), amount=Decimal(amount), purpose="call", terms={},
            lifetime=timedelta(hours=1),
        )  # fmt: skip
        page = client.get("/settings/agents/").content.decode()
        assert words in page, key


def test_every_page_says_whom_to_write_to(client: Client, ada: User, settings: Settings) -> None:
    """Refusals say "write to us": the address stands beside them, and letters are answered to it."""
    settings.SUPPORT_EMAIL = "help@example.com"
    assert 'href="mailto:help@example.com"' in client.get("/sign-in/").content.decode()
    ledger.freeze(ada.account_id, by="staff", frozen=True)
    client.force_login(ada)
    for page in ("/settings/agents/", "/settings/billing/", "/settings/billing/freeze/", "/no-such-page/"):
        shown = client.get(page).content.decode()
        assert 'href="mailto:help@example.com"' in shown, page
        assert shown.count("mailto:help@example.com") >= (2 if "freeze" in page else 1), page


def test_letters_are_answered_to_support(ada: User, settings: Settings) -> None:
    settings.SUPPORT_EMAIL, settings.EMAIL_URL = "help@example.com", "smtp://127.0.0.1:1"
    now = timezone.now()
    mail.send(ada.email, "password_changed", {"at": now}, user=ada, now=now)
    mail.deliver(now=now)
    assert sent.outbox[-1].reply_to == ["help@example.com"]
