"""Single events, batches, holds and captures of one account at once, with what no honest platform sends among them."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from billing import selectors, topups, verify
from billing.models import Balance, Hold
from tests import factories
from tests.api_client import ApiClient, read
from tests.billing.paying import in_parallel
from usage.models import Charge
from usage.verify import CHECKS, verify_ledger

USAGE, BATCH, HOLDS = "/billing/v3/usage", "/billing/v3/usage/batch", "/billing/v3/holds"
CHAT = {"type": "chat", "model": "gpt-4o-mini", "input_tokens": 1250, "output_tokens": 340}


def breaches() -> list[dict[str, str]]:
    return verify_ledger(full=True, now=datetime.now(UTC)).breaches


@pytest.mark.django_db(transaction=True)
def test_both_lanes_at_once_take_the_same_ids_once(transactional_db: None) -> None:
    """Every thread sends the same thirty ids, some alone, some as one batch, some after a hold, in several orders."""
    ada = factories.owner()
    topups.record_manual(ada.account_id, Decimal(5), actor="t", reason="test")
    key = factories.key(ada.account)
    events = [{"event_id": f"e{n}", "agent": f"Agent {n % 3}", "note": "x", **CHAT} for n in range(30)]

    def send(thread: int) -> list[int]:
        api = ApiClient()
        mine = events[thread:] + events[:thread]
        if thread % 3 == 0:
            answer = api.post(BATCH, {"events": [*mine, mine[0], *mine[5:9]]}, key=key)
            return [result["status"] for result in read(answer)["results"]]
        if thread % 3 == 1:
            return [api.post(USAGE, event, key=key).status_code for event in mine]
        asked = {"key": f"h{thread}", "type": "voice", "seconds": 60}
        held = api.post(HOLDS, asked, key=key)
        told = [held.status_code]
        if held.status_code == 201:
            done = {"event_id": f"call{thread}", "seconds": 30}
            told.append(api.post(f"{HOLDS}/{read(held)['id']}/capture", done, key=key).status_code)
        return told + [api.post(USAGE, event, key=key).status_code for event in mine[:10]]

    statuses = {status for told in in_parallel(9, send) for status in told}
    assert statuses <= {201}
    assert Charge.objects.filter(event_id__startswith="e").count() == 30
    assert Charge.objects.filter(event_id__startswith="call").count() == 3
    assert selectors.balance_of(ada.account_id).balance == 6 - 30 * Decimal("0.0003915") - 3 * Decimal("0.05")
    assert breaches() == []


@pytest.mark.django_db(transaction=True)
def test_batches_that_do_not_fit_together_never_overdraw(transactional_db: None) -> None:
    """Eight batches of ten events of two cents, and single ones beside them, over $1.00: fifty fit, not one more."""
    ada = factories.owner()
    key = factories.key(ada.account)
    event = {"type": "chat", "model": "gpt-4-turbo", "input_tokens": 2000, "output_tokens": 0}

    def send(thread: int) -> list[int]:
        mine = [{"event_id": f"e{thread}-{n}", **event} for n in range(10)]
        if thread % 2:
            return [ApiClient().post(USAGE, one, key=key).status_code for one in mine]
        answer = ApiClient().post(BATCH, {"events": mine}, key=key)
        return [result["status"] for result in read(answer)["results"]]

    statuses = [status for told in in_parallel(8, send) for status in told]
    assert (statuses.count(201), statuses.count(402)) == (50, 30)
    assert selectors.balance_of(ada.account_id).balance == 0
    assert breaches() == []


@pytest.mark.django_db
def test_a_batch_that_finds_an_overdue_hold_has_its_funds(ada: User, ada_key: str, api: ApiClient) -> None:
    """Ninety-nine cents are reserved and overdue: the batch needs them, and they are free in the same statement."""
    asked = {"key": "h", "type": "voice", "seconds": 594}
    assert api.post(HOLDS, asked, key=ada_key).status_code == 201
    events = [{"event_id": f"e{n}", "type": "knowledge", "pages": 9} for n in range(10)]
    first = api.post(BATCH, {"events": events}, key=ada_key)
    assert {result["status"] for result in read(first)["results"]} == {402}
    Hold.objects.update(expires_at=datetime(2026, 3, 2, tzinfo=UTC))
    Balance.objects.update(next_hold_expiry=datetime(2026, 3, 2, tzinfo=UTC))
    again = api.post(BATCH, {"events": events}, key=ada_key)
    assert {result["status"] for result in read(again)["results"]} == {201}
    assert Hold.objects.get().state == Hold.State.EXPIRED
    assert verify.run(CHECKS, [ada.account_id]) == []


ODD: list[dict[str, Any]] = [
    {"note": "\u202e\u2028 ' \\ \" {}"}, {"note": "💩" * 60}, {"agent": "$$ %s ' \\u0041"}, {"agent": "\u0130\u00df"},
    {"input_tokens": 10_000_000, "model": "gemini-1.5-flash"}, {"occurred_at": "0001-01-01T00:00:00Z"},
    {"input_tokens": 10**17}, {"input_tokens": -1}, {"input_tokens": True},
    {"input_tokens": 1.5}, {"event_id": "é"}, {"event_id": ""}, {"event_id": "x" * 256}, {"on_short": "record"},
    {"account": "acct_" + "0" * 26}, {"agent": "agent_" + "0" * 26}, {"agent": "agent_"}, {"note": None},
    {"model": "a\nb"}, {"retrieval_queries": 1001}, {"pages": 1}, {"type": ["chat"]}, {"event_id": {"a": 1}},
]  # fmt: skip


@pytest.mark.django_db
def test_what_one_event_holds_spoils_no_other(ada: User, ada_key: str, api: ApiClient) -> None:
    """Each odd event between two good ones: answered as it is alone, and its neighbours are recorded."""
    events: list[dict[str, Any]] = []
    for n, odd in enumerate(ODD):
        events += [{"event_id": f"good{n}", **CHAT}, {"event_id": f"odd{n}", **CHAT, **odd}]
    results = read(api.post(BATCH, {"events": events}, key=ada_key))["results"]
    assert {result["status"] for result in results[::2]} == {201}
    alone = [api.post(USAGE, event, key=ada_key).status_code for event in events[1::2] if "event_id" in event]
    assert [result["status"] for result in results[1::2]] == alone
    assert verify.run(CHECKS, [ada.account_id]) == []


@pytest.mark.django_db
@pytest.mark.parametrize("text", [r"\u0000", r"\ud800", r"\udc00\ud800", r"a\uD83D"])
@pytest.mark.parametrize("field", ["note", "agent", "event_id", "model"])
def test_what_the_database_cannot_store_is_refused_before_anything_is_written(
    ada: User, ada_key: str, api: ApiClient, field: str, text: str
) -> None:
    good, bad = (
        json.dumps({"event_id": "good", **CHAT}),
        json.dumps({"event_id": "bad", **CHAT, field: "TEXT"}),
    )
    raw = f'{{"events": [{good}, {bad.replace("TEXT", text)}]}}'
    assert api.post(BATCH, raw, key=ada_key).status_code == 400
    assert not Charge.objects.exists()
