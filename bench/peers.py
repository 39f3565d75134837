"""A charge of ours over HTTP beside a transfer of django-hordak without: the same PostgreSQL, 16 connections each.

Theirs is installed from the package index into an environment of its own, gone afterwards. It writes a transaction and
two legs; ours authenticates, prices, refuses what does not fit, writes charge, ledger entry and roll-up, and answers.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
import venv
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg

from bench import population, report
from bench.load import require_wrk, run_pgbench, run_wrk
from bench.metering import check_ledger, install_floor, settle
from bench.services import note, say
from bench.web import serving
from thinnest_billing.devstack.services import Postgres

ACCOUNTS = 1_000
PEER = "django-hordak==2.0.0"
Rate = Callable[[float], float]  # seconds -> done a second


def main(postgres: Postgres, options: argparse.Namespace) -> None:
    require_wrk()
    with tempfile.TemporaryDirectory() as folder:
        keys = population.write_keys(Path(folder, "keys"), population.accounts(ACCOUNTS))
        install_floor(postgres)
        python = environment(Path(folder, "peer"))
        with serving() as web:
            report.environment()
            http = partial(run_wrk, web.url, keys, watched={})
            todo: dict[str, Rate] = {
                "floor": lambda s: run_pgbench(postgres, accounts=ACCOUNTS, seconds=s, watched={}).rate,
                "ours over HTTP": lambda s: http(mode="platform", seconds=s).rate,
                PEER: lambda s: hordak(python, seconds=s),
            }
            tell(rounds(todo, options))
        check_ledger()


def environment(folder: Path) -> Path:
    note(f"installing {PEER}")
    venv.create(folder, with_pip=True)
    pip = [folder / "bin/python", "-m", "pip", "install", "-qq", PEER, "django<5.3", "psycopg[binary]"]
    subprocess.run(pip, check=True, stdout=subprocess.DEVNULL)
    return folder / "bin/python"


def hordak(python: Path, *, seconds: float) -> float:
    """In a database of its own, in the same server, made anew for each round."""
    ours = os.environ["DATABASE_URL"]
    with psycopg.connect(ours, autocommit=True) as session:
        session.execute("DROP DATABASE IF EXISTS peer")
        session.execute("CREATE DATABASE peer")
    theirs = ours.replace("/postgres?", "/peer?")
    if theirs == ours:
        raise SystemExit(f"no database to replace in {ours}")
    command = [str(python), str(Path(__file__).with_name("hordak_peer.py")), str(ACCOUNTS), str(seconds)]
    done = subprocess.run(
        command, env=os.environ | {"PEER_DATABASE_URL": theirs}, stdout=subprocess.PIPE, check=True
    )
    said = json.loads(done.stdout)
    return said["transfers"] / said["seconds"]


def rounds(todo: dict[str, Rate], options: argparse.Namespace) -> dict[str, list[float]]:
    results: dict[str, list[float]] = {name: [] for name in todo}
    for name in ("floor", "ours over HTTP"):
        todo[name](2)  # warm; the peer warms up within each run
    for number in range(1, options.rounds + 1):
        for name in random.sample(list(todo), len(todo)):
            settle()
            results[name].append(todo[name](options.seconds))
            note(f"round {number}: {name} {results[name][-1]:.0f}/s")
    return results


def tell(results: dict[str, list[float]]) -> None:
    say("\ndone a second (median)")
    for name, rates in results.items():
        say(f"  {name:22} {report.spread(rates)}")
    say("\nratios (median of the rounds)")
    for ours, base in (("ours over HTTP", PEER), ("ours over HTTP", "floor"), (PEER, "floor")):
        ratios = [one / other for one, other in zip(results[ours], results[base], strict=True)]
        say(f"  {f'{ours}, of {base}':38} {report.spread(ratios, '.2f')}")
