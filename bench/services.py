"""PostgreSQL and Valkey for one benchmark: from the trial's wheels, durable as in production, gone afterwards."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
from django.core.management import call_command

from thinnest_billing.devstack.processes import ROOT
from thinnest_billing.devstack.services import Postgres, Valkey

PLENTY = "600000000"  # requests a minute: the benchmark measures the work, not the limit


@contextlib.contextmanager
def throwaway() -> Iterator[Postgres]:
    """A migrated database behind a django that is set up; nothing of it is left afterwards."""
    home = Path(tempfile.mkdtemp(prefix="tb-bench-", dir="/var/tmp" if ROOT else None))
    home.chmod(0o711)
    postgres, valkey = Postgres(home / "pg"), Valkey(home / "redis", throwaway=True)
    try:
        set_environment(home, database=postgres.start(), redis=valkey.start())
        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0)
        yield postgres
    finally:
        postgres.stop()
        valkey.stop()
        shutil.rmtree(home, ignore_errors=True)


def set_environment(home: Path, *, database: str, redis: str) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "thinnest_billing.settings",
        "ENV_FILE": os.devnull,
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "SECRET_KEY": "only for benchmarks: nothing signed with it is worth anything",
        "SANDBOX_ALLOW_PUBLIC": "yes",
        "STATIC_ROOT": str(home / "static"),
        "LOG_LEVEL": "WARNING",
        "LOG_FORMAT": "plain",
        "RATE_ACCOUNT_KEY": PLENTY,
        "RATE_PLATFORM_KEY": PLENTY,
    }


def say(text: str = "") -> None:
    print(text, flush=True)


def note(text: str) -> None:
    """What happens meanwhile: to the terminal, not into the result."""
    print(text, file=sys.stderr, flush=True)
