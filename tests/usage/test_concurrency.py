"""Many at once, on a real PostgreSQL: never below zero, nothing lost, nothing twice; and so not without the lock."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from billing import holds, ledger, selectors, topups
from billing.models import Balance, Hold, LedgerEntry
from tests import factories
from tests.api_client import ApiClient
from tests.usage.events import chat
from usage import convoys, metering
from usage.models import Charge
from usage.verify import verify_ledger

D = Decimal
MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.django_db(transaction=True)
OPEN = Path(__file__).parents[2] / "billing/sql/billing_open_1.sql"


@pytest.fixture
def each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if each were in a process of its own: no convoys, the lock in the database is all there is."""
    monkeypatch.setattr(convoys, "run", lambda account_id, item, *, alone, together: alone(item))


@pytest.fixture(params=["in one process", "in many"])
def both_ways(request: pytest.FixtureRequest) -> None:
    if request.param == "in many":
        request.getfixturevalue("each_alone")


def at_once(work: Callable[[int], Any], count: int, *, clients: int = 16) -> list[Any]:
    def one(n: int) -> Any:
        try:
            return work(n)
        finally:
            connection.close()

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, range(count)))


def breaches() -> list[dict[str, str]]:
    return verify_ledger(full=True, now=datetime.now(UTC)).breaches


def test_200_parallel_requests_never_overdraw_a_dollar(transactional_db: None, both_ways: None) -> None:
    """S1 S43: each asks for two cents of $1.00: exactly fifty go through."""
    ada = factories.owner()
    key = factories.key(ada.account)
    event = {"type": "chat", "model": "gpt-4-turbo", "input_tokens": 2000, "output_tokens": 0}

    def ask(n: int) -> int:
        return ApiClient().post("/billing/v3/usage", {"event_id": f"e{n}", **event}, key=key).status_code

    statuses = at_once(ask, 200)
    assert (statuses.count(201), statuses.count(402)) == (50, 150)
    assert selectors.balance_of(ada.account_id).balance == 0
    assert breaches() == []


def test_the_same_event_sixteen_times_at_once_is_one_charge(transactional_db: None, both_ways: None) -> None:
    ada = factories.owner()
    outcomes = at_once(lambda n: metering.record(ada.account_id, chat("same")), 16)
    assert sorted(outcome.status for outcome in outcomes) == ["recorded"] + ["replayed"] * 15
    assert len({outcome.charge_id for outcome in outcomes}) == 1
    assert breaches() == []


def test_one_hot_account_and_fifty_others_stay_right(transactional_db: None, both_ways: None) -> None:
    hot, others = factories.owner(), [factories.account_without_trial() for _ in range(50)]
    for account in others:
        topups.record_manual(account.id, D(1), actor="t", reason="test")

    def mixed(n: int) -> str:
        account_id = hot.account_id if n % 2 else others[n % 50].id
        if n % 7:
            return metering.record(account_id, chat(f"e{n}")).status
        held = holds.hold(
            account_id, key=f"h{n}", request_hash=b"h" * 32, amount=D("0.01"), purpose="voice", terms={},
            lifetime=MINUTE,
        )  # fmt: skip
        return holds.release(account_id, held.hold_id).status

    assert set(at_once(mixed, 800)) == {"recorded", "ended"}
    assert not Balance.objects.exclude(held=0).exists()
    assert breaches() == []


def test_a_hold_ends_once_however_many_try(transactional_db: None) -> None:
    ada = factories.owner()
    held = holds.hold(
        ada.account_id, key="h", request_hash=b"h" * 32, amount=D("0.5"), purpose="knowledge", terms={},
        lifetime=MINUTE,
    )  # fmt: skip
    rates = {"gpt-4o-mini.input": D("0.15"), "gpt-4o-mini.output": D("0.60")}

    def end(n: int) -> str:
        if n % 2:
            return "release " + holds.release(ada.account_id, held.hold_id).status
        return "capture " + metering.capture(ada.account_id, held.hold_id, chat(f"c{n}"), rates).status

    results = at_once(end, 16)
    assert sum(r in ("release ended", "capture recorded") for r in results) == 1
    assert Hold.objects.get().state in ("captured", "released")
    assert breaches() == []


def test_batches_and_single_events_cross_without_deadlock(transactional_db: None) -> None:
    """A deadlock in any test is a failure, not a retry."""
    accounts = [factories.account_without_trial() for _ in range(4)]
    for account in accounts:
        topups.record_manual(account.id, D(5), actor="t", reason="test")

    def work(n: int) -> set[str]:
        account = accounts[n % 4]
        batch = [chat(f"{n}-{i}") for i in range(40)]
        if n % 3 == 0:
            ledger.adjust(account.id, D("0.01"), key=f"a{n}", actor="t", reason="test")
        return {outcome.status for outcome in metering.record_many(account.id, batch)}

    assert at_once(work, 48) == [{"recorded"}] * 48
    assert Charge.objects.count() == 48 * 40
    assert breaches() == []


@pytest.fixture
def gate_without_its_lock() -> Iterator[None]:
    """The negative control: the same gate, but reading the Balance without locking it."""
    source = OPEN.read_text().replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    assert " FOR NO KEY UPDATE OF x" in source
    _run(source.replace(" FOR NO KEY UPDATE OF x", "; PERFORM pg_sleep(0.002)"))
    yield
    _run(source)


def test_without_the_lock_the_same_test_fails(
    transactional_db: None, each_alone: None, gate_without_its_lock: None
) -> None:
    ada = factories.owner()
    at_once(_careless(ada.account_id), 200)
    spent = sum(Charge.objects.values_list("cost", flat=True))
    entries = LedgerEntry.objects.filter(kind="charge").count()
    assert breaches() or spent > 1 or entries < Charge.objects.count()


def _careless(account_id: Any) -> Callable[[int], Any]:
    def work(n: int) -> str:
        try:
            return metering.record(account_id, chat(f"e{n}", "gpt-4-turbo", 2000, 0)).status
        except Exception as broken:  # without its lock the gate also trips over its own constraints
            return type(broken).__name__

    return work


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
