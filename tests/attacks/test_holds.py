"""Holds that are asked for with tricks."""

from decimal import Decimal

import pytest

from accounts import ids
from accounts.models import User
from billing import ledger, selectors, topups
from billing.models import Hold
from tests.api_client import ApiClient, read
from usage.models import Agent, Charge

pytestmark = pytest.mark.django_db
HOLDS = "/billing/v3/holds"
CHAT = {"type": "chat", "model": "gpt-4o", "input_tokens": 1, "max_output_tokens": 1}


def made(api: ApiClient, key: str, name: str) -> str:
    told = api.post(HOLDS, {"key": name, "type": "voice", "seconds": 60}, key=key)
    return read(told)["id"]


@pytest.mark.parametrize("first", ["capture of another hold", "usage"])
def test_an_event_id_ends_one_hold_only(ada: User, ada_key: str, api: ApiClient, first: str) -> None:
    """Else the second call would be told as recorded, and never be paid."""
    topups.record_manual(ada.account_id, Decimal(5), actor="t", reason="two calls at a time need a top-up")
    body = {"event_id": "call", "type": "voice", "seconds": 60}
    one, two = made(api, ada_key, "one"), made(api, ada_key, "two")
    path = "/billing/v3/usage" if first == "usage" else f"{HOLDS}/{one}/capture"
    assert api.post(path, body, key=ada_key).status_code == 201
    told = api.post(f"{HOLDS}/{two}/capture", body, key=ada_key)
    assert (told.status_code, read(told)["code"]) == (422, "event_id_reused")
    assert Hold.objects.get(key="two").state == Hold.State.OPEN
    assert api.post(f"{HOLDS}/{two}/capture", body | {"event_id": "another"}, key=ada_key).status_code == 201


def test_a_repeated_capture_still_replays(ada_key: str, api: ApiClient) -> None:
    hold = made(api, ada_key, "one")
    first, second = (
        api.post(f"{HOLDS}/{hold}/capture", {"event_id": "call", "seconds": 60}, key=ada_key)
        for _ in range(2)
    )
    assert (read(first), second["Idempotent-Replayed"]) == (read(second), "true")
    assert Charge.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (CHAT | {"model": "gpt-0"}, 422),
        (CHAT | {"max_output_tokens": 10_000_000}, 402),
    ],
)
def test_a_refused_hold_leaves_no_agent(
    ada: User, ada_key: str, api: ApiClient, body: dict[str, object], status: int
) -> None:
    """An account may have 1,000 agents: refusals must not use them up."""
    told = api.post(HOLDS, body | {"key": "k", "agent": "Ghost"}, key=ada_key)
    assert (told.status_code, Agent.objects.count()) == (status, 0)
    stamped = selectors.balance_of(ada.account_id).refused_at is not None
    assert stamped == (status == 402)


def test_a_frozen_account_gets_no_agent(ada: User, ada_key: str, api: ApiClient) -> None:
    ledger.freeze(ada.account_id, by="owner", frozen=True)
    told = api.post(HOLDS, CHAT | {"key": "k", "agent": "Ghost"}, key=ada_key)
    assert (told.status_code, Agent.objects.count()) == (403, 0)


def test_a_refused_hold_leaves_a_known_agent_alone(ada_key: str, api: ApiClient) -> None:
    api.post(HOLDS, CHAT | {"key": "fits", "agent": "Support"}, key=ada_key)
    too_much = CHAT | {"key": "k", "agent": "SUPPORT", "max_output_tokens": 10_000_000}
    assert api.post(HOLDS, too_much, key=ada_key).status_code == 402
    assert Agent.objects.get().name == "Support"
    hold = Hold.objects.get(key="fits")
    assert hold.terms["agent"] == str(Agent.objects.get().id)
    captured = {"event_id": "message", "input_tokens": 1, "output_tokens": 1}
    api.post(f"{HOLDS}/{ids.public('hold', hold.id)}/capture", captured, key=ada_key)
    assert Charge.objects.get().agent_id == Agent.objects.get().id
