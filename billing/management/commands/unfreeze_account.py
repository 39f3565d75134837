"""`unfreeze_account`: staff's freeze on an account's spending."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts import ids
from accounts.commands import JsonCommand, account_id, record_command
from billing import ledger, selectors


class Command(JsonCommand):
    help = "Lift the freeze that staff put on an account (the owner's own freeze stays)."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", required=True, type=account_id)

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        with transaction.atomic():
            ledger.freeze(options["account"], by="staff", frozen=False)
            record_command("lift freeze", account_id=options["account"], command="unfreeze_account", now=now)
        frozen = selectors.balance_of(options["account"]).frozen
        return {"account": ids.public("acct", options["account"]), "frozen": frozen}
