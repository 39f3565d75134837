"""PgBouncer in transaction mode: `make test-pgbouncer` runs this and the paths of the money through it."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from accounts.models import User
from billing import selectors
from tests import factories
from tests.usage.events import chat
from usage import metering
from usage.verify import verify_ledger

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not os.environ.get("TEST_PGBOUNCER"), reason="make test-pgbouncer runs it"),
]
SERVERS = 20  # in the pool
CLIENTS = 40


def console(question: str) -> list[dict[str, object]]:
    """What PgBouncer's own console answers."""
    where = settings.DATABASES["default"]
    with psycopg.connect(
        host=where["HOST"], port=where["PORT"], user="pgbouncer", dbname="pgbouncer", autocommit=True
    ) as asking:
        asking.prepare_threshold = None
        cursor = psycopg.ClientCursor(asking).execute(question)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def test_it_goes_through_pgbouncer_in_transaction_mode() -> None:
    """The proof that the other tests of this run mean anything."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    modes = {row["key"]: row["value"] for row in console("SHOW CONFIG")}
    assert modes["pool_mode"] == "transaction"
    served = {row["database"]: row["total_xact_count"] for row in console("SHOW STATS")}
    assert served[connection.settings_dict["NAME"]] > 0


def test_a_session_s_state_does_not_hold_here() -> None:
    """The negative control: what a session remembers, another client finds."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '77s'")
    gate = Barrier(SERVERS)

    def other(_: int) -> str:
        """Every server of the pool is in one of these transactions at the same moment."""
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SHOW statement_timeout")
                found = str(cursor.fetchone()[0])
                gate.wait(timeout=30)
                cursor.execute("RESET statement_timeout")
                return found
        finally:
            connection.close()

    with ThreadPoolExecutor(SERVERS) as pool:
        assert list(pool.map(other, range(SERVERS))).count("77s") == 1


def test_more_clients_than_servers_lose_nothing(ada: User) -> None:
    def spend(number: int) -> str:
        try:
            return metering.record(ada.account_id, chat(f"e{number}")).status
        finally:
            connection.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert set(pool.map(spend, range(400))) == {"recorded"}
    assert selectors.balance_of(ada.account_id).balance == Decimal(1) - 400 * Decimal("0.000391500")
    assert verify_ledger(full=True, now=datetime.now(UTC)).breaches == []


def test_it_prepares_no_statements() -> None:
    """Which PgBouncer before 1.21 would run on a server that never heard of them."""
    with connection.cursor() as cursor:
        for _ in range(10):
            cursor.execute("SELECT 'how often is this prepared?'")
        assert cursor.connection.prepare_threshold is None


def test_a_batch_is_one_pipeline_there_too(ada: User) -> None:
    outcomes = metering.record_many(ada.account_id, [chat(f"b{n}") for n in range(250)])
    assert [outcome.status for outcome in outcomes] == ["recorded"] * 250


def test_operators_commands_work_there(ada: User) -> None:
    for command in ("migrate", "verify_ledger", "sweep", "reconcile_payments", "rebuild_daily_spend"):
        call_command(command, verbosity=0)
    call_command("check", "--database", "default", verbosity=0)
    assert factories.account_without_trial().pk
