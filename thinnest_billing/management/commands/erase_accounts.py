"""`erase_accounts`: what the sweep does by itself, at once: erase accounts that were closed thirty days ago."""

from datetime import datetime
from typing import Any

from accounts import ids
from accounts.commands import JsonCommand
from thinnest_billing.leaving import erasure


class Command(JsonCommand):
    help = "Erase what is personal about accounts closed thirty days ago. Amounts stay."

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        done = erasure.erase_due(now=now)
        return {"erased": [ids.public("acct", account_id) for account_id in done]}
