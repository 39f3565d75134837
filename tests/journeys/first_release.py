"""Makes a database as the first release had it: its last migrations, and rows written by its own SQL functions.

Run by test_upgrade.py in a process of its own, on the database that DATABASE_URL names; prints what it made.
"""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "thinnest_billing.settings")
django.setup()

from django.db import connection  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

from accounts import api_keys, ids  # noqa: E402

# The last migrations of issue 2 (the main job, end to end); alerts had no tables yet.
FIRST = [
    ("accounts", "0002_functions"), ("billing", "0004_verification"), ("usage", "0002_metering"),
    ("thinnest_billing", "0001_initial"),
]  # fmt: skip
DJANGO = ("auth", "contenttypes", "sessions", "admin")
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
RATES = {"gpt-4o-mini.input": "0.15", "gpt-4o-mini.output": "0.60"}
PRICE = Decimal("0.000391500")
Row = tuple[Any, ...]


def call(function: str, *parameters: object) -> Row:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {function}({', '.join(['%s'] * len(parameters))})", parameters)
        return tuple(cursor.fetchone())


def migrate() -> Any:
    """The models as they were then."""
    executor = MigrationExecutor(connection)
    leaves = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] in DJANGO]
    executor.migrate([*FIRST, *leaves])
    return MigrationExecutor(connection).loader.project_state(FIRST).apps


def people(apps: Any) -> tuple[Any, str]:
    account = apps.get_model("accounts", "Account").objects.create(
        id=ids.uuid7(), name="Ada's agents", created_at=NOW, opened_at=NOW
    )
    apps.get_model("accounts", "User").objects.create(
        id=ids.uuid7(), account=account, email="ada@example.com", role="owner", password="!",
        email_confirmed_at=NOW, created_at=NOW,
    )  # fmt: skip
    plain = api_keys._new_plain()
    apps.get_model("accounts", "ApiKey").objects.create(
        id=ids.uuid7(), account=account, name="old", prefix=plain[:12], digest=api_keys.digest(plain),
        scopes=["balance:read", "history:read", "usage:write"], created_at=NOW,
    )  # fmt: skip
    return account, plain


def funds(apps: Any, account: Any) -> None:
    topup = apps.get_model("billing", "TopUp").objects.create(
        id=ids.uuid7(), account=account, mode="manual", origin="staff", actor="t", reason="transfer",
        amount=Decimal(25), received=Decimal(25), status="succeeded", created_at=NOW, ended_at=NOW,
    )  # fmt: skip
    call("billing_birth_1", account.id, NOW)
    for kind, key, granted, paid in (("grant", "trial", 1, 0), ("topup", str(topup.id), 0, 25)):
        row = call(
            "billing_post_1", account.id, ids.uuid7(), kind, key, None, granted, paid, "t", "test", NOW
        )
        assert row[0] == "posted", row


def card_version() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version FROM usage_ratecard")
        return int(cursor.fetchone()[0])


def chat(account: Any, event: str, *, hold: object = None, on_short: str = "refuse") -> Row:
    """One message of the first release; `hold` is captured."""
    card = None if hold else card_version()
    row = call(
        "usage_record_1", account.id, ids.uuid7(), event, b"h" * 32, "chat", None, "Support", "support",
        ids.uuid7(), 1000, "gpt-4o-mini", 1250, 340, 0, 0, None, 0, 0, None, json.dumps(RATES), PRICE,
        card, None, None, "req_then", hold, on_short, "", NOW,
    )  # fmt: skip
    assert row[0] == "recorded", row
    return row


def hold(account: Any, key: str) -> Row:
    terms = json.dumps({"model": "gpt-4o-mini", "rates": RATES})
    row = call(
        "billing_hold_1", account.id, ids.uuid7(), key, b"h" * 32, Decimal("0.5"), "chat", terms, "9999 days",
        None, NOW,
    )  # fmt: skip
    assert row[0] == "held", row
    return row


def main() -> None:
    apps = migrate()
    account, key = people(apps)
    funds(apps, account)
    charges = [chat(account, f"event {number}") for number in range(5)]
    released, captured, _ = (hold(account, f"hold {number}") for number in range(3))
    assert call("billing_end_hold_1", account.id, released[1], "released", NOW)[0] == "ended"
    chat(account, "captured", hold=captured[1], on_short="capture")
    undone = call("usage_reverse_1", account.id, charges[0][1], ids.uuid7(), "t", "by mistake", NOW)
    assert undone[0] == "reversed", undone
    print(json.dumps({"account": ids.public("acct", account.id), "key": key}))


if __name__ == "__main__":
    main()
