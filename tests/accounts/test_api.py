"""The conventions of the HTTP API, on a small API of our own (conventions_urls.py)."""

import re
import time
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import afterwards, api_keys
from accounts.ids import public, uuid7
from accounts.models import ApiKey, Scope, User
from accounts.sentences import PATTERNS
from tests import factories
from tests.api_client import ApiClient, read

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.accounts.conventions_urls")]
EVENT = {"event_id": "e1", "tokens": 1}


def test_it_answers_a_good_request_with_exact_plain_numbers(api: ApiClient, ada: User, ada_key: str) -> None:
    answer = api.post("/billing/v3/chat", EVENT, key=ada_key)
    assert answer.status_code == 201
    assert answer.content == f'{{"account":"{ada.account_id}","cost":0.000391500}}'.encode()
    assert answer["Content-Type"] == "application/json"


def test_it_asks_the_database_once_to_know_who_asks(api: ApiClient, ada_key: str) -> None:
    api.post("/billing/v3/chat", EVENT, key=ada_key)
    with CaptureQueriesContext(connection) as queries:
        api.post("/billing/v3/chat", EVENT, key=ada_key)
    assert len(queries) == 1


def test_it_spares_a_busy_connection_the_health_check(api: ApiClient) -> None:
    """One round trip less per request; a connection that rested is checked as ever."""
    for rested, checked in ((0.1, True), (60, False)):
        connection.worked_at, connection.health_check_done = time.monotonic() - rested, False
        api.get("/billing/v3/list")
        assert connection.health_check_done is checked


def test_it_sends_the_length_of_every_body(api: ApiClient, ada_key: str) -> None:
    for answer in (api.get("/billing/v3/list", key=ada_key), api.get("/billing/v3/list")):
        assert answer["Content-Length"] == str(len(answer.content))


# --- 401 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer tb_test_x", "Bearer é"])
def test_it_refuses_what_is_no_key(api: ApiClient, header: str) -> None:
    answer = api.post("/billing/v3/chat", EVENT, Authorization=header)
    assert (answer.status_code, read(answer)["code"]) == (401, "unauthorized")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_it_tells_a_mistyped_key_without_asking_the_database(api: ApiClient, ada_key: str) -> None:
    typo = ada_key[:20] + ("a" if ada_key[20] != "a" else "b") + ada_key[21:]
    with CaptureQueriesContext(connection) as queries:
        assert api.post("/billing/v3/chat", EVENT, key=typo).status_code == 401
    assert len(queries) == 0


def test_it_refuses_unknown_expired_and_revoked_keys_alike(api: ApiClient, ada: User) -> None:
    now = factories.BIRTHDAY
    _, expired = api_keys.create(
        account=ada.account, name="old", scopes=Scope.values, now=now, expires_at=now
    )
    row, revoked = api_keys.create(account=ada.account, name="lost", scopes=Scope.values, now=now)
    api_keys.revoke(row, now=now)
    _, unknown = api_keys.create(account=ada.account, name="gone", scopes=Scope.values, now=now)
    ApiKey.objects.filter(name="gone").delete()
    refusals = [api.post("/billing/v3/chat", EVENT, key=key) for key in (expired, revoked, unknown)]
    assert [answer.status_code for answer in refusals] == [401, 401, 401]
    assert len({read(answer)["detail"] for answer in refusals}) == 1


def test_it_refuses_the_keys_of_a_closed_account(api: ApiClient, ada: User, ada_key: str) -> None:
    ada.account.closed_at = factories.BIRTHDAY
    ada.account.save()
    assert api.post("/billing/v3/chat", EVENT, key=ada_key).status_code == 401


def test_it_notes_the_last_use_at_most_once_a_minute(api: ApiClient, ada_key: str) -> None:
    """A moment later, for all the keys that were used meanwhile: no request waits for it."""

    def used(seconds: float) -> datetime | None:
        with time_machine.travel(factories.BIRTHDAY + timedelta(seconds=seconds), tick=False):
            api.post("/billing/v3/chat", EVENT, key=ada_key)
            afterwards.flush()
        return ApiKey.objects.get().last_used_at

    assert [used(seconds) for seconds in (0, 30, 59, 60, 119)] == [
        factories.BIRTHDAY + timedelta(seconds=seconds) for seconds in (0, 0, 0, 60, 60)
    ]


# --- 413, 415, 400, 403 -------------------------------------------------------------------------------------


def test_it_refuses_a_body_over_64_kb(api: ApiClient, ada_key: str) -> None:
    for size in (64 * 1024 + 1, 10_000_000):
        answer = api.post("/billing/v3/chat", b"x" * size, key=ada_key)
        assert (answer.status_code, read(answer)["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""]
)
def test_it_refuses_what_is_not_announced_as_json(api: ApiClient, ada_key: str, kind: str) -> None:
    answer = api.post("/billing/v3/chat", EVENT, key=ada_key, content_type=kind)
    assert (answer.status_code, read(answer)["code"]) == (415, "unsupported_media_type")


def test_it_says_so_when_the_body_is_empty(api: ApiClient, ada_key: str) -> None:
    answer = api.post("/billing/v3/chat", b"", key=ada_key, Content_Type="application/json")
    assert answer.status_code == 400
    assert "The body is empty" in read(answer)["detail"]


def test_it_takes_json_that_names_its_charset(api: ApiClient, ada_key: str) -> None:
    kind = "Application/JSON; charset=UTF-8"
    assert api.post("/billing/v3/chat", EVENT, key=ada_key, content_type=kind).status_code == 201


def test_it_names_the_scope_that_a_key_lacks(api: ApiClient, ada: User) -> None:
    reader = factories.key(ada.account, scopes=[Scope.BALANCE_READ])
    answer = api.post("/billing/v3/chat", EVENT, key=reader)
    body = read(answer)
    assert (answer.status_code, body["code"], body["required_scope"]) == (403, "missing_scope", "usage:write")


def test_it_refuses_in_the_order_of_the_contract(api: ApiClient, ada: User) -> None:
    """Each request breaks every later rule too; the first broken one answers."""
    reader, writer = factories.key(ada.account, scopes=[Scope.BALANCE_READ]), factories.key(ada.account)
    stranger = public("acct", uuid7())
    huge, broken, wrong = b"{" * 70_000, b"{", {"account": stranger, "tokens": -1}
    asked = [
        api.post("/billing/v3/chat", huge, content_type="text/plain"),
        api.post("/billing/v3/chat", huge, key=reader, content_type="text/plain"),
        api.post("/billing/v3/chat", broken, key=reader, content_type="text/plain"),
        api.post("/billing/v3/chat", broken, key=reader),
        api.post("/billing/v3/chat", wrong, key=reader),
        api.post("/billing/v3/chat", wrong, key=writer),
        api.post("/billing/v3/chat", {"tokens": -1}, key=writer),
    ]
    assert [answer.status_code for answer in asked] == [401, 413, 415, 400, 403, 404, 422]


# --- 404 and 422 --------------------------------------------------------------------------------------------


def test_it_lets_an_account_key_name_its_own_account(api: ApiClient, ada: User, ada_key: str) -> None:
    own = EVENT | {"account": ada.account.public_id}
    assert api.post("/billing/v3/chat", own, key=ada_key).status_code == 201


def test_it_answers_404_alike_for_a_stranger_and_for_nobody(api: ApiClient, cy: User, ada_key: str) -> None:
    names = [cy.account.public_id, public("acct", uuid7()), "acct_nonsense", cy.public_id, "", "\x00"]
    asked = [api.post("/billing/v3/chat", EVENT | {"account": name}, key=ada_key) for name in names[:-1]]
    assert {answer.status_code for answer in asked} == {404}
    assert len({re.sub('"request_id":"[^"]+"', "", answer.content.decode()) for answer in asked}) == 1


def test_it_makes_a_platform_key_name_the_account(api: ApiClient, ada: User, platform_key: str) -> None:
    answer = api.post("/billing/v3/chat", EVENT, key=platform_key)
    assert (answer.status_code, read(answer)["errors"][0]["pointer"]) == (422, "/account")
    named = EVENT | {"account": ada.account.public_id}
    assert api.post("/billing/v3/chat", named, key=platform_key).status_code == 201


def test_it_says_404_before_422_for_platform_keys_too(api: ApiClient, ada: User, platform_key: str) -> None:
    for account, status in ((public("acct", uuid7()), 404), (ada.account.public_id, 422)):
        answer = api.post("/billing/v3/chat", {"account": account, "tokens": -1}, key=platform_key)
        assert answer.status_code == status


def test_it_looks_for_ids_in_the_path_before_it_judges_the_body(api: ApiClient, ada_key: str) -> None:
    strange = api.post("/billing/v3/holds/hold_of_a_stranger/extend", {"seconds": "x"}, key=ada_key)
    own = api.post("/billing/v3/holds/hold_1/extend", {"seconds": "x"}, key=ada_key)
    assert (strange.status_code, own.status_code) == (404, 422)


@pytest.mark.parametrize(
    ("change", "pointer", "sentence"),
    [
        ({"tokens": -1}, "/tokens", "Send at least 0."),
        ({"tokens": 10_000_001}, "/tokens", "Send at most 10,000,000."),
        ({"tokens": 1.5}, "/tokens", "Send a whole number."),
        ({"tokens": "12"}, "/tokens", "Send a whole number."),
        ({"tokens": True}, "/tokens", "Send a whole number."),
        ({"tokens": None}, "/tokens", "Send a whole number."),
        ({"tokens": [1]}, "/tokens", "Send a whole number."),
        ({"event_id": ""}, "/event_id", "Send a string that is not empty."),
        ({"event_id": "x" * 256}, "/event_id", "Send at most 255 characters."),
        ({"event_id": "é"}, "/event_id", PATTERNS[r"^[\x20-\x7e]+$"]),
        ({"event_id": 7}, "/event_id", "Send a string."),
        ({"answered": "yes"}, "/answered", "Send true or false."),
        ({"answered": 1}, "/answered", "Send true or false."),
        ({"amount": 4.99}, "/amount", "Send at least 5.00."),
        ({"amount": 1000.01}, "/amount", "Send at most 1,000.00."),
        ({"amount": 25.001}, "/amount", "Send at most 2 decimals."),
        ({"amount": "25.00"}, "/amount", "Send a JSON number, without quotes."),
        ({"amount": True}, "/amount", "Send a JSON number, without quotes."),
        ({"colour": "red"}, "/colour", "This field is not known here."),
        ({"a/b~c": 1}, "/a~1b~0c", "This field is not known here."),
    ],
)
def test_it_names_the_field_and_what_is_allowed(
    api: ApiClient, ada_key: str, change: dict, pointer: str, sentence: str
) -> None:
    answer = api.post("/billing/v3/chat", EVENT | change, key=ada_key)
    assert answer.status_code == 422
    assert read(answer)["errors"] == [{"pointer": pointer, "detail": sentence}]


@pytest.mark.parametrize("number", ["1e400", "1E999999999", "1e-999999999", "0.5", "1.0"])
def test_it_survives_numbers_beyond_reason(api: ApiClient, ada_key: str, number: str) -> None:
    body = f'{{"event_id": "e1", "tokens": {number}, "amount": {number}}}'
    answer = api.post("/billing/v3/chat", body, key=ada_key)
    assert answer.status_code == 422
    assert [error["pointer"] for error in read(answer)["errors"]] == ["/tokens", "/amount"]


def test_it_names_every_wrong_field_at_once(api: ApiClient, ada_key: str) -> None:
    answer = api.post("/billing/v3/chat", {"tokens": -1, "answered": 3}, key=ada_key)
    assert [error["pointer"] for error in read(answer)["errors"]] == ["/event_id", "/tokens", "/answered"]


@pytest.mark.parametrize("body", ["[]", '"x"', "1", "null", "true"])
def test_it_wants_an_object(api: ApiClient, ada_key: str, body: str) -> None:
    answer = api.post("/billing/v3/chat", body, key=ada_key)
    assert answer.status_code == 422
    assert read(answer)["errors"] == [{"pointer": "", "detail": "Send a JSON object."}]


# --- the shape of problems ----------------------------------------------------------------------------------


def test_it_carries_what_a_reason_adds(api: ApiClient, ada_key: str) -> None:
    answer = api.post("/billing/v3/chat", EVENT | {"tokens": 402}, key=ada_key, x_request_id="mine-1")
    assert answer["Content-Type"] == "application/problem+json"
    assert read(answer) == {
        "type": "http://127.0.0.1:8000/billing/docs#short",
        "title": "The balance does not cover this.",
        "status": 402,
        "detail": "Add funds.",
        "code": "short",
        "request_id": "mine-1",
        "balance": Decimal("0.0000001"),
        "required": Decimal("1.50"),
    }


def test_it_hides_what_failed_on_our_side(api: ApiClient, ada_key: str) -> None:
    answer = api.post("/billing/v3/chat", EVENT | {"tokens": 500}, key=ada_key)
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert b"secret" not in answer.content
    assert read(answer)["request_id"] == answer["X-Request-Id"]


@pytest.mark.parametrize("path", ["/billing/", "/billing/v3/nothing", "/billing/v3/chat/", "/billing/%00"])
def test_it_answers_unknown_addresses_as_problems(api: ApiClient, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert read(answer)["code"] == "not_found"


def test_it_answers_unknown_methods_as_problems(api: ApiClient, ada_key: str) -> None:
    answer = api.send("DELETE", "/billing/v3/chat", key=ada_key)
    assert (answer.status_code, answer["Allow"], read(answer)["code"]) == (405, "POST", "method_not_allowed")


def test_it_refuses_nul_in_the_address(api: ApiClient, ada_key: str) -> None:
    answer = api.get("/billing/v3/list?starting_after=%00", key=ada_key)
    assert (answer.status_code, read(answer)["code"]) == (400, "bad_request")


# --- request ids, lists -------------------------------------------------------------------------------------


def test_it_keeps_the_callers_request_id(api: ApiClient) -> None:
    assert api.get("/billing/v3/list", x_request_id="a" * 64)["X-Request-Id"] == "a" * 64


@pytest.mark.parametrize("bad", ["a" * 65, "ü", "a\tb", ""])
def test_it_makes_a_request_id_where_there_is_no_good_one(api: ApiClient, bad: str) -> None:
    assert re.fullmatch("req_[0-9a-f]{24}", api.get("/billing/v3/list", x_request_id=bad)["X-Request-Id"])


def test_it_links_to_the_next_page_and_keeps_the_filters(api: ApiClient, ada_key: str) -> None:
    answer = api.get("/billing/v3/list?limit=100&type=chat", key=ada_key)
    assert answer["Link"] == (
        "<http://127.0.0.1:8000/billing/v3/list?limit=100&type=chat"
        '&starting_after=00000000-0000-0000-0000-000000000064>; rel="next"'
    )


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "1e400", "9" * 400, "1.5", ""])
def test_it_lists_1_to_100(api: ApiClient, ada_key: str, limit: str) -> None:
    answer = api.get(f"/billing/v3/list?limit={limit}", key=ada_key)
    assert (answer.status_code, read(answer)["errors"][0]["pointer"]) == (422, "/limit")


def test_it_lists_ten_unless_told(api: ApiClient, ada_key: str) -> None:
    assert read(api.get("/billing/v3/list", key=ada_key)) == {"limit": 10}
