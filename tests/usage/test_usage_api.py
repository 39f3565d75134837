"""POST /billing/v3/usage as the agent platform meets it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Scope, User
from billing import ledger, selectors
from billing.models import LedgerEntry
from tests import factories
from tests.api_client import ApiClient, read
from usage import rate_card
from usage.models import Agent, Charge, ChargeNote, DailySpend

D = Decimal
USAGE = "/billing/v3/usage"
CHAT: dict[str, Any] = {"type": "chat", "model": "gpt-4o-mini", "input_tokens": 1250, "output_tokens": 340}


def chat(event_id: str = "e1", **more: Any) -> dict[str, Any]:
    return {"event_id": event_id, **CHAT, **more}


def test_it_charges_the_seeds_own_message(api: ApiClient, ada: User, ada_key: str) -> None:
    """S3 S4 S12: exact to the nano-dollar, shown as 0.0004, and off the balance at once."""
    answer = api.post(f"{USAGE}?expand=exact", chat(agent="Customer Support"), key=ada_key)
    assert answer.status_code == 201
    body = read(answer)
    assert body.pop("id").startswith("bill_")
    assert body == {
        "cost": D("0.0004"), "uncollected": 0, "balance": D("1.00"),
        "cost_exact": "0.000391500", "balance_exact": "0.999608500",
    }  # fmt: skip
    assert selectors.balance_of(ada.account_id).balance == D("0.999608500")
    assert Agent.objects.get().name == "Customer Support"


@pytest.mark.parametrize(
    ("event", "cost"),
    [
        (chat(retrieval_queries=1), "0.002391500"),
        ({"event_id": "v", "type": "voice", "seconds": 252, "answered": True}, "0.42"),
        ({"event_id": "v", "type": "voice", "seconds": 252, "answered": False}, "0"),
        ({"event_id": "k", "type": "knowledge", "pages": 12}, "0.12"),
        ({"event_id": "k", "type": "knowledge", "chunks": 40}, "0.08"),
    ],
)
def test_every_meter_has_its_price(
    api: ApiClient, ada: User, ada_key: str, event: dict[str, Any], cost: str
) -> None:
    """S4 S13 S14 S16: retrieval per query, voice per minute of active call, ingestion per page or chunk."""
    body = read(api.post(f"{USAGE}?expand=exact", event, key=ada_key))
    assert D(body["cost_exact"]) == D(cost)


def test_the_same_document_is_charged_once(api: ApiClient, ada: User, ada_key: str) -> None:
    """S16: ingestion is a one-time fee per content."""
    document = {"type": "knowledge", "pages": 12, "content_sha256": "ab" * 32}
    costs = [
        read(api.post(USAGE, {"event_id": f"doc-{n}", **document}, key=ada_key))["cost"] for n in range(2)
    ]
    assert costs == [D("0.1200"), 0]


def test_it_replays_the_first_answer(api: ApiClient, ada: User, ada_key: str) -> None:
    first = api.post(USAGE, chat(), key=ada_key)
    api.post(USAGE, chat("e2"), key=ada_key)
    again = api.post(USAGE, chat(), key=ada_key)
    assert (again.status_code, read(again)) == (201, read(first))
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Charge.objects.count() == 2


def test_another_body_under_the_same_event_id_is_refused(api: ApiClient, ada: User, ada_key: str) -> None:
    api.post(USAGE, chat(), key=ada_key)
    answer = api.post(USAGE, chat(output_tokens=341), key=ada_key)
    assert (answer.status_code, read(answer)["code"]) == (422, "event_id_reused")
    assert Charge.objects.count() == 1


def test_a_402_helps_and_is_not_remembered(api: ApiClient, ada: User, ada_key: str) -> None:
    """S43: chat requests get an error when the balance is out; after a top-up the same event goes through."""
    big = chat("big", model="gpt-4-turbo", input_tokens=1_000_000)
    refused = api.post(USAGE, big, key=ada_key)
    body = read(refused)
    assert (refused.status_code, body["code"]) == (402, "insufficient_balance")
    assert (body["balance"], body["available"], body["required"]) == (D("1.00"), D(1), D("10.0102"))
    assert body["topup_url"].endswith("/settings/billing/add-funds/")
    assert body["topup_in_progress"] is False
    assert not Charge.objects.exists()
    assert not Agent.objects.exists()
    ledger.credit_topup(ada.account_id, D(25), key="top", actor="ada")
    assert api.post(USAGE, big, key=ada_key).status_code == 201


def test_frozen_spending_stops_usage(api: ApiClient, ada: User, ada_key: str) -> None:
    ledger.freeze(ada.account_id, by="owner", frozen=True)
    answer = api.post(USAGE, chat(), key=ada_key)
    assert (answer.status_code, read(answer)["code"]) == (403, "spending_frozen")
    assert read(answer)["detail"].startswith("Nothing was started or charged. Once the freeze is lifted")


def test_record_takes_what_is_free_and_never_bills_the_rest(
    api: ApiClient, ada: User, platform_key: str
) -> None:
    event = chat(
        "big", model="gpt-4-turbo", input_tokens=1_000_000, on_short="record", account=ada.account.public_id
    )
    body = read(api.post(f"{USAGE}?expand=exact", event, key=platform_key))
    assert (body["cost_exact"], body["uncollected"], body["balance"]) == ("1.000000000", D("9.0102"), 0)
    ledger.credit_topup(ada.account_id, D(25), key="top", actor="ada")
    assert selectors.balance_of(ada.account_id).balance == D(25)


def test_only_platform_keys_record_past_the_balance(api: ApiClient, ada: User, ada_key: str) -> None:
    answer = api.post(USAGE, chat(on_short="record", output_tokens=-1), key=ada_key)
    assert (answer.status_code, read(answer)["code"]) == (403, "missing_scope")


def test_it_keeps_who_asked_and_a_note_apart(api: ApiClient, ada: User, ada_key: str) -> None:
    api.post(USAGE, chat(note="pricing.pdf"), key=ada_key, X_Request_Id="req-77")
    charge = Charge.objects.get()
    assert charge.request_id == "req-77"
    assert charge.api_key_id is not None
    assert ChargeNote.objects.get(charge_id=charge.id).text == "pricing.pdf"


def test_old_usage_has_the_price_of_its_time(api: ApiClient, ada: User, ada_key: str) -> None:
    """S20: rates change over time; the price in force when the usage occurred applies."""
    now = datetime.now(UTC)
    api.post(USAGE, chat("before"), key=ada_key)
    rate_card.set_price(
        "gpt-4o-mini.input",
        rate=D("100"),
        effective_from=datetime.now(UTC) + timedelta(milliseconds=1),
        actor="t",
        now=now,
    )
    import time

    time.sleep(0.01)
    late = chat("late", occurred_at=(now - timedelta(hours=1)).isoformat())
    costs = {
        e["event_id"]: read(api.post(f"{USAGE}?expand=exact", e, key=ada_key))["cost_exact"]
        for e in (late, chat("new"))
    }
    assert costs == {"late": "0.000391500", "new": "0.125204000"}
    assert Charge.objects.get(event_id="before").rates["gpt-4o-mini.input"] in ("0.15", "0.150000000")


BAD = [
    ({"input_tokens": -1}, "/input_tokens"),
    ({"input_tokens": 1.5}, "/input_tokens"),
    ({"input_tokens": "1250"}, "/input_tokens"),
    ({"input_tokens": True}, "/input_tokens"),
    ({"input_tokens": None}, "/input_tokens"),
    ({"input_tokens": 10_000_001}, "/input_tokens"),
    ({"retrieval_queries": 1_001}, "/retrieval_queries"),
    ({"model": "gpt-9"}, "/model"),
    ({"model": ""}, "/model"),
    ({"type": "video"}, "/type"),
    ({"type": None}, "/type"),
    ({"surprise": 1}, "/surprise"),
    ({"event_id": ""}, "/event_id"),
    ({"event_id": "é"}, "/event_id"),
    ({"event_id": "x" * 256}, "/event_id"),
    ({"agent": "Unassigned"}, "/agent"),
    ({"agent": " "}, "/agent"),
    ({"agent": "a\u0007b"}, "/agent"),
    ({"agent": "x" * 81}, "/agent"),
    ({"note": "x" * 121}, "/note"),
    ({"occurred_at": "2026-13-01T00:00:00Z"}, "/occurred_at"),
    ({"occurred_at": "2026-01-01T00:00:00"}, "/occurred_at"),
    ({"occurred_at": 5}, "/occurred_at"),
    ({"occurred_at": "2020-01-01T00:00:00Z"}, "/occurred_at"),
    ({"occurred_at": "2099-01-01T00:00:00Z"}, "/occurred_at"),
    ({"on_short": "steal"}, "/on_short"),
]


@pytest.mark.parametrize(("change", "pointer"), BAD)
def test_bad_input_names_the_field_and_changes_nothing(
    api: ApiClient, ada: User, ada_key: str, change: dict[str, Any], pointer: str
) -> None:
    answer = api.post(
        USAGE,
        chat(**({"event_id": "e1"} | change)) if "event_id" not in change else {**chat(), **change},
        key=ada_key,
    )
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in read(answer)["errors"]]
    assert not Charge.objects.exists()
    assert not DailySpend.objects.exists()


@pytest.mark.parametrize(
    "event",
    [
        {"event_id": "k", "type": "knowledge"},
        {"event_id": "k", "type": "knowledge", "pages": 1, "chunks": 1},
        {"event_id": "k", "type": "knowledge", "pages": 0},
        {"event_id": "k", "type": "knowledge", "pages": 1, "content_sha256": "xyz"},
        {"event_id": "v", "type": "voice", "seconds": 86_401},
        {"event_id": "v", "type": "voice", "seconds": 1, "answered": "yes"},
        {"event_id": "v", "type": "voice"},
        {},
    ],
)
def test_incomplete_or_contradicting_events_are_refused(
    api: ApiClient, ada: User, ada_key: str, event: dict[str, Any]
) -> None:
    answer = api.post(USAGE, event, key=ada_key)
    assert (answer.status_code, read(answer)["code"]) == (422, "invalid_request")


def test_what_does_not_exist_is_told_before_what_is_wrong(
    api: ApiClient, ada: User, cy: User, ada_key: str, platform_key: str
) -> None:
    strange = factories.key(cy.account)
    agent = Agent.objects.create(
        account=cy.account, name="Cy's", name_key="cy's", created_at=datetime.now(UTC)
    )
    bad = {"output_tokens": -1}
    cases = [
        (chat(agent=agent.public_id, **bad), ada_key, 404),
        (chat(agent="agent_nonsense", **bad), ada_key, 404),
        (chat(agent="agent_nonsense"), ada_key, 404),
        (chat(agent=agent.public_id), ada_key, 404),
        (chat(account=ada.account.public_id, **bad), strange, 404),
        (chat(account=ada.account.public_id), strange, 404),
        (chat(account="acct_" + "0" * 26), platform_key, 404),
        (chat(account="acct_" + "0" * 26, model="gpt-9"), platform_key, 404),
        (chat(**bad), platform_key, 422),
    ]
    for body, key, status in cases:
        assert api.post(USAGE, body, key=key).status_code == status, body
    assert not Charge.objects.exists()


def test_a_key_without_the_scope_is_refused(api: ApiClient, ada: User) -> None:
    reader = factories.key(ada.account, scopes=[Scope.BALANCE_READ])
    answer = api.post(USAGE, chat(), key=reader)
    assert (answer.status_code, read(answer)["code"]) == (403, "missing_scope")


def test_agents_are_one_whatever_the_case_and_limited(
    api: ApiClient, ada: User, ada_key: str, settings: Any
) -> None:
    settings.LIMIT_AGENTS = 2
    for n, name in enumerate(["Bot", " bOT ", "BOT", "Straße", "STRASSE"]):
        assert api.post(USAGE, chat(f"e{n}", agent=name), key=ada_key).status_code == 201
    assert sorted(Agent.objects.values_list("name", flat=True)) == ["Bot", "Straße"]
    answer = api.post(USAGE, chat("third", agent="A third"), key=ada_key)
    assert answer.status_code == 422
    assert LedgerEntry.objects.filter(kind="charge").count() == 5


def test_authorize_answers_204_402_403(api: ApiClient, ada: User, ada_key: str) -> None:
    """S43 S44: may anything start? Below one cent nothing, below one minute no call."""
    ask = "/billing/v3/authorize?type="
    assert [api.get(ask + t, key=ada_key).status_code for t in ("chat", "voice", "knowledge")] == [204] * 3
    ledger.adjust(ada.account_id, D("-0.95"), key="a", actor="t", reason="test")
    assert [api.get(ask + t, key=ada_key).status_code for t in ("chat", "voice")] == [204, 402]
    ledger.adjust(ada.account_id, D("-0.05"), key="b", actor="t", reason="test")
    assert api.get(ask + "chat", key=ada_key).status_code == 402
    assert selectors.balance_of(ada.account_id).refused_at is None, "authorize never writes"
    ledger.freeze(ada.account_id, by="staff", frozen=True)
    assert api.get(ask + "chat", key=ada_key).status_code == 403
    assert api.get(ask + "video", key=ada_key).status_code == 422


def test_the_rate_card_shows_dates_and_what_is_announced(api: ApiClient, ada: User, ada_key: str) -> None:
    """S19 S20: the seven models at the seed's rates, and changes to come."""
    now = datetime.now(UTC)
    rate_card.set_price(
        "gpt-4o.input", rate=D("2.00"), effective_from=now + timedelta(days=3), actor="t", now=now
    )
    prices = {p["meter"]: p for p in read(api.get("/billing/v3/prices", key=ada_key))["prices"]}
    assert prices["gpt-4o.input"]["rate"] == D("2.5")
    assert prices["gpt-4o.input"]["upcoming"][0]["rate"] == 2
    assert prices["gemini-1.5-flash.input"]["rate"] == D("0.075")
    assert {m.rpartition(".")[0] for m in prices if m.endswith(".output")} == set(rate_card.MODELS)
