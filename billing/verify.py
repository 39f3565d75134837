"""Proof that the ledger is right: set-based questions whose every row is a breach.

Each check is SQL over a batch of accounts (`%(accounts)s`, an array of uuids): (account_id, detail). Checks of
entries begin after the account's mark (what an earlier run proved), or at the beginning when there is none.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from billing.models import Balance, VerifiedThrough

Head = tuple[int, datetime | None]  # seq and last recorded_at


@dataclass(frozen=True, slots=True)
class Breach:
    account_id: UUID | None
    rule: str
    detail: str


LINKED = """
    WITH linked AS (
        SELECT e.*,
            lag(e.seq, 1, 0::bigint) OVER w AS seq_before,
            lag(e.granted_after, 1, 0) OVER w AS granted_before, lag(e.paid_after, 1, 0) OVER w AS paid_before,
            lag(e.recorded_at) OVER w AS time_before, lag(e.day) OVER w AS day_before, coalesce(m.seq, 0) AS mark
        FROM billing_ledgerentry e LEFT JOIN billing_verifiedthrough m ON m.account_id = e.account_id
        WHERE e.account_id = ANY(%(accounts)s) AND e.seq >= coalesce(m.seq, 0)
        WINDOW w AS (PARTITION BY e.account_id ORDER BY e.seq)
    ) SELECT account_id, format('entry %%s', seq) FROM linked WHERE seq > mark AND """

# Each refund and dispute, and what its entries took and gave back. A claim that took in several steps has several
# entries: what follows the colon of a key tells them apart.
CLAIMED = """
    WITH claim AS (
        SELECT account_id, 'refund' AS kind, CASE origin WHEN 'gateway' THEN gateway_id ELSE id::text END AS key,
            taken, status = 'failed' AS is_over
        FROM billing_refund WHERE account_id = ANY(%(accounts)s)
        UNION ALL
        SELECT t.account_id, 'dispute', d.id, d.taken, d.status = 'won'
        FROM billing_dispute d JOIN billing_topup t ON t.id = d.topup_id WHERE t.account_id = ANY(%(accounts)s)
    ), posted AS (
        SELECT account_id, CASE WHEN kind IN ('refund', 'reversal') THEN 'refund' ELSE 'dispute' END AS kind,
            split_part(key, ':', 1) AS key, bool_or(paid < 0) AS needs_claim,
            coalesce(-sum(paid) FILTER (WHERE paid < 0), 0) AS taken,
            coalesce(sum(paid) FILTER (WHERE paid > 0), 0) AS given_back
        FROM billing_ledgerentry
        WHERE account_id = ANY(%(accounts)s) AND kind IN ('refund', 'dispute', 'dispute_won', 'reversal')
        GROUP BY 1, 2, 3
    ) """

CHECKS = {
    "seq is gapless": LINKED + "seq <> seq_before + 1",
    "running balances are prefix sums": LINKED
    + "(granted_after <> granted_before + granted OR paid_after <> paid_before + paid)",
    "time never goes back": LINKED + "(recorded_at <= time_before OR day < day_before)",
    "usage never overdraws": LINKED
    + "kind = 'charge' AND (granted_after < 0 OR paid <> 0 AND paid_after < 0)",
    "granted is spent before paid": LINKED + "kind = 'charge' AND paid <> 0 AND granted_after <> 0",
    "balance equals the last entry": """
        SELECT b.account_id, format('balance %%s + %%s', b.granted, b.paid) FROM billing_balance b
        LEFT JOIN billing_ledgerentry e ON e.account_id = b.account_id AND e.seq = b.seq
        WHERE b.account_id = ANY(%(accounts)s)
          AND (b.granted, b.paid) IS DISTINCT FROM (coalesce(e.granted_after, 0), coalesce(e.paid_after, 0))""",
    "nothing beyond the balance's seq": """
        SELECT b.account_id, format('entry %%s', e.seq) FROM billing_balance b
        JOIN billing_ledgerentry e ON e.account_id = b.account_id AND e.seq > b.seq
        WHERE b.account_id = ANY(%(accounts)s)""",
    "held equals open holds": """
        SELECT b.account_id, format('held %%s, open holds %%s', b.held, coalesce(h.amount, 0)) FROM billing_balance b
        LEFT JOIN (SELECT account_id, sum(amount) AS amount, min(expires_at) AS first FROM billing_hold
                   WHERE state = 'open' GROUP BY account_id) h ON h.account_id = b.account_id
        WHERE b.account_id = ANY(%(accounts)s)
          AND (b.held <> coalesce(h.amount, 0) OR b.next_hold_expiry > h.first)""",
    "a settled top-up has one entry of what it brought in": """
        SELECT t.account_id, t.id::text FROM billing_topup t
        LEFT JOIN billing_ledgerentry e
            ON e.account_id = t.account_id AND e.kind = 'topup' AND e.key = t.id::text
        WHERE t.account_id = ANY(%(accounts)s) AND e.paid IS DISTINCT FROM t.received""",
    "an entry of a top-up has its top-up": """
        SELECT e.account_id, format('entry %%s', e.seq) FROM billing_ledgerentry e
        LEFT JOIN billing_topup t ON t.account_id = e.account_id AND t.id::text = e.key
        WHERE e.account_id = ANY(%(accounts)s) AND e.kind = 'topup' AND t.id IS NULL""",
    "a refund or dispute took what its entries took": CLAIMED
    + """SELECT c.account_id, c.key FROM claim c LEFT JOIN posted p USING (account_id, kind, key)
        WHERE coalesce(p.taken, 0) <> c.taken""",
    "a failed refund or won dispute gave it back, no other did": CLAIMED
    + """SELECT c.account_id, c.key FROM claim c LEFT JOIN posted p USING (account_id, kind, key)
        WHERE coalesce(p.given_back, 0) <> CASE WHEN c.is_over THEN c.taken ELSE 0 END""",
    "an entry of a refund or dispute has its row": CLAIMED
    + """SELECT p.account_id, p.key FROM posted p LEFT JOIN claim c USING (account_id, kind, key)
        WHERE c.key IS NULL AND p.needs_claim""",
    "no top-up gives back more than it brought in": """
        SELECT t.account_id, t.id::text FROM billing_topup t
        LEFT JOIN (SELECT topup_id, sum(taken) AS taken FROM billing_refund
                   WHERE account_id = ANY(%(accounts)s) AND status <> 'failed' GROUP BY topup_id) r ON r.topup_id = t.id
        LEFT JOIN (SELECT d.topup_id, sum(d.taken) AS taken FROM billing_dispute d JOIN billing_topup u
                   ON u.id = d.topup_id AND u.account_id = ANY(%(accounts)s) WHERE d.status <> 'won' GROUP BY d.topup_id
        ) d ON d.topup_id = t.id
        WHERE t.account_id = ANY(%(accounts)s)
          AND coalesce(r.taken, 0) + coalesce(d.taken, 0) > coalesce(t.received, 0)""",
    "depleted is marked": """
        SELECT b.account_id, format('depleted_at %%s at %%s', b.depleted_at, b.granted + b.paid) FROM billing_balance b
        WHERE b.account_id = ANY(%(accounts)s) AND (b.granted + b.paid < 0.01) <> (b.depleted_at IS NOT NULL)""",
}
WHOLE = {
    "balance equals the sum of entries": """
        SELECT b.account_id, format('balance %%s + %%s', b.granted, b.paid) FROM billing_balance b
        LEFT JOIN (SELECT account_id, sum(granted) AS granted, sum(paid) AS paid FROM billing_ledgerentry
                   WHERE account_id = ANY(%(accounts)s) GROUP BY account_id) e ON e.account_id = b.account_id
        WHERE b.account_id = ANY(%(accounts)s)
          AND (b.granted, b.paid) IS DISTINCT FROM (coalesce(e.granted, 0), coalesce(e.paid, 0))""",
}


def batches(account_id: UUID | None = None, size: int = 500) -> Iterable[list[UUID]]:
    """Every account with a balance (or the one named), in batches by id."""
    if account_id is not None:
        yield [account_id]
        return
    rest = Balance.objects.order_by("account_id").values_list("account_id", flat=True)
    batch = list(rest[:size])
    while batch:
        yield batch
        batch = list(rest.filter(account_id__gt=batch[-1])[:size])


def run(checks: dict[str, str], accounts: Sequence[UUID]) -> list[Breach]:
    """All rows of all checks, within the caller's transaction."""
    breaches = []
    with connection.cursor() as cursor:
        for rule, sql in checks.items():
            cursor.execute(sql, {"accounts": list(accounts)})
            breaches += [Breach(account_id, rule, detail) for account_id, detail in cursor.fetchall()]
    return breaches


@contextmanager
def snapshot() -> Iterator[None]:
    """One consistent, read-only view of everything, in a transaction of its own (never inside another)."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def heads(accounts: Sequence[UUID]) -> dict[UUID, Head]:
    """How far each account's ledger reaches in this snapshot: (seq, last recorded_at)."""
    rows = Balance.objects.filter(account_id__in=accounts).values_list(
        "account_id", "seq", "last_recorded_at"
    )
    return {account_id: (seq, at) for account_id, seq, at in rows}


def mark(reached: dict[UUID, Head]) -> None:
    """Remember what was proved, so that the next nightly run goes on from there."""
    VerifiedThrough.objects.bulk_create(
        [VerifiedThrough(account_id=a, seq=seq, recorded_at=at) for a, (seq, at) in reached.items()],
        update_conflicts=True,
        unique_fields=["account"],
        update_fields=["seq", "recorded_at"],
    )
