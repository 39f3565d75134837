"""POST /billing/v3/usage/batch: one result per event, each all or nothing, in order."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from billing import ledger
from tests.api_client import ApiClient, read
from usage.models import Charge

D = Decimal
BATCH = "/billing/v3/usage/batch"


def chat(event_id: str, tokens: int = 1_000_000, **more: Any) -> dict[str, Any]:
    """$0.15 a million."""
    message = {"type": "chat", "model": "gpt-4o-mini", "input_tokens": tokens, "output_tokens": 0}
    return {"event_id": event_id, **message, **more}


def test_each_event_stands_alone(api: ApiClient, ada: User, ada_key: str) -> None:
    """A refused, a broken and a repeated event do not disturb their neighbours."""
    events = [
        chat("a"),
        chat("too big", tokens=9_000_000),
        chat("a"),
        chat("b", model="gpt-9"),
        chat("b", input_tokens="many"),
        chat("a", output_tokens=1),
        {"nonsense": True},
        chat("c", agent="agent_00000000000000000000000000"),
        chat("d"),
    ]
    results = read(api.post(BATCH, {"events": events}, key=ada_key))["results"]
    assert [(r["status"], r.get("code")) for r in results] == [
        (201, None), (402, "insufficient_balance"), (201, None), (422, "invalid_request"), (422, "invalid_request"),
        (422, "event_id_reused"), (422, "invalid_request"), (404, "not_found"), (201, None),
    ]  # fmt: skip
    assert results[2]["replayed"] is True
    assert results[2]["id"] == results[0]["id"]
    assert results[4]["errors"][0]["pointer"] == "/input_tokens"
    assert results[8]["balance"] == D("0.70")
    assert Charge.objects.count() == 2


def test_the_same_batch_again_changes_nothing(api: ApiClient, ada: User, ada_key: str) -> None:
    batch = {"events": [chat(f"e{n}", tokens=1_000) for n in range(250)]}
    first = read(api.post(BATCH, batch, key=ada_key))["results"]
    again = read(api.post(BATCH, batch, key=ada_key))["results"]
    assert [{**r, "replayed": True} for r in first] == again
    assert Charge.objects.count() == 250


def test_one_batch_serves_many_accounts(api: ApiClient, ada: User, cy: User, platform_key: str) -> None:
    ledger.freeze(cy.account_id, by="owner", frozen=True)
    events = [
        chat(f"e{n}", account=account)
        for n, account in enumerate(
            [ada.account.public_id, cy.account.public_id, "acct_x", ada.account.public_id]
        )
    ]
    results = read(api.post(BATCH, {"events": [*events, chat("nobody")]}, key=platform_key))["results"]
    assert [r["status"] for r in results] == [201, 403, 404, 201, 422]


@pytest.mark.parametrize("events", [[], None, "x", [1], [chat("a")] * 1_001])
def test_a_batch_that_is_none_is_refused_whole(api: ApiClient, ada: User, ada_key: str, events: Any) -> None:
    answer = api.post(BATCH, {"events": events}, key=ada_key)
    assert answer.status_code == 422
    assert not Charge.objects.exists()


def test_ten_megabytes_are_413(api: ApiClient, ada: User, ada_key: str) -> None:
    assert api.post(BATCH, b"[" * 10_000_000, key=ada_key).status_code == 413
