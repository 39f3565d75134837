"""Accounts that can spend: made in bulk, but their money comes through the gate like anybody's."""

from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from accounts import api_keys, ids
from accounts.models import Account, Scope

AGENTS = 20  # an account
FUND = """
    SELECT billing_birth_1(a, NULL), billing_post_1(a, gen_random_uuid(), 'topup', 'bench', NULL, 0, 1000000,
        'bench', '', NULL) FROM unnest(%s::uuid[]) a"""
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
        cursor.execute(MAKE_AGENTS, [AGENTS, [account.id for account in made]])
    with transaction.atomic():
        keys = [
            api_keys.create(account=account, name="bench", scopes=Scope.values, now=now) for account in made
        ]
    return [(plain, account) for (_, plain), account in zip(keys, made, strict=True)]


def platform_key() -> str:
    scopes = [scope for scope in Scope.values if scope != Scope.TOPUP_WRITE]
    return api_keys.create(account=None, name="bench", scopes=scopes, now=datetime.now(UTC))[1]
