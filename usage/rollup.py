"""The daily roll-up made anew from its charges. The gate keeps it right; this proves that it could be rebuilt."""

from uuid import UUID

from django.db import connection, transaction

from billing import ledger, verify
from usage.models import DailySpend

COLUMNS = "input_tokens, output_tokens, retrieval_queries, seconds, pages, chunks, cost, uncollected"
FROM_CHARGES = f"""
    INSERT INTO usage_dailyspend (id, account_id, day, type, agent_id, model, count, {COLUMNS})
    SELECT gen_random_uuid(), account_id, day, type, agent_id, model,
        sum(CASE WHEN reverses IS NULL THEN 1 ELSE -1 END),
        {", ".join(f"sum({column})" for column in COLUMNS.split(", "))}
    FROM usage_charge WHERE account_id = %s GROUP BY account_id, day, type, agent_id, model"""


def rebuild(account_id: UUID | None = None) -> tuple[int, int]:
    """(accounts, rows). Each account under its Balance lock, so that no charge falls between."""
    accounts = [one for batch in verify.batches(account_id) for one in batch]
    return len(accounts), sum(_rebuild_one(one) for one in accounts)


def _rebuild_one(account_id: UUID) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        ledger.lock(account_id)
        DailySpend.objects.filter(account_id=account_id).delete()
        cursor.execute(FROM_CHARGES, [account_id])
        return cursor.rowcount
