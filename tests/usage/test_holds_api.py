"""Holds: ask before the work, end each once. What is held beforehand is always recorded."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from billing import ledger, selectors, topups
from billing.models import Balance, Hold
from tests import factories
from tests.api_client import ApiClient, read
from usage import rate_card
from usage.models import Charge

D = Decimal
HOLDS = "/billing/v3/holds"
CALL: dict[str, Any] = {"key": "call-1", "type": "voice", "seconds": 300, "agent": "Sales"}


def held(api: ApiClient, api_key: str, /, **body: Any) -> dict[str, Any]:
    answer = api.post(HOLDS, {**CALL, **body}, key=api_key)
    assert answer.status_code == 201, answer.content
    return read(answer)


def end(api: ApiClient, api_key: str, hold: dict[str, Any], how: str, /, **body: Any) -> Any:
    return api.post(f"{HOLDS}/{hold['id']}/{how}", body, key=api_key)


def paid(user: User) -> None:
    """More than one call at a time needs a top-up."""
    topups.record_manual(user.account_id, D(5), actor="staff", reason="test")


def expire(hold: dict[str, Any]) -> None:
    """As if its time had passed."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    Hold.objects.filter(key=hold["key"]).update(expires_at=past)
    Balance.objects.update(next_hold_expiry=past)


def test_a_hold_reserves_and_a_capture_takes_what_was_used(api: ApiClient, ada: User, ada_key: str) -> None:
    """S14 S44: a call is placed only when its minutes are reserved."""
    hold = held(api, ada_key)
    assert (hold["state"], hold["amount"], hold["available"]) == ("open", D("0.5"), D("0.5"))
    assert selectors.balance_of(ada.account_id).held == D("0.5")
    answer = end(api, ada_key, hold, "capture", event_id="call-1", seconds=252)
    assert (answer.status_code, read(answer)["cost"], read(answer)["balance"]) == (
        201,
        D("0.4200"),
        D("0.58"),
    )
    funds = selectors.balance_of(ada.account_id)
    assert (funds.held, funds.balance) == (0, D("0.58"))
    charge = Charge.objects.get()
    assert (charge.seconds, charge.hold_id, charge.agent_id is not None) == (252, Hold.objects.get().id, True)


def test_what_does_not_fit_is_not_placed(api: ApiClient, ada: User, ada_key: str) -> None:
    """S44: voice calls are not placed when the balance is out."""
    api.post(HOLDS, {"key": "book", "type": "knowledge", "pages": 100}, key=ada_key)
    answer = api.post(HOLDS, {**CALL, "seconds": 1}, key=ada_key)
    assert (answer.status_code, read(answer)["available"]) == (402, 0)
    assert read(api.get("/billing/v3/authorize?type=chat", key=ada_key))["code"] == "insufficient_balance"


def test_the_same_hold_replays_and_another_under_its_key_is_refused(
    api: ApiClient, ada: User, ada_key: str
) -> None:
    first = held(api, ada_key)
    again = api.post(HOLDS, CALL, key=ada_key)
    assert (again.status_code, again["Idempotent-Replayed"], read(again)["id"]) == (201, "true", first["id"])
    assert api.post(HOLDS, {**CALL, "seconds": 301}, key=ada_key).status_code == 422
    assert selectors.balance_of(ada.account_id).held == D("0.5")


def test_chat_and_knowledge_holds_cost_exactly_what_they_reserve(
    api: ApiClient, ada: User, ada_key: str
) -> None:
    chat = {
        "key": "m",
        "type": "chat",
        "model": "gpt-4o",
        "input_tokens": 1000,
        "max_output_tokens": 500,
        "retrieval_queries": 1,
    }
    assert read(api.post(HOLDS, chat, key=ada_key))["amount"] == D("0.0095")
    assert read(api.post(HOLDS, {"key": "d", "type": "knowledge", "pages": 12}, key=ada_key))["amount"] == D(
        "0.12"
    )
    bare = {name: value for name, value in chat.items() if name != "max_output_tokens"} | {"key": "n"}
    assert read(api.post(HOLDS, bare, key=ada_key))["errors"][0]["pointer"] == "/max_output_tokens"


def test_extending_sets_the_total(api: ApiClient, ada: User, ada_key: str) -> None:
    hold = held(api, ada_key)
    answer = end(api, ada_key, hold, "extend", seconds=360)
    assert (answer.status_code, read(answer)["amount"], read(answer)["available"]) == (
        200,
        D("0.6"),
        D("0.4"),
    )
    assert end(api, ada_key, hold, "extend", seconds=360)["Idempotent-Replayed"] == "true"
    refused = end(api, ada_key, hold, "extend", seconds=601)
    assert (refused.status_code, read(refused)["affordable_seconds"]) == (402, 600)
    assert Hold.objects.get().amount == D("0.6"), "a 402 leaves the hold as it was"
    assert read(end(api, ada_key, hold, "extend", seconds=600))["available"] == 0


def test_an_expired_hold_frees_its_funds_without_any_worker(api: ApiClient, ada: User, ada_key: str) -> None:
    hold = held(api, ada_key, seconds=600)
    expire(hold)
    assert selectors.balance_of(ada.account_id).available == D(1)
    assert api.get("/billing/v3/authorize?type=voice", key=ada_key).status_code == 204
    held(api, ada_key, key="call-2", seconds=600)
    assert Hold.objects.get(key="call-1").state == Hold.State.EXPIRED


def test_an_expired_hold_reopens_when_the_total_still_fits(api: ApiClient, ada: User, ada_key: str) -> None:
    hold = held(api, ada_key)
    expire(hold)
    answer = end(api, ada_key, hold, "extend", seconds=540)
    assert (answer.status_code, read(answer)["state"], read(answer)["amount"]) == (200, "open", D("0.9"))


def test_no_hold_lives_longer_than_a_day(api: ApiClient, ada: User, ada_key: str) -> None:
    """However often it is extended: two totals in turn would else keep it for ever."""
    hold = held(api, ada_key)
    Hold.objects.update(created_at=datetime.now(UTC) - timedelta(hours=23, minutes=59))
    answer = end(api, ada_key, hold, "extend", seconds=360)
    assert answer.status_code == 200
    row = Hold.objects.get()
    assert row.expires_at == row.created_at + timedelta(hours=24)
    Hold.objects.update(created_at=datetime.now(UTC) - timedelta(hours=24))
    assert end(api, ada_key, hold, "extend", seconds=300).status_code == 409


def test_a_capture_after_expiry_is_still_recorded(api: ApiClient, ada: User, ada_key: str) -> None:
    hold = held(api, ada_key)
    expire(hold)
    held(api, ada_key, key="call-2", seconds=480)
    body = read(end(api, ada_key, hold, "capture", event_id="late", seconds=300))
    assert (body["cost"], body["uncollected"]) == (D("0.2000"), D("0.3000")), "only what others do not hold"


def test_a_capture_beyond_the_hold_takes_what_is_free(api: ApiClient, ada: User, ada_key: str) -> None:
    hold = held(api, ada_key)
    body = read(end(api, ada_key, hold, "capture", event_id="long", seconds=720))
    assert (body["cost"], body["uncollected"], body["balance"]) == (D("1.0000"), D("0.2000"), 0)


def test_a_capture_uses_the_rates_its_hold_froze(api: ApiClient, ada: User, ada_key: str) -> None:
    hold = held(api, ada_key)
    now = datetime.now(UTC)
    rate_card.set_price("voice.minute", rate=D(99), effective_from=now, actor="t", now=now)
    assert read(end(api, ada_key, hold, "capture", event_id="c", seconds=60))["cost"] == D("0.1000")


def test_each_hold_ends_once(api: ApiClient, ada: User, ada_key: str) -> None:
    paid(ada)
    captured, released = held(api, ada_key, seconds=60), held(api, ada_key, key="call-2", seconds=60)
    first = end(api, ada_key, captured, "capture", event_id="c", seconds=30)
    again = end(api, ada_key, captured, "capture", event_id="c", seconds=30)
    assert (again.status_code, again["Idempotent-Replayed"], read(again)) == (201, "true", read(first))
    assert end(api, ada_key, captured, "capture", event_id="other", seconds=30).status_code == 409
    assert end(api, ada_key, captured, "release").status_code == 409
    assert end(api, ada_key, captured, "extend", seconds=90).status_code == 409
    assert read(end(api, ada_key, released, "release"))["state"] == "released"
    assert end(api, ada_key, released, "release")["Idempotent-Replayed"] == "true"
    assert end(api, ada_key, released, "capture", event_id="x", seconds=30).status_code == 409
    assert end(api, ada_key, released, "extend", seconds=90).status_code == 409
    assert Charge.objects.count() == 1


def test_a_release_needs_no_body(api: ApiClient, ada: User, ada_key: str) -> None:
    hold = held(api, ada_key)
    answer = api.send("POST", f"{HOLDS}/{hold['id']}/release", b"", key=ada_key, content_type="")
    assert (answer.status_code, read(answer)["available"]) == (200, 1)


def test_a_freeze_stops_new_holds_but_not_the_end_of_old_ones(
    api: ApiClient, ada: User, ada_key: str
) -> None:
    """Work held beforehand is always recorded."""
    paid(ada)
    hold, other = held(api, ada_key), held(api, ada_key, key="call-2", seconds=60)
    ledger.freeze(ada.account_id, by="owner", frozen=True)
    assert api.post(HOLDS, {**CALL, "key": "call-3"}, key=ada_key).status_code == 403
    assert end(api, ada_key, hold, "extend", seconds=301).status_code == 403
    assert end(api, ada_key, hold, "capture", event_id="c", seconds=300).status_code == 201
    assert end(api, ada_key, other, "release").status_code == 200


def test_somebody_elses_hold_does_not_exist(api: ApiClient, ada: User, cy: User, ada_key: str) -> None:
    hold = held(api, ada_key)
    stranger = factories.key(cy.account)
    for how, body in (("extend", {"seconds": -1}), ("capture", {}), ("release", {"x": 1}), ("release", {})):
        assert end(api, stranger, hold, how, **body).status_code == 404
    assert api.post(f"{HOLDS}/hold_nonsense/release", {}, key=ada_key).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"event_id": "c"},
        {"event_id": "c", "input_tokens": 5},
        {"event_id": "c", "seconds": -1},
        {"event_id": "c", "seconds": 86_401},
        {"event_id": "c", "seconds": 5, "type": "chat"},
        {"seconds": 5},
    ],
)
def test_a_capture_takes_the_fields_of_its_hold(
    api: ApiClient, ada: User, ada_key: str, body: dict[str, Any]
) -> None:
    hold = held(api, ada_key)
    assert end(api, ada_key, hold, "capture", **body).status_code == 422
    assert Hold.objects.get().state == Hold.State.OPEN


def test_platform_keys_name_the_account(api: ApiClient, ada: User, platform_key: str) -> None:
    assert api.post(HOLDS, CALL, key=platform_key).status_code == 422
    assert api.post(HOLDS, {**CALL, "account": "acct_" + "0" * 26}, key=platform_key).status_code == 404
    mine = {"account": ada.account.public_id}
    hold = held(api, platform_key, **mine)
    assert end(api, platform_key, hold, "capture", event_id="c", seconds=60, **mine).status_code == 201
