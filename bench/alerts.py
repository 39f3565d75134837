"""The alert rules of 10,000 accounts in one statement: from the daily roll-up, against the charges themselves.

The statement is the sweep's; reading raw charges it differs in the table's name alone, and must find the same rules.
"""

import argparse
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import UUID

from django.db import connection

from alerts import rule_values
from alerts.models import Rule
from alerts.rule_values import ALL, EXCEEDED, UNTOLD, VALUES
from bench import population, report
from bench.processes import cpu_seconds
from bench.services import note, say
from thinnest_billing.devstack.services import Postgres
from usage.models import Charge, DailySpend

ACCOUNTS, CHARGES = 10_000, 250  # charges an account, half of them today
ROLL_UP = """
    INSERT INTO usage_dailyspend (id, account_id, day, type, agent_id, model, count, input_tokens, output_tokens,
        retrieval_queries, seconds, pages, chunks, cost, uncollected)
    SELECT gen_random_uuid(), account_id, day, type, agent_id, model, count(*), sum(input_tokens), sum(output_tokens),
        0, 0, 0, 0, sum(cost), 0 FROM usage_charge GROUP BY account_id, day, type, agent_id, model"""
Look = Callable[[], list[tuple[object, ...]]]


def main(postgres: Postgres, options: argparse.Namespace) -> None:
    now = datetime.now(UTC)
    note(f"{ACCOUNTS:,} accounts with {CHARGES} charges and three rules each")
    populate([account.id for _, account in population.accounts(ACCOUNTS)], now=now)
    looks = {
        "roll-up": partial(look, "usage_dailyspend", now),
        "raw charges": partial(look, "usage_charge", now),
    }
    found = prove(looks, now=now)
    report.environment()
    assert postgres.process
    results = rounds(looks, options, server=postgres.process.pid)
    tell(results, found=found)


def populate(accounts: list[UUID], *, now: datetime) -> None:
    """Bounds from two cents below what everybody spends up to 97 above, so that few rules are exceeded."""
    Rule.objects.all().delete()
    cents = {n: Decimal(1 + n % 10) / 100 for n in range(1, CHARGES + 1)}
    day, both = sum(cents[n] for n in cents if n % 2 == 0), sum(cents.values())
    facts = {"accounts": accounts, "charges": CHARGES, "now": now, "day": day, "month": both}
    with connection.cursor() as cursor:
        cursor.execute(Path(__file__).with_name("alerts.sql").read_text(), facts)
        cursor.execute(ROLL_UP)
        cursor.execute("VACUUM ANALYZE")


def look(table: str, now: datetime) -> list[tuple[object, ...]]:
    statement = VALUES.replace("usage_dailyspend", table).format(of=ALL, which=UNTOLD, reached=EXCEEDED)
    with connection.cursor() as cursor:
        cursor.execute(statement, {"now": now, "since": rule_values.earliest_day(now)})
        return cursor.fetchall()


def prove(looks: dict[str, Look], *, now: datetime) -> int:
    """Both find the same rules with the same amounts, and so does what the sweep calls; how many."""
    once = [asked() for asked in looks.values()]
    shipped = rule_values.exceeded_untold(None, now=now)
    if (
        once[0] != once[1]
        or [value.rule_id for value in shipped] != [row[0] for row in once[0]]
        or not shipped
    ):
        raise SystemExit("The roll-up and the charges find different rules.")
    return len(shipped)


def rounds(
    looks: dict[str, Look], options: argparse.Namespace, *, server: int
) -> dict[str, list[tuple[float, float]]]:
    """(milliseconds, CPU milliseconds of PostgreSQL) of one look, each round in shuffled order, as long as asked."""
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in looks}
    for number in range(1, options.rounds + 1):
        for name in random.sample(list(looks), len(looks)):
            results[name].append(measure(looks[name], seconds=options.seconds, server=server))
            note(f"round {number}: {name} {results[name][-1][0]:.1f} ms")
    return results


def measure(asked: Look, *, seconds: float, server: int) -> tuple[float, float]:
    asked()
    started, used, count = time.monotonic(), cpu_seconds(server), 0
    while time.monotonic() < started + seconds:
        asked()
        count += 1
    return 1000 * (time.monotonic() - started) / count, 1000 * (cpu_seconds(server) - used) / count


def tell(results: dict[str, list[tuple[float, float]]], *, found: int) -> None:
    rules, rows = Rule.objects.count(), DailySpend.objects.count()
    say(
        f"\n{rules:,} rules, {found:,} exceeded; {Charge.objects.count():,} charges, {rows:,} rows of roll-up"
    )
    say("\nmilliseconds of one look at all accounts: elapsed, and CPU of PostgreSQL (median)")
    for name, runs in results.items():
        say(f"  {name:12} {report.spread([run[0] for run in runs], '.1f')}")
        say(f"  {'':12} {report.spread([run[1] for run in runs], '.1f')}  (CPU)")
    say("\nratio (median of the rounds): raw charges to roll-up, elapsed and CPU")
    pairs = list(zip(results["raw charges"], results["roll-up"], strict=True))
    for place, of in ((0, ""), (1, "  (CPU)")):
        say(f"  {report.spread([raw[place] / rolled[place] for raw, rolled in pairs], '.1f')}{of}")
