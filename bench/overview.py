"""Pages of an account with 1,000,000 charges against one with none, and records at depth 900,000 against the newest.

One connection, so that latency is server time; medians of the rounds, in shuffled order.
"""

import argparse
import random
import tempfile
import urllib.request
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from importlib import import_module
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import connection, transaction

from accounts import people
from accounts.models import User
from bench import paint, population, report
from bench.load import Measured, require_wrk, run_wrk
from bench.services import note, say
from bench.web import Web, serving
from billing import ledger
from thinnest_billing.devstack.services import Postgres
from usage import rollup
from usage.models import Charge
from usage.verify import verify_ledger

MANY, FEW, DAYS, DEPTH = 1_000_000, 1_000, 60, 900_000
OVERVIEW, RECORDS, HISTORY = "/settings/billing/", "/settings/billing/records/", "/billing/v3/history/me"
RATIOS = {
    "overview, 1,000,000 charges against none": ("overview, 1,000,000", "overview, none"),
    "overview, 1,000,000 charges against 1,000": ("overview, 1,000,000", "overview, 1,000"),
    "records page, depth 900,000 against the first": ("records, deep", "records, first"),
    "history API, depth 900,000 against the first": ("history, deep", "history, first"),
}
Question = partial[Measured]  # called with the seconds to ask for


def main(postgres: Postgres, options: argparse.Namespace) -> None:
    require_wrk()
    note(f"an account with {MANY:,} charges")
    many, few, none = owner("many", MANY), owner("few", FEW), owner("none", 0)
    prove()
    assert postgres.process
    with tempfile.TemporaryDirectory() as folder, serving() as web:
        keys = [(population.account_key(many.account), many.account)]
        watched = {"web": web.process.pid, "postgres": postgres.process.pid}
        ask = partial(run_wrk, web.url, population.write_keys(Path(folder, "keys"), keys), watched=watched)
        asked = questions(web, ask, many, few, none)
        report.environment()
        tell(rounds(asked, options))
        cookie = signed_in(web, many, OVERVIEW)
        painted = paint.largest(web.url + OVERVIEW, cookie, times=options.rounds)
        if painted:
            say(f"\nlargest contentful paint of that overview, cold, milliseconds: {report.spread(painted)}")


def owner(name: str, charges: int) -> User:
    """The owner of an account with funds and, for the last 60 days, charges."""
    born = datetime.now(UTC) - timedelta(days=DAYS + 1)
    user = people.create_owner(email=f"{name}@example.com", password="", name=name, timezone="UTC", now=born)
    for key, amount in ("trial", -settings.TRIAL_GRANT), ("funds", Decimal(MANY)):
        ledger.adjust(user.account_id, amount, key=key, actor="bench", reason="so begins the past", now=born)
    population.agents([user.account_id])
    if charges:
        write_past(user, charges)
    return user


def write_past(user: User, count: int) -> None:
    past = Path(__file__).with_name("charges.sql").read_text()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(past, {"account": user.account_id, "count": count, "days": DAYS})
    rollup.rebuild(user.account_id)


def prove() -> None:
    """What was written in bulk must be what the gate would have written."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    check = verify_ledger(full=True, now=datetime.now(UTC))
    if check.breaches:
        raise SystemExit(f"The past does not tie up: {check.breaches[:3]}")
    note(f"verify_ledger: clean, {Charge.objects.count():,} charges")


def questions(web: Web, ask: Question, many: User, few: User, none: User) -> dict[str, Question]:
    deep = Charge.objects.filter(account=many.account).order_by("-recorded_at")[DEPTH]
    before = urlencode({"before": deep.recorded_at.isoformat()})
    ask = partial(ask, mode="many", connections=1)
    pages = {
        "overview, 1,000,000": (many, OVERVIEW),
        "overview, 1,000": (few, OVERVIEW),
        "overview, none": (none, OVERVIEW),
        "records, first": (many, RECORDS),
        "records, deep": (many, f"{RECORDS}?{before}"),
    }
    asked = {
        name: partial(ask, get=path, cookie=signed_in(web, user, path))
        for name, (user, path) in pages.items()
    }
    asked["history, first"] = partial(ask, get=HISTORY)
    asked["history, deep"] = partial(ask, get=f"{HISTORY}?starting_after={deep.public_id}")
    return asked


def signed_in(web: Web, user: User, path: str) -> str:
    """The cookie of a new session, tried once: a page that leads to sign-in would be fast."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    cookie = f"{settings.SESSION_COOKIE_NAME}={session.session_key}"
    with urllib.request.urlopen(urllib.request.Request(web.url + path, headers={"Cookie": cookie})) as answer:
        if answer.url != web.url + path:
            raise SystemExit(f"{path} led to {answer.url}")
    return cookie


def rounds(asked: dict[str, Question], options: argparse.Namespace) -> dict[str, list[Measured]]:
    results: dict[str, list[Measured]] = {name: [] for name in asked}
    for question in asked.values():
        question(seconds=2)
    for number in range(1, options.rounds + 1):
        for name in random.sample(list(asked), len(asked)):
            results[name].append(asked[name](seconds=options.seconds))
            note(f"round {number}: {name} {results[name][-1].p50:.2f} ms")
    return results


def tell(results: dict[str, list[Measured]]) -> None:
    say("\nmilliseconds of one request (median of the rounds' medians)")
    for name, runs in results.items():
        say(f"  {name:46} {report.spread([run.p50 or 0 for run in runs], '.2f')}")
    say("\nCPU milliseconds per request, web and PostgreSQL together (median)")
    for name, runs in results.items():
        say(f"  {name:46} {report.spread([run.cpu_server / 1000 for run in runs], '.2f')}")
    say(
        "\nratios (median of the rounds): of server time, and of CPU, which others on the machine disturb less"
    )
    for title, (ours, base) in RATIOS.items():
        pairs = list(zip(results[ours], results[base], strict=True))
        say(
            f"  {title:46} {report.spread([(mine.p50 or 0) / (other.p50 or 1) for mine, other in pairs], '.2f')}"
        )
        say(
            f"  {'':46} {report.spread([mine.cpu_server / other.cpu_server for mine, other in pairs], '.2f')}  (CPU)"
        )
