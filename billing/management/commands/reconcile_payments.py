"""`reconcile_payments`: the processor's books beside ours. Exit code 1 on differences, 2 if nothing was compared."""

import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError

from accounts.commands import JsonCommand, moment
from billing.gateways import GatewayError
from billing.installation import WrongMode
from billing.reconciliation import reconcile


class Command(JsonCommand):
    help = "Compare the processor's payments and refunds with our top-ups and refunds, both ways."

    def add_options(self, parser: ArgumentParser) -> None:
        reach = parser.add_mutually_exclusive_group()
        reach.add_argument("--since", type=moment, help="a date or time; by default three days ago")
        reach.add_argument("--full", action="store_true", help="from the beginning")

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not self.clean:
            sys.exit(1)

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        if options["since"] and options["since"] >= now:
            raise CommandError(f"{options['since']:%Y-%m-%d %H:%M} is in the future.", returncode=2)
        try:
            row = reconcile(since=options["since"], full=options["full"], now=now)
        except (GatewayError, WrongMode) as error:
            reason = f"{type(error).__name__}: {error}"
            raise CommandError(f"Nothing was compared. {reason}", returncode=2) from None
        self.clean = not row.differences
        facts = {"mode": row.mode, "since": row.since, "until": row.until}
        counts = {"payments": row.payments, "topups": row.topups}
        return {"clean": self.clean, **facts, **counts, "differences": self._told(row.differences, **options)}

    def _told(self, differences: list[dict[str, Any]], *, json: bool, **_: Any) -> object:
        """Objects for a program, lines for a person."""
        if json:
            return differences
        lines = [f"\n  {row['account']} {row['topup']}: {row['text']}" for row in differences]
        return "".join(lines) or "none"
