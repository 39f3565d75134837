"""More than one call at a time needs a paid balance: checked under the Balance lock, free for who has one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from billing import ledger, topups
from billing.models import Balance, Hold, TopUp
from tests import factories
from tests.api_client import ApiClient, read
from tests.billing.paying import in_parallel
from usage.models import Agent

D = Decimal
HOLDS = "/billing/v3/holds"
AUTHORIZE = "/billing/v3/authorize?type="
pytestmark = pytest.mark.django_db
SQL = Path(__file__).parents[2] / "billing/sql"


def call(api: ApiClient, api_key: str, key: str, seconds: int = 60, **body: Any) -> Any:
    return api.post(HOLDS, {"key": key, "type": "voice", "seconds": seconds, **body}, key=api_key)


def pay(user: User) -> TopUp:
    return topups.record_manual(user.account_id, D(5), actor="staff", reason="test")


def expire(key: str) -> None:
    """As if its time had passed."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    Hold.objects.filter(key=key).update(expires_at=past)
    Balance.objects.update(next_hold_expiry=past)


def test_a_trial_places_one_call_at_a_time(api: ApiClient, ada: User, ada_key: str) -> None:
    """S9: a second concurrent call needs a paid balance, and the refusal says what to do."""
    assert call(api, ada_key, "one").status_code == 201
    refused = call(api, ada_key, "two", agent="Ghost")
    told = read(refused)
    assert (refused.status_code, told["code"]) == (403, "paid_balance_required")
    assert "Add at least $5.00, then try again." in told["detail"]
    assert told["topup_url"].endswith("/settings/billing/add-funds/")
    assert not Hold.objects.filter(key="two").exists()
    assert not Agent.objects.filter(name="Ghost").exists(), "a refusal makes no agent"
    assert Balance.objects.get(account_id=ada.account_id).refused_at is None, "it was no lack of funds"


def test_a_paid_balance_places_as_many_as_it_can_pay(api: ApiClient, ada: User, ada_key: str) -> None:
    """S9, the other way: after any top-up, also when all of it is spent."""
    pay(ada)
    ledger.adjust(ada.account_id, D("-5.50"), key="spent", actor="staff", reason="as if spent")
    statuses = [call(api, ada_key, f"call {n}").status_code for n in range(6)]
    assert statuses == [201] * 5 + [402]


def test_one_after_the_other_is_fine(api: ApiClient, ada: User, ada_key: str) -> None:
    one = read(call(api, ada_key, "one"))
    api.post(f"{HOLDS}/{one['id']}/capture", {"event_id": "one", "seconds": 30}, key=ada_key)
    two = read(call(api, ada_key, "two"))
    api.post(f"{HOLDS}/{two['id']}/release", key=ada_key)
    assert call(api, ada_key, "three").status_code == 201
    expire("three")
    assert call(api, ada_key, "four").status_code == 201, "one that expired goes on no longer"


def test_the_one_call_may_be_extended_and_repeated(api: ApiClient, ada: User, ada_key: str) -> None:
    one = read(call(api, ada_key, "one"))
    assert api.post(f"{HOLDS}/{one['id']}/extend", {"seconds": 120}, key=ada_key).status_code == 200
    again = call(api, ada_key, "one")
    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")


def test_a_replay_answers_as_before_whatever_else_is_going_on(
    api: ApiClient, ada: User, ada_key: str
) -> None:
    """The order of refusals: replay, frozen, paid balance, funds."""
    assert call(api, ada_key, "one").status_code == 201
    assert call(api, ada_key, "two", seconds=7200).status_code == 403, "before 402"
    ledger.freeze(ada.account_id, by="owner", frozen=True)
    assert read(call(api, ada_key, "two"))["code"] == "spending_frozen"
    assert call(api, ada_key, "one")["Idempotent-Replayed"] == "true"
    assert call(api, ada_key, "one", seconds=61).status_code == 422


def test_an_expired_call_does_not_reopen_beside_another(api: ApiClient, ada: User, ada_key: str) -> None:
    """Else a trial would have two at a time by a detour."""
    one = read(call(api, ada_key, "one"))
    expire("one")
    two = read(call(api, ada_key, "two"))
    refused = api.post(f"{HOLDS}/{one['id']}/extend", {"seconds": 90}, key=ada_key)
    assert (refused.status_code, read(refused)["code"]) == (403, "paid_balance_required")
    api.post(f"{HOLDS}/{two['id']}/release", key=ada_key)
    assert api.post(f"{HOLDS}/{one['id']}/extend", {"seconds": 90}, key=ada_key).status_code == 200


def test_only_calls_count(api: ApiClient, ada: User, ada_key: str) -> None:
    chat = {"type": "chat", "model": "gpt-4o", "input_tokens": 100, "max_output_tokens": 100}
    pages = {"type": "knowledge", "pages": 1}
    assert call(api, ada_key, "call").status_code == 201
    for n, body in enumerate((chat, chat, pages, pages)):
        assert api.post(HOLDS, {"key": f"no call {n}", **body}, key=ada_key).status_code == 201
    assert (
        api.post(f"{HOLDS}/{read(call(api, ada_key, 'call'))['id']}/release", key=ada_key).status_code == 200
    )
    assert call(api, ada_key, "another").status_code == 201, "chat holds are no calls"


def test_a_top_up_that_was_taken_back_opens_nothing(api: ApiClient, ada: User, ada_key: str) -> None:
    topup = pay(ada)
    topup.refunds.create(
        account=ada.account, mode=topup.mode, origin="staff", actor="t", amount=D(5), taken=D(5),
        status="succeeded", created_at=datetime.now(UTC),
    )  # fmt: skip
    assert call(api, ada_key, "one").status_code == 201
    assert call(api, ada_key, "two").status_code == 403


def test_others_calls_and_top_ups_are_no_business_of_an_account(
    api: ApiClient, ada: User, cy: User, ada_key: str
) -> None:
    pay(cy)
    assert call(api, factories.key(cy.account), "one").status_code == 201
    assert call(api, ada_key, "one").status_code == 201
    assert call(api, ada_key, "two").status_code == 403


def test_authorize_says_so_too(api: ApiClient, ada: User, ada_key: str) -> None:
    """S44: it would be no use to begin a call whose hold is refused."""
    call(api, ada_key, "one")
    refused = api.get(f"{AUTHORIZE}voice", key=ada_key)
    assert (refused.status_code, read(refused)["code"]) == (403, "paid_balance_required")
    assert api.get(f"{AUTHORIZE}chat", key=ada_key).status_code == 204
    pay(ada)
    assert api.get(f"{AUTHORIZE}voice", key=ada_key).status_code == 204


# --- At the very same time ------------------------------------------------------------------------------------


def statuses_of_calls(user: User, count: int, **body: Any) -> list[int]:
    key = factories.key(user.account)
    return sorted(
        in_parallel(count, lambda n: int(call(ApiClient(), key, f"call {n}", 30, **body).status_code))
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("body", [{}, {"agent": "Sales"}])
def test_of_sixteen_at_once_a_trial_places_exactly_one(body: dict[str, str]) -> None:
    """S9: decided under the Balance lock, also when the call names a new agent."""
    ada = factories.owner()
    assert statuses_of_calls(ada, 16, **body) == [201] + [403] * 15
    assert Hold.objects.filter(state=Hold.State.OPEN).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_sixteen_at_once_a_paid_balance_places_all() -> None:
    ada = factories.owner()
    pay(ada)
    assert statuses_of_calls(ada, 16) == [201] * 16


@pytest.fixture
def gate_without_its_lock(transactional_db: None) -> Iterator[None]:
    """The negative control: the same gate without its lock, and slow between its look and its hold."""
    changes = {
        "billing_open_1": (" FOR NO KEY UPDATE OF x", ""),
        "billing_hold_2": ("    expires_at := clock", "    PERFORM pg_sleep(0.2);\n    expires_at := clock"),
    }
    right = {
        name: (SQL / f"{name}.sql").read_text().replace("CREATE FU", "CREATE OR REPLACE FU")
        for name in changes
    }
    for name, (before, after) in changes.items():
        assert right[name].count(before) == 1
        _run(right[name].replace(before, after))
    yield
    for source in right.values():
        _run(source)


def test_without_the_lock_more_than_one_gets_through(gate_without_its_lock: None) -> None:
    ada = factories.owner()
    assert statuses_of_calls(ada, 16).count(201) > 1


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
