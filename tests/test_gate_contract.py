"""One gate: nothing but the functions of billing/sql writes money, and the database has the functions of the files."""

import re
from pathlib import Path

import pytest
from django.db import connection

ROOT = Path(__file__).parents[1]
APPS = ["accounts", "billing", "usage", "alerts", "thinnest_billing"]
MONEY_SQL = re.compile(
    r"\b(INSERT INTO|UPDATE|DELETE FROM|TRUNCATE)\s+(billing_balance|billing_ledgerentry|billing_hold)\b",
    re.I,
)
MONEY_ORM = re.compile(
    r"\b(Balance|LedgerEntry|Hold)\.objects\.[^\n]*\b(create|update|delete|bulk_\w+|get_or_create|update_or_create)\("
)
USAGE_SQL = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|TRUNCATE)\s+usage_charge\b", re.I)


def files(suffix: str) -> list[Path]:
    return [f for app in APPS for f in (ROOT / app).rglob(f"*{suffix}") if "migrations" not in f.parts]


def test_only_the_gate_writes_balances_entries_and_holds() -> None:
    writers = {f.relative_to(ROOT).parts[:2] for f in files(".sql") if MONEY_SQL.search(f.read_text())}
    assert writers == {("billing", "sql")}
    assert [
        f for f in files(".py") if MONEY_SQL.search(f.read_text()) or MONEY_ORM.search(f.read_text())
    ] == []


def test_only_usages_functions_write_charges() -> None:
    assert {f.relative_to(ROOT).parts[:2] for f in files(".sql") if USAGE_SQL.search(f.read_text())} == {
        ("usage", "sql")
    }
    assert [f for f in files(".py") if USAGE_SQL.search(f.read_text())] == []


@pytest.mark.django_db
def test_the_database_has_the_functions_of_the_files() -> None:
    """A released file is never edited: a change is a new file with a new name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosrc <> ''"
        )
        installed = dict(cursor.fetchall())
    for file in files(".sql"):
        for name, body in re.findall(r"CREATE FUNCTION (\w+)\(.*?AS \$\$(.*?)\$\$", file.read_text(), re.S):
            assert installed[name] == body, f"{file.name} differs from what the database has"
