"""POST /billing/v3/usage/batch, a thousand events a request, against COPY of the same charges into a like table.

COPY is what PostgreSQL can write at most: the same columns, indexes and constraints, a thousand rows a transaction, and
nothing deducted, priced, rolled up or entered in a ledger. Both from four connections; what is sent is made beforehand.
"""

import argparse
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
from django.db import connection

from accounts import ids
from accounts.models import Account
from bench import population, report
from bench.metering import check_ledger, settle
from bench.processes import cpu_seconds
from bench.services import note, say
from bench.web import serving
from thinnest_billing.devstack.services import Postgres

EVENTS, CONNECTIONS, ACCOUNTS = 1_000, 4, 100
COPY_TABLE = (
    "CREATE TABLE bench_copy (LIKE usage_charge INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)"
)
COLUMNS = (
    "id, account_id, event_id, request_hash, type, agent_id, model, input_tokens, output_tokens, retrieval_queries, "
    "seconds, pages, chunks, cost, uncollected, rates, balance_after, occurred_at, recorded_at, day, api_key_id, "
    "request_id"
)
MODEL, RATES, COST = "gpt-4o-mini", '{"gpt-4o-mini.input": "0.15", "gpt-4o-mini.output": "0.6"}', "0.0003915"
Keyed = tuple[str, Account]
Send = Callable[[bytes], None]
Job = tuple[Callable[[], bytes], Callable[[], Send]]  # makes a block of a thousand events; opens a connection
Run = tuple[float, dict[str, float]]  # events a second; CPU microseconds an event by process tree


def main(postgres: Postgres, options: argparse.Namespace) -> None:
    keys = population.accounts(ACCOUNTS)
    with connection.cursor() as cursor:
        cursor.execute(COPY_TABLE)
    with serving() as web:
        report.environment()
        assert postgres.process
        watched = {"web": web.process.pid, "postgres": postgres.process.pid}
        results = rounds(jobs(web.url, keys), options, watched=watched)
    tell(results)
    check_ledger()


def jobs(url: str, keys: list[Keyed]) -> dict[str, Job]:
    accounts = [account for _, account in keys]
    return {
        "batch": (partial(body, keys), partial(http, url)),
        "copy": (partial(rows, accounts), copy),
    }


def body(keys: list[Keyed]) -> bytes:
    """The request of one account as it goes over the wire, with its key in front."""
    key, _ = random.choice(keys)
    run = uuid4().hex
    events = [
        {"event_id": f"{run}-{n}", "agent": f"Agent {1 + n % population.AGENTS}", "type": "chat", "model": MODEL,
         "input_tokens": 1250, "output_tokens": 340}
        for n in range(EVENTS)
    ]  # fmt: skip
    return key.encode() + b"\n" + json.dumps({"events": events}).encode()


def http(url: str) -> Send:
    server = HTTPConnection(urlsplit(url).netloc, timeout=120)

    def send(block: bytes) -> None:
        key, _, sent = block.partition(b"\n")
        headers = {"Authorization": f"Bearer {key.decode()}", "Content-Type": "application/json"}
        server.request("POST", "/billing/v3/usage/batch", sent, headers)
        answer = server.getresponse()
        said = answer.read()
        if answer.status != 200 or said.count(b'"status":201') != EVENTS:
            raise SystemExit(f"{answer.status}: {said[:500]!r}")

    return send


def rows(accounts: list[Account]) -> bytes:
    """The same charges as lines of COPY. Their times rise, as those of an account do."""
    account, run, now = random.choice(accounts), uuid4().hex, datetime.now(UTC)
    same = [account.id, run, now.date(), ids.uuid7(), now.isoformat()]
    return "".join(line(*same, n, now + timedelta(microseconds=n)) for n in range(EVENTS)).encode()


def line(account: UUID, run: str, day: date, key: UUID, occurred: str, n: int, recorded: datetime) -> str:
    cells = [
        ids.uuid7(), account, f"{run}-{n}", f"\\\\x{n:064x}", "chat", uuid4(), MODEL, 1250, 340, 0,
        0, 0, 0, COST, 0, RATES, "999999.5", occurred, recorded.isoformat(), day, key, run,
    ]  # fmt: skip
    return "\t".join(map(str, cells)) + "\n"


def copy() -> Send:
    session = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)

    def send(block: bytes) -> None:
        with session.cursor() as cursor, cursor.copy(f"COPY bench_copy ({COLUMNS}) FROM STDIN") as to:
            to.write(block)

    return send


def rounds(
    todo: dict[str, Job], options: argparse.Namespace, *, watched: dict[str, int]
) -> dict[str, list[Run]]:
    results: dict[str, list[Run]] = {name: [] for name in todo}
    blocks = {"batch": 4 * options.seconds, "copy": 16 * options.seconds}  # about as long as each other
    for make, connect in todo.values():
        measure(make, connect, CONNECTIONS, watched)  # warm
    for number in range(1, options.rounds + 1):
        for name in random.sample(list(todo), len(todo)):
            settle()
            results[name].append(measure(*todo[name], blocks[name], watched))
            note(f"round {number}: {name} {results[name][-1][0]:,.0f} events/s")
    return results


def measure(
    make: Callable[[], bytes], connect: Callable[[], Send], count: int, watched: dict[str, int]
) -> Run:
    """All the blocks, each connection taking the next when it is done with one."""
    blocks = [make() for _ in range(count)]
    senders = [connect() for _ in range(CONNECTIONS)]
    before = {name: cpu_seconds(pid) for name, pid in watched.items()}
    started = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        waiting = iter(blocks)
        list(threads.map(partial(drain, waiting), senders))
    elapsed, events = time.monotonic() - started, count * EVENTS
    cpu = {name: 1e6 * (cpu_seconds(pid) - before[name]) / events for name, pid in watched.items()}
    return events / elapsed, cpu


def drain(waiting: Iterator[bytes], send: Send) -> None:
    for block in waiting:  # a list's iterator hands each block to one thread
        send(block)


def tell(results: dict[str, list[Run]]) -> None:
    say("\nevents a second (median)")
    for name, runs in results.items():
        say(f"  {name:6} {report.spread([rate for rate, _ in runs])}")
    say("\nCPU microseconds per event (medians)   web  postgres")
    for name, runs in results.items():
        web, database = (report.median([cpu[of] for _, cpu in runs]) for of in ("web", "postgres"))
        say(f"  {name:34} {web:5.0f}  {database:8.0f}")
    pairs = zip(results["batch"], results["copy"], strict=True)
    ratios = [ours / floor for (ours, _), (floor, _) in pairs]
    say(f"\nratio (median of the rounds): batch of COPY  {report.spread(ratios, '.2f')}")
