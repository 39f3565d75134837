"""A real browser on the real product: WhiteNoise, CSP, PostgreSQL and all. See test_gates.py."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.test import Client, override_settings
from django.test.testcases import LiveServerThread
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from tests.browser import world
from thinnest_billing.devstack.testing import chromium

# Playwright runs an event loop in the tests' own thread, where the fixtures below speak to the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@dataclass
class Site:
    """The product, served on a port of its own, with people in it and the session cookies of each."""

    url: str
    people: dict[str, User]
    sessions: dict[str, str]


@dataclass
class Visit:
    """A page in the browser, and everything that went wrong on it."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self._heard(message.type, message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url))

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.problems.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:")):
            self.problems.append(f"left the site for {url}")

    def go(self, path: str) -> Page:
        self.problems.clear()
        self.page.goto(self.url + path)
        return self.page


Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the session: other tests want no event loop around them."""
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=chromium(), args=FLAGS.split())
        yield chrome
        chrome.close()


@pytest.fixture(scope="module")
def site(browser: Browser, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    """One server and one set of people for a module: its tests look, they change nothing that others see.

    After the browser, because inside its event loop Django has another connection, closed here.
    """
    with django_db_blocker.unblock(), serving() as url:
        with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
            people = world.populate()
        staff = User.objects.create_superuser("staff@example.com")
        sessions = {name: sign_in(person) for name, person in (people | {"staff": staff}).items()}
        yield Site(url, people, sessions)
    with django_db_blocker.unblock():
        call_command("flush", verbosity=0, interactive=False)
        connection.close()


@contextmanager
def serving() -> Iterator[str]:
    """The product on a free port, which it knows as its own address. WhiteNoise serves the files."""
    server = LiveServerThread("127.0.0.1", lambda _: get_wsgi_application())
    server.daemon = True
    server.start()
    server.is_ready.wait()
    if server.error:
        raise server.error
    url = f"http://127.0.0.1:{server.port}"
    with override_settings(SITE_URL=url, SANDBOX_ALLOW_PUBLIC=True):
        yield url
    server.terminate()


def sign_in(person: User) -> str:
    client = Client()
    client.force_login(person)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@pytest.fixture(scope="module")
def visit(browser: Browser, site: Site) -> Open:
    """`with visit("ada", width=390) as visit: visit.go("/settings/billing/")`."""

    @contextmanager
    def opened(person: str = "", *, width: int = 1280, **options: Any) -> Iterator[Visit]:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, reduced_motion="reduce", **options
        )
        if person:
            cookie = {"name": settings.SESSION_COOKIE_NAME, "value": site.sessions[person], "url": site.url}
            context.add_cookies([cookie])
        try:
            yield Visit(context.new_page(), site.url)
        finally:
            context.close()

    return opened
