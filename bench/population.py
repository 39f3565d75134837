"""Accounts that can spend: made in bulk, but their money comes through the gate like anybody's."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.db import connection, transaction

from accounts import api_keys, ids
from accounts.models import Account, Scope

AGENTS = 20  # an account
FUND = """
    SELECT billing_birth_1(a, NULL), billing_post_1(a, gen_random_uuid(), 'adjustment', 'bench', NULL, 0, 1000000,
        'bench', 'to be spent by the benchmark', NULL) FROM unnest(%s::uuid[]) a"""
MAKE_AGENTS = """
    INSERT INTO usage_agent (id, account_id, name, name_key, model, created_at)
    SELECT gen_random_uuid(), a, 'Agent ' || n, 'agent ' || n, '', clock_timestamp()
    FROM generate_series(1, %s) n, unnest(%s::uuid[]) a"""


def accounts(count: int) -> list[tuple[str, Account]]:
    """Accounts with an API key, a million dollars and twenty agents each: (plain key, account)."""
    now = datetime.now(UTC) - timedelta(days=1)
    made = Account.objects.bulk_create(
        [Account(id=ids.uuid7(), name=f"Bench {n}", created_at=now, opened_at=now) for n in range(count)]
    )
    with connection.cursor() as cursor:
        cursor.execute(FUND, [[account.id for account in made]])
    agents([account.id for account in made])
    with transaction.atomic():
        return [(account_key(account), account) for account in made]


def agents(account_ids: Sequence[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MAKE_AGENTS, [AGENTS, list(account_ids)])


def account_key(account: Account) -> str:
    return api_keys.create(account=account, name="bench", scopes=Scope.values, now=datetime.now(UTC))[1]


def platform_key() -> str:
    scopes = [scope for scope in Scope.values if scope != Scope.TOPUP_WRITE]
    return api_keys.create(account=None, name="bench", scopes=scopes, now=datetime.now(UTC))[1]


def write_keys(path: Path, keys: Sequence[tuple[str, Account]]) -> Path:
    """The file that events.lua reads: a line "key account" each, the platform's last."""
    lines = [f"{key} {account.public_id}" for key, account in keys]
    path.write_text("\n".join([*lines, f"{platform_key()} platform", ""]))
    return path
