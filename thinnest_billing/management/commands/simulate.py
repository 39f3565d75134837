"""`simulate`: acts as the agent platform against a running server, over HTTP, until stopped."""

import os
import secrets
import signal
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError

from accounts.commands import JsonCommand
from thinnest_billing.simulator.http import Api
from thinnest_billing.simulator.platform import NotAccepted, Platform
from thinnest_billing.simulator.scripts import Desk

TELL_EVERY = 5.0  # seconds
NAP = 0.2  # seconds; a signal is noticed after at most one


class Command(JsonCommand):
    help = "Act as the agent platform: ask, hold, capture and report usage of one account over the HTTP API."
    requires_system_checks = []

    def add_options(self, parser: ArgumentParser) -> None:
        """The key may come from the environment, where no list of processes shows it."""
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="the server (%(default)s)")
        parser.add_argument("--account", default=os.environ.get("SIMULATE_ACCOUNT"), help="acct_…")
        parser.add_argument(
            "--key", default=os.environ.get("SIMULATE_KEY"), help="a platform key; or set SIMULATE_KEY"
        )
        parser.add_argument(
            "--rate", type=float, default=1.0, help="pieces of work begun a second (%(default)s)"
        )
        parser.add_argument("--seconds", type=float, help="how long; until Ctrl+C unless told")

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        url, account, key = options["url"], options["account"], options["key"]
        if not (account and key):
            raise CommandError("Name an account (--account acct_…) and a key (--key tb_…).")
        if urlsplit(url).scheme not in ("http", "https") or not options["rate"] > 0:
            raise CommandError("Give a --url that begins with http, and a --rate above 0.")
        desk = Desk(account, f"sim-{secrets.token_hex(6)}", Random())
        platform = Platform(Api(url, key), desk, rate=options["rate"])
        chatty = self.stdout.isatty() and options["verbosity"] and not options["json"]
        try:
            play(platform, until_stopped(options["seconds"]), tell=self.stdout.write if chatty else None)
        except NotAccepted as error:
            raise CommandError(str(error)) from None
        finally:
            platform.finish()
        return platform.summary()


def until_stopped(seconds: float | None) -> Callable[[], bool]:
    """Whether it is time to stop: somebody asked for it, or the seconds are over."""
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: asked.append(number))
    end = None if seconds is None else time.monotonic() + seconds
    return lambda: bool(asked) or (end is not None and time.monotonic() >= end)


def play(platform: Platform, is_over: Callable[[], bool], *, tell: Callable[[str], Any] | None) -> None:
    told_at = time.monotonic()
    while not is_over():
        time.sleep(min(platform.step(), NAP))
        if tell is not None and time.monotonic() - told_at >= TELL_EVERY:
            told_at = time.monotonic()
            tell(in_short(platform.summary()))


def in_short(summary: dict[str, Any]) -> str:
    balance = "unknown" if summary["balance"] is None else f"${summary['balance']}"
    said = f"{summary['recorded']} recorded, ${summary['spent']} spent, balance {balance}"
    troubles = [
        f"{summary[name]} {name}" for name in ("refused", "frozen", "limited", "lost") if summary[name]
    ]
    return ", ".join([said, *troubles])
