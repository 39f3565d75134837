"""What no browser and no client library sends: it is refused, and nothing is a 500."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from tests import factories
from tests.api_client import ApiClient, read
from thinnest_billing.handler import Handler
from usage.models import Charge

pytestmark = pytest.mark.django_db
EMAIL_OF_300 = f"{'a' * 200}@{'b' * 30}.{'c' * 30}.{'d' * 30}.com"


@pytest.fixture
def lasting_connection() -> Iterator[None]:
    """The server closes connections around a request; the test's own transaction lives on one."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def asked(path: str, query: str, **headers: str) -> str:
    """The status of a GET as the server's own entry point answers it, before any of our code."""
    statuses: list[str] = []
    environ = {"PATH_INFO": path, "QUERY_STRING": query, **headers}
    setup_testing_defaults(environ)
    answer = Handler()(environ, lambda status, headers: statuses.append(status))
    with closing(answer):
        b"".join(answer)
    return statuses[0]


@pytest.mark.usefixtures("lasting_connection")
@pytest.mark.parametrize("charset", ["rot13", "undefined", "idna", "base64", "klingon", "utf-8"])
def test_a_charset_that_is_none_changes_no_address(ada_key: str, charset: str) -> None:
    kind, bearer = f"text/plain; charset={charset}", f"Bearer {ada_key}"
    told = asked("/billing/v3/balance", "period=m%6Fnth", CONTENT_TYPE=kind, HTTP_AUTHORIZATION=bearer)
    assert told == "200 OK"
    assert asked("/sign-in/", "next=%2F%ff", CONTENT_TYPE=kind) == "200 OK"


@pytest.mark.usefixtures("lasting_connection")
@pytest.mark.parametrize("path", ["/billing/v3/balance", "/sign-in/"])
@pytest.mark.parametrize("kind", ["", "application/json; charset=utf-8"])
def test_too_many_query_parameters_are_refused(ada_key: str, path: str, kind: str) -> None:
    bearer = f"Bearer {ada_key}"
    told = asked(path, "a=1&" * 2_000, CONTENT_TYPE=kind, HTTP_AUTHORIZATION=bearer)
    assert told in ("400 Bad Request", "422 Unprocessable Entity", "200 OK")


def test_a_cookie_that_spells_nul_is_no_cookie(client: Client) -> None:
    spelt = {"Cookie": 'sessionid="\\000' + "a" * 31 + '"; theme=dark'}
    assert client.get("/sign-in/", headers=spelt).status_code == 200
    assert client.get("/settings/billing/", headers=spelt).status_code == 302


@pytest.mark.parametrize(
    "path", ["/sandbox/checkout/%00/", "/sandbox/3ds/%00/", "/settings/api-keys/%00/revoke/"]
)
def test_nul_in_an_address_is_nowhere(ada: User, client: Client, settings: Settings, path: str) -> None:
    settings.SANDBOX_ALLOW_PUBLIC = True
    client.force_login(ada)
    assert client.get(path).status_code == 404
    assert client.post(path).status_code == 404


@pytest.mark.parametrize("path", ["/billing/docsx", "/billing/docs/x", "/billing/x"])
def test_every_unknown_address_of_the_api_answers_as_the_api(api: ApiClient, path: str) -> None:
    told = api.get(path)
    assert (told.status_code, told["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
@pytest.mark.parametrize("name", ["before", "after"])
def test_records_from_the_end_of_time(ada: User, client: Client, name: str, moment: str) -> None:
    client.force_login(ada)
    assert client.get("/settings/billing/records/", {name: moment}).status_code == 200


@pytest.mark.parametrize("path", ["/sign-up/", "/sign-in/", "/password-reset/"])
def test_an_address_longer_than_its_column_is_refused_by_the_form(client: Client, path: str) -> None:
    form = {"email": EMAIL_OF_300, "password": factories.PASSWORD, "name": "Ada", "timezone": "UTC"}
    assert "at most 254 characters" in client.post(path, form).content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize("hours", [-23, -16, 16, 23])
def test_usage_may_be_told_in_any_offset(ada_key: str, api: ApiClient, hours: int) -> None:
    """PostgreSQL knows offsets up to 15:59 only; ISO 8601 goes on to 23:59."""
    at = datetime.now(UTC).replace(microsecond=0)
    told = at.astimezone(timezone(timedelta(hours=hours))).isoformat()
    body = {"event_id": "call", "type": "voice", "seconds": 1, "occurred_at": told}
    assert api.post("/billing/v3/usage", body, key=ada_key).status_code == 201
    assert api.post("/billing/v3/usage/batch", {"events": [body]}, key=ada_key).status_code == 200
    assert Charge.objects.get().occurred_at == at


def test_an_account_that_is_a_number_is_told_as_a_field(platform_key: str, api: ApiClient) -> None:
    event = {"event_id": "call", "type": "voice", "seconds": 1, "account": 5, "agent": "agent_x"}
    alone = api.post("/billing/v3/usage", event, key=platform_key)
    assert (alone.status_code, read(alone)["errors"][0]["pointer"]) == (422, "/account")
    (result,) = read(api.post("/billing/v3/usage/batch", {"events": [event]}, key=platform_key))["results"]
    assert (result["status"], result["errors"][0]["pointer"]) == (422, "/account")


def test_authorize_takes_no_second_type(ada_key: str, api: ApiClient) -> None:
    told = api.get("/billing/v3/authorize?type=chat&type=voice", key=ada_key)
    assert (told.status_code, read(told)["errors"]) == (
        422,
        [{"pointer": "/type", "detail": "Send this once."}],
    )
