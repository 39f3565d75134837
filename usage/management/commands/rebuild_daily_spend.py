"""`rebuild_daily_spend`: make the roll-up anew from the charges, by the day each was given when it was written."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from accounts.commands import JsonCommand, account_id, record_command
from usage.rollup import rebuild


class Command(JsonCommand):
    help = "Rebuild the daily roll-up of all accounts, or of one, from its charges."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", type=account_id)

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        accounts, rows = rebuild(options["account"])
        record_command(
            "rebuild roll-up", account_id=options["account"], command="rebuild_daily_spend", now=now
        )
        return {"accounts": accounts, "rows": rows}
