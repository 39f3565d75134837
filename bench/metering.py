"""POST /billing/v3/usage over HTTP against the floor: pgbench of one function in the same database.

The floor (floor.sql) authenticates, prices, deducts, writes a charge and rolls it up in one round trip. Ours does all
that the product promises, through the shipped web command, middleware and settings. 10,000 accounts, 16 connections.
"""

import argparse
import random
import subprocess
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from django.db import connection

from bench import population, report
from bench.load import ACCOUNTS, Measured, Run, require_wrk, run_pgbench, run_wrk
from bench.services import note, say
from bench.web import Web, serving
from thinnest_billing.devstack.services import Postgres, binaries
from usage.models import Charge
from usage.verify import verify_ledger

RATIOS = {
    "one event, many accounts": ("http many", "floor many"),
    "one event, one hot account": ("http hot", "floor hot"),
    "one event, many accounts, one platform key": ("http platform", "floor many"),
    "authorize, of an empty view": ("authorize", "empty view"),
}


def main(postgres: Postgres, options: argparse.Namespace) -> None:
    require_wrk()
    with tempfile.TemporaryDirectory() as folder:
        note(f"{ACCOUNTS:,} accounts with funds, keys and agents")
        keys = population.write_keys(Path(folder, "keys"), population.accounts(ACCOUNTS))
        install_floor(postgres)
        with serving() as web:
            report.environment()
            results = rounds(jobs(postgres, web, keys), options)
            say(f"web workers afterwards: {', '.join(f'{size} MB' for size in web.memory())}")
        tell(results)
        check_ledger()


def install_floor(postgres: Postgres) -> None:
    psql = [str(binaries() / "psql"), "--quiet", "--set=ON_ERROR_STOP=1", f"--host={postgres.folder}"]
    floor = Path(__file__).with_name("floor.sql")
    subprocess.run([*psql, "--username=postgres", f"--file={floor}", "postgres"], check=True)


def jobs(postgres: Postgres, web: Web, keys: Path) -> dict[str, Run]:
    assert postgres.process
    watched = {"web": web.process.pid, "postgres": postgres.process.pid}
    http = partial(run_wrk, web.url, keys, watched=watched)
    floor = partial(run_pgbench, postgres, watched=watched)
    return {
        "floor many": lambda seconds: floor(accounts=ACCOUNTS, seconds=seconds),
        "floor hot": lambda seconds: floor(accounts=1, seconds=seconds),
        "http many": lambda seconds: http(mode="many", seconds=seconds),
        "http hot": lambda seconds: http(mode="hot", seconds=seconds),
        "http platform": lambda seconds: http(mode="platform", seconds=seconds),
        "authorize": lambda seconds: http(
            mode="many", get="/billing/v3/authorize?type=chat", seconds=seconds
        ),
        "empty view": lambda seconds: http(mode="many", get="/healthz", seconds=seconds),
    }


def rounds(todo: dict[str, Run], options: argparse.Namespace) -> dict[str, list[Measured]]:
    results: dict[str, list[Measured]] = {name: [] for name in todo}
    for run in todo.values():
        run(2)  # warm: every worker has its connection, its plans and its rate card
    for number in range(1, options.rounds + 1):
        for name in random.sample(list(todo), len(todo)):
            settle()
            results[name].append(todo[name](options.seconds))
            note(f"round {number}: {name} {results[name][-1].rate:.0f}/s")
    return results


def settle() -> None:
    """What the job before left to be written is not this one's burden."""
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def tell(results: dict[str, list[Measured]]) -> None:
    say("\nrequests a second (median)")
    for name, runs in results.items():
        say(f"  {name:14} {report.spread([run.rate for run in runs])}")
    say("\nmilliseconds (medians of the rounds)          p50     p99")
    for name, runs in results.items():
        if runs[0].p50 is not None:
            say(f"  {name:42} {_median(runs, 'p50'):6.2f}  {_median(runs, 'p99'):6.2f}")
    say("\nCPU microseconds per request (medians)        web  postgres  load generator  together")
    for name, runs in results.items():
        web, database, load = (
            report.median([run.cpu.get(of, 0) for run in runs]) for of in ("web", "postgres", "load")
        )
        say(f"  {name:42} {web:5.0f}  {database:8.0f}  {load:14.0f}  {web + database + load:8.0f}")
    say("\nratios (median of the rounds): of rates, and of CPU, which others on the machine disturb less")
    for title, (ours, base) in RATIOS.items():
        pairs = list(zip(results[ours], results[base], strict=True))
        say(f"  {title:42} {report.spread([mine.rate / floor.rate for mine, floor in pairs], '.2f')}")
        say(f"  {'':42} {report.spread([_cpu(floor) / _cpu(mine) for mine, floor in pairs], '.2f')}  (CPU)")


def _cpu(run: Measured) -> float:
    return sum(run.cpu.values())


def _median(runs: list[Measured], field: str) -> float:
    return report.median([getattr(run, field) for run in runs])


def check_ledger() -> None:
    """Fast and wrong would be no figure at all."""
    check = verify_ledger(now=datetime.now(UTC))
    say(f"\nverify_ledger: {len(check.breaches)} breaches in {Charge.objects.count():,} charges")
