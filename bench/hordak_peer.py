"""Transfers of django-hordak as fast as its users can make them: run in an environment of its own by bench/peers.

No HTTP, no price, no check whether the balance suffices. Prints {"transfers", "seconds"} of the second half of its
time, when everything is warm.
"""

import json
import multiprocessing
import os
import random
import sys
import time
from urllib.parse import parse_qs, unquote, urlsplit

import django
from django.conf import settings
from django.core.management import call_command

CLIENTS = 16


def configure() -> None:
    at = urlsplit(os.environ["PEER_DATABASE_URL"])
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": at.path.lstrip("/"),
        "USER": at.username or "postgres",
        "HOST": parse_qs(at.query).get("host", [unquote(at.hostname or "")])[0],
        "CONN_MAX_AGE": None,
    }
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        SECRET_KEY="only for a benchmark",
        HORDAK_CURRENCIES=["USD"],
        HORDAK_DEFAULT_CURRENCY="USD",
    )
    django.setup()


def populate(count: int) -> None:
    from hordak.models import Account, AccountType

    call_command("migrate", verbosity=0)
    Account.objects.create(name="Usage", code="0", type=AccountType.income, currencies=["USD"])
    for number in range(1, count + 1):
        Account.objects.create(
            name=f"Customer {number}", code=str(number), type=AccountType.liability, currencies=["USD"]
        )


def transfer(seconds: float) -> int:
    """How many one client makes in the second half of the time."""
    from django.db import connection, transaction
    from hordak.models import Account
    from moneyed import Money

    connection.close()  # the parent's
    customers = list(Account.objects.exclude(code="0"))
    usage, cost, started, made = Account.objects.get(code="0"), Money("0.01", "USD"), time.monotonic(), 0
    while (elapsed := time.monotonic() - started) < seconds:
        with transaction.atomic():
            random.choice(customers).transfer_to(usage, cost)
        made += elapsed > seconds / 2
    return made


def main() -> None:
    accounts, seconds = int(sys.argv[1]), float(sys.argv[2])
    configure()
    populate(accounts)
    from django.db import connection

    connection.close()
    with multiprocessing.get_context("fork").Pool(CLIENTS) as clients:
        made = clients.map(transfer, [2 * seconds] * CLIENTS, chunksize=1)
    print(json.dumps({"transfers": sum(made), "seconds": seconds}))


if __name__ == "__main__":
    main()
