"""verify_ledger: billing's proofs and those that tie charges and roll-ups to the ledger. See billing/verify.py."""

import logging
from datetime import datetime
from uuid import UUID

from billing import verify
from billing.models import LedgerCheck, VerifiedThrough
from billing.verify import Breach

log = logging.getLogger(__name__)

SINCE = """
    c.account_id = ANY(%(accounts)s) AND c.recorded_at > coalesce(
        (SELECT m.recorded_at FROM billing_verifiedthrough m WHERE m.account_id = c.account_id), '-infinity')"""
# The price of what was stored, from the stored rates, rounded once. Multiplying by 0.000001 is exact, dividing is not.
PRICE = """round(
    (c.input_tokens * coalesce((c.rates->>(c.model || '.input'))::numeric, 0)
     + c.output_tokens * coalesce((c.rates->>(c.model || '.output'))::numeric, 0)) * 0.000001
    + c.retrieval_queries * coalesce((c.rates->>'retrieval.query')::numeric, 0)
    + CASE WHEN c.answered THEN c.seconds * coalesce((c.rates->>'voice.minute')::numeric, 0) / 60 ELSE 0 END
    + CASE WHEN c.type = 'number' THEN sign(c.cost + c.uncollected) * (c.rates->>'number.period')::numeric ELSE 0 END
    + c.pages * coalesce((c.rates->>'knowledge.page')::numeric, 0)
    + c.chunks * coalesce((c.rates->>'knowledge.chunk')::numeric, 0), 9)"""
SUMS = """sum(count) AS count, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
    sum(retrieval_queries) AS retrieval_queries, sum(seconds) AS seconds, sum(pages) AS pages, sum(chunks) AS chunks,
    sum(cost) AS cost, sum(uncollected) AS uncollected"""

CHECKS = {
    "a charge with a cost has its entry": f"""
        SELECT c.account_id, c.id::text FROM usage_charge c
        LEFT JOIN billing_ledgerentry e ON e.id = c.id AND e.account_id = c.account_id
        WHERE {SINCE} AND c.cost <> 0 AND (e.id IS NULL OR e.granted + e.paid <> -c.cost
          OR e.kind <> CASE WHEN c.reverses IS NULL THEN 'charge' ELSE 'reversal' END
          OR e.recorded_at <> c.recorded_at OR e.day <> c.day OR e.granted_after + e.paid_after <> c.balance_after)""",
    "an entry of usage has its charge": f"""
        SELECT c.account_id, c.id::text FROM billing_ledgerentry c LEFT JOIN usage_charge u ON u.id = c.id
        WHERE {SINCE} AND c.kind = 'charge' AND (u.id IS NULL OR u.cost = 0)""",
    "an entry of a reversal has its charge or its refund": f"""
        SELECT c.account_id, c.id::text FROM billing_ledgerentry c LEFT JOIN usage_charge u ON u.id = c.id
        LEFT JOIN billing_refund r ON r.account_id = c.account_id AND c.key IN (r.id::text, r.gateway_id)
        WHERE {SINCE} AND c.kind = 'reversal' AND u.id IS NULL AND r.id IS NULL""",
    "cost and uncollected equal quantities times rates": f"""
        SELECT c.account_id, c.id::text FROM usage_charge c
        WHERE {SINCE} AND c.cost + c.uncollected <> {PRICE}""",
    "a reversal is equal and opposite": f"""
        SELECT c.account_id, c.id::text FROM usage_charge c
        LEFT JOIN usage_charge r ON r.id = c.reverses AND r.account_id = c.account_id
        LEFT JOIN billing_ledgerentry ce ON ce.id = c.id LEFT JOIN billing_ledgerentry re ON re.id = r.id
        WHERE {SINCE} AND c.reverses IS NOT NULL AND (r.id IS NULL OR r.reverses IS NOT NULL
          OR (c.cost, c.uncollected, c.input_tokens, c.output_tokens, c.seconds, c.pages, c.chunks)
             <> (-r.cost, -r.uncollected, -r.input_tokens, -r.output_tokens, -r.seconds, -r.pages, -r.chunks)
          OR (coalesce(ce.granted, 0), coalesce(ce.paid, 0)) <> (-coalesce(re.granted, 0), -coalesce(re.paid, 0)))""",
    "the roll-up equals the charges": f"""
        SELECT account_id, format('%%s %%s', day, type) FROM (
            SELECT account_id, day, type, agent_id, model, {SUMS} FROM (
                SELECT account_id, day, type, agent_id, model, count, input_tokens, output_tokens, retrieval_queries,
                    seconds, pages, chunks, cost, uncollected FROM usage_dailyspend
                WHERE account_id = ANY(%(accounts)s)
                UNION ALL
                SELECT account_id, day, type, agent_id, model, CASE WHEN reverses IS NULL THEN -1 ELSE 1 END,
                    -input_tokens, -output_tokens, -retrieval_queries, -seconds, -pages, -chunks, -cost, -uncollected
                FROM usage_charge WHERE account_id = ANY(%(accounts)s)
            ) both_sides GROUP BY account_id, day, type, agent_id, model
        ) difference
        WHERE (count, input_tokens, output_tokens, retrieval_queries, seconds, pages, chunks, cost, uncollected)
           <> (0, 0, 0, 0, 0, 0, 0, 0, 0)""",
}


def verify_ledger(*, account_id: UUID | None = None, full: bool = False, now: datetime) -> LedgerCheck:
    """Prove every account (or one), from what an earlier run proved or, with `full`, from the beginning."""
    if full:
        marks = VerifiedThrough.objects.all()
        (marks if account_id is None else marks.filter(account_id=account_id)).delete()
    breaches: list[Breach] = []
    count = 0
    for accounts in verify.batches(account_id):
        found, reached = _verify_batch(accounts, full)
        broken = {breach.account_id for breach in found}
        verify.mark({a: head for a, head in reached.items() if a not in broken})
        breaches += found
        count += len(accounts)
    if breaches:
        log.critical("The ledger has %s breaches: %s", len(breaches), breaches[:10])
    return LedgerCheck.objects.create(
        ran_at=now, full=full, accounts=count, breaches=[_as_json(breach) for breach in breaches]
    )


def _verify_batch(accounts: list[UUID], full: bool) -> tuple[list[Breach], dict[UUID, verify.Head]]:
    checks = verify.CHECKS | (verify.WHOLE if full else {}) | CHECKS
    with verify.snapshot():
        return verify.run(checks, accounts), verify.heads(accounts)


def _as_json(breach: Breach) -> dict[str, str]:
    return {"account": str(breach.account_id), "rule": breach.rule, "detail": breach.detail}
