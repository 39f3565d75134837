"""`verify_ledger`: prove that every number ties. Exit code 1 and the account named on any breach."""

import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts import ids
from accounts.commands import JsonCommand, account_id
from usage.verify import verify_ledger


class Command(JsonCommand):
    help = "Check balances, entries, holds, charges, roll-ups and top-ups against each other."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", type=account_id, help="only this account")
        parser.add_argument("--full", action="store_true", help="from the beginning, not from the last proof")

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not self.clean:
            sys.exit(1)

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        check = verify_ledger(account_id=options["account"], full=options["full"], now=now)
        self.clean = not check.breaches
        breaches = [b | {"account": ids.public("acct", UUID(b["account"]))} for b in check.breaches]
        return {"clean": self.clean, "accounts": check.accounts, "full": check.full, "breaches": breaches}
