"""404 comes before 422: what a request names must exist before anything else about it is judged."""

from typing import Any

import pytest

from accounts import ids
from accounts.models import User
from tests.api_client import ApiClient, read

pytestmark = pytest.mark.django_db
USAGE = "/billing/v3/usage"
CALL = {"event_id": "call", "type": "voice", "seconds": 1}
WRONG: dict[str, dict[str, Any]] = {
    "too long ago": CALL | {"occurred_at": "2020-01-01T00:00:00Z"},
    "negative": CALL | {"seconds": -1},
    "no such model": {
        "event_id": "message", "type": "chat", "model": "gpt-0", "input_tokens": 1, "output_tokens": 1,
    },
}  # fmt: skip


def nowhere(prefix: str) -> str:
    return ids.public(prefix, ids.uuid7())


def sent(api: ApiClient, event: dict[str, Any], *, key: str, batch: bool) -> tuple[int, str]:
    if not batch:
        told = api.post(USAGE, event, key=key)
        return told.status_code, read(told)["code"]
    (result,) = read(api.post(f"{USAGE}/batch", {"events": [event]}, key=key))["results"]
    return result["status"], result["code"]


@pytest.mark.parametrize("batch", [False, True], ids=["alone", "in a batch"])
@pytest.mark.parametrize("wrong", WRONG)
def test_an_unknown_account_is_told_first(platform_key: str, api: ApiClient, wrong: str, batch: bool) -> None:
    event = WRONG[wrong] | {"account": nowhere("acct")}
    assert sent(api, event, key=platform_key, batch=batch) == (404, "account_not_found")


@pytest.mark.parametrize("batch", [False, True], ids=["alone", "in a batch"])
@pytest.mark.parametrize("wrong", WRONG)
def test_an_unknown_agent_is_told_first(ada_key: str, api: ApiClient, wrong: str, batch: bool) -> None:
    event = WRONG[wrong] | {"agent": nowhere("agent")}
    assert sent(api, event, key=ada_key, batch=batch) == (404, "not_found")


def test_an_unknown_agent_of_a_hold_is_told_before_its_model(ada_key: str, api: ApiClient) -> None:
    body = {"key": "k", "type": "chat", "model": "gpt-0", "input_tokens": 1, "max_output_tokens": 1}
    told = api.post("/billing/v3/holds", body | {"agent": nowhere("agent")}, key=ada_key)
    assert told.status_code == 404


def test_a_strangers_account_is_no_account(cy: User, ada_key: str, api: ApiClient) -> None:
    event = WRONG["too long ago"] | {"account": cy.account.public_id}
    assert sent(api, event, key=ada_key, batch=False) == (404, "account_not_found")
