"""A refusal says what was not done and what to do: its detail never repeats its title, and shows no pattern."""

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from accounts.sentences import PATTERNS
from tests.api_client import ApiClient, read

pytestmark = pytest.mark.django_db
CHAT = {"event_id": "e1", "type": "chat", "model": "gpt-4o-mini", "input_tokens": 1, "output_tokens": 1}
CALL = {"key": "call", "type": "voice", "seconds": 60}
NOBODY = "agent_" + "0" * 26
HOLDS, USAGE = "/billing/v3/holds", "/billing/v3/usage"


def told(answer: Any, code: str) -> str:
    problem: dict[str, str] = read(answer)
    assert problem["code"] == code
    assert problem["detail"] != problem["title"]
    assert "othing was " in problem["detail"], problem["detail"]
    assert problem["detail"].endswith(".")
    return problem["detail"]


def test_an_event_id_for_another_event(api: ApiClient, ada: User, ada_key: str) -> None:
    assert api.post(USAGE, CHAT, key=ada_key).status_code == 201
    detail = told(api.post(USAGE, CHAT | {"input_tokens": 2}, key=ada_key), "event_id_reused")
    assert "an event_id of its own" in detail


def test_an_agent_that_is_not_there(api: ApiClient, ada: User, ada_key: str) -> None:
    recorded = told(api.post(USAGE, CHAT | {"agent": NOBODY}, key=ada_key), "not_found")
    assert "GET /billing/v3/agents lists them" in recorded
    told(api.post(HOLDS, CALL | {"agent": NOBODY}, key=ada_key), "not_found")
    for name in (NOBODY, "Nobody", "\u200b"):
        listed = told(api.get(f"/billing/history/me?agent={name}", key=ada_key), "not_found")
        assert "Nothing was listed" in listed


def test_a_hold_that_is_not_there(api: ApiClient, ada: User, ada_key: str) -> None:
    for named in ("hold_" + "0" * 26, "call"):
        told(api.post(f"{HOLDS}/{named}/release", {}, key=ada_key), "hold_not_found")


def test_a_hold_that_ended_another_way(api: ApiClient, ada: User, ada_key: str) -> None:
    hold = f"{HOLDS}/{read(api.post(HOLDS, CALL, key=ada_key))['id']}"
    api.post(f"{hold}/release", {}, key=ada_key)
    extended = told(api.post(f"{hold}/extend", {"seconds": 90}, key=ada_key), "hold_ended")
    assert "It is released, and stays so." in extended
    told(api.post(f"{hold}/capture", {"event_id": "x", "seconds": 9}, key=ada_key), "hold_ended")


def patterns(schema: Any) -> Iterator[str]:
    """Every pattern that a document of the API names."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for part in schema.values():
            yield from patterns(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from patterns(part)


def test_every_pattern_of_the_api_is_refused_in_words(api: ApiClient) -> None:
    """But for the digits of a phone number, which their own check refuses."""
    found = set(patterns(read(api.get("/billing/openapi.json"))))
    assert found - set(PATTERNS) == {r"^\+[1-9][0-9]{6,14}$"}
    assert set(PATTERNS) <= found, "no sentence is kept for a pattern that is gone"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [("event_id", "é", "printable ASCII"), ("content_sha256", "x" * 64, "64 hexadecimal digits")],
)
def test_a_text_of_the_wrong_form_is_told_in_words(
    api: ApiClient, ada: User, ada_key: str, field: str, value: str, words: str
) -> None:
    body = {"event_id": "e", "type": "knowledge", "pages": 1, field: value}
    problem = read(api.post(USAGE, body, key=ada_key))
    (error,) = problem["errors"]
    assert error["pointer"] == f"/{field}"
    assert words in error["detail"]
    assert "^" not in error["detail"]
