"""Convoys: events of one account that wait for each other commit together, and nobody notices but the clock."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from billing import ledger, selectors, topups
from tests import factories
from tests.usage.events import chat
from tests.usage.test_concurrency import at_once
from usage import convoys, metering
from usage.models import Charge
from usage.verify import verify_ledger

pytestmark = pytest.mark.django_db(transaction=True)
Together = Callable[[Any], list[Any]]


@pytest.fixture
def account_id(transactional_db: None) -> UUID:
    """With $5.00."""
    account_id = factories.account_without_trial().id
    topups.record_manual(account_id, Decimal(5), actor="t", reason="test")
    return account_id


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events each convoy had."""
    seen: list[int] = []
    together = metering._pipelined

    def watched(every: Any) -> list[Any]:
        seen.append(len(every))
        return together(every)

    monkeypatch.setattr(metering, "_pipelined", watched)
    return seen


@pytest.fixture(autouse=True)
def nobody_waits_afterwards() -> Iterator[None]:
    yield
    assert convoys._lines == {}


def send(account_id: UUID, count: int = 200) -> list[metering.Outcome]:
    return at_once(lambda n: metering.record(account_id, chat(f"e{n}")), count)


def is_right(account_id: UUID, count: int) -> bool:
    """Every event once, and the books agree."""
    assert Charge.objects.filter(account_id=account_id).count() == count
    return verify_ledger(full=True, now=datetime.now(UTC)).breaches == []


def test_each_gets_its_own_outcome(account_id: UUID, sizes: list[int]) -> None:
    outcomes = send(account_id)
    assert {outcome.status for outcome in outcomes} == {"recorded"}
    charges = {charge.event_id: charge for charge in Charge.objects.all()}
    assert [outcome.charge_id for outcome in outcomes] == [charges[f"e{n}"].id for n in range(200)]
    assert [outcome.balance for outcome in outcomes] == [charges[f"e{n}"].balance_after for n in range(200)]
    assert max(sizes) > 1
    assert is_right(account_id, 200)


def test_a_convoy_is_one_transaction(account_id: UUID, sizes: list[int]) -> None:
    send(account_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT xmin::text) FROM usage_charge")
        charges, transactions = cursor.fetchone()
    assert charges == 200
    assert transactions == 200 - sum(sizes) + len(sizes)


def test_who_does_not_fit_takes_nobody_along(account_id: UUID, sizes: list[int]) -> None:
    """S43: $5.00 buys 50 of $0.10; the others are refused, in whatever convoy they are."""
    dear = [chat(f"e{n}", "gpt-4-turbo", 10_000, 0) for n in range(200)]
    statuses = [outcome.status for outcome in at_once(lambda n: metering.record(account_id, dear[n]), 200)]
    assert (statuses.count("recorded"), statuses.count("short")) == (50, 150)
    assert selectors.balance_of(account_id).balance == 0
    assert is_right(account_id, 50)


def test_the_same_event_in_one_convoy_is_charged_once(account_id: UUID, sizes: list[int]) -> None:
    outcomes = at_once(lambda n: metering.record(account_id, chat(f"e{n % 10}")), 200)
    assert sorted(outcome.status for outcome in outcomes) == ["recorded"] * 10 + ["replayed"] * 190
    assert is_right(account_id, 10)


def test_one_that_cannot_be_recorded_fails_alone(account_id: UUID) -> None:
    """A text that PostgreSQL does not store, which no request can bring: the convoy breaks, the others go on.

    Those of the convoy that were sent before it are committed already: their second try is a replay.
    """

    def work(n: int) -> str:
        try:
            return metering.record(account_id, chat(f"e{n}" + "\0" * (n % 20 == 0))).status
        except Exception as error:
            return type(error).__name__

    results = at_once(work, 200)
    assert results.count("DataError") == 10
    assert results.count("recorded") + results.count("replayed") == 190
    assert is_right(account_id, 190)


def test_one_that_the_database_refuses_takes_its_convoy_back(
    account_id: UUID, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All or nothing, in the database too: of a broken convoy nothing is committed, so no second try is a replay."""
    pipelined = metering._pipelined

    def with_a_mistake(every: Any) -> list[Any]:
        """The last charge's id once more, for another event."""
        return pipelined([*every, [*every[-1][:2], "mistake", *every[-1][3:]]])

    monkeypatch.setattr(metering, "_pipelined", with_a_mistake)
    assert {outcome.status for outcome in send(account_id)} == {"recorded"}
    assert "duplicate key" in caplog.text
    assert is_right(account_id, 200)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_leader_that_dies_loses_nobody(
    account_id: UUID, monkeypatch: pytest.MonkeyPatch, when: str, error: type[BaseException]
) -> None:
    """Before its transaction, or after the commit when nobody has heard of it yet."""
    together, died = metering._pipelined, []

    def dies(every: Any) -> list[Any]:
        if not died:
            died.append(len(every))
            if when == "after":
                together(every)
            raise error
        return together(every)

    def work(n: int) -> str:
        try:
            return metering.record(account_id, chat(f"e{n}")).status
        except KeyboardInterrupt:
            return "died"

    monkeypatch.setattr(metering, "_pipelined", dies)
    statuses = at_once(work, 200)
    assert died
    lost = statuses.count("died")
    assert lost == (error is KeyboardInterrupt)
    assert is_right(account_id, 200 - lost * (when == "before"))
    assert set(statuses) <= {"recorded", "died", "replayed"}


def test_nobody_waits_for_ever_for_a_leader(account_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control, too: without handing over only patience helps, and the line never moves."""
    monkeypatch.setattr(convoys, "_hand_over", lambda account_id: None)
    monkeypatch.setattr(convoys, "PATIENCE", 0.2)
    began = time.monotonic()
    assert {outcome.status for outcome in send(account_id, 16)} == {"recorded"}
    assert time.monotonic() - began > 0.2
    assert is_right(account_id, 16)
    convoys._lines.clear()


def test_nothing_is_acknowledged_before_the_commit(account_id: UUID) -> None:
    """While somebody holds the Balance nobody hears anything."""
    heard: list[str] = []
    with transaction.atomic():
        ledger.lock(account_id)
        threads = [
            threading.Thread(target=lambda n=n: heard.append(_status(account_id, n)), daemon=True)
            for n in range(5)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert heard == []
    for thread in threads:
        thread.join(5)
    assert heard == ["recorded"] * 5
    assert is_right(account_id, 5)


def _status(account_id: UUID, n: int) -> str:
    try:
        return metering.record(account_id, chat(f"e{n}")).status
    finally:
        connection.close()


def test_inside_a_transaction_an_event_goes_with_it(account_id: UUID, sizes: list[int]) -> None:
    """Rent is one: it must not be committed by somebody else's leader."""
    with transaction.atomic():
        metering.record(account_id, chat("e"))
        transaction.set_rollback(True)  # the caller thinks better of it
    assert sizes == []
    assert is_right(account_id, 0)
