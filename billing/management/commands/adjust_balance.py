"""`adjust_balance`: correct a balance by whole cents, with a reason that stays in the ledger."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.core.management.base import CommandError
from django.db import transaction

from accounts import ids
from accounts.commands import JsonCommand, account_id, dollars, record_command
from billing import ledger
from billing.money import is_whole_cents


class Command(JsonCommand):
    help = "Post an adjustment: a debit takes granted credit first and must fit, a credit counts as paid."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", required=True, type=account_id)
        parser.add_argument("--amount", required=True, type=dollars, help="signed dollars, whole cents")
        parser.add_argument("--reason", required=True)

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        amount, reason = options["amount"], options["reason"].strip()
        if not amount or not is_whole_cents(amount) or abs(amount) >= 10**9:
            raise CommandError("--amount takes whole cents other than zero, such as -3.50.")
        if not 1 <= len(reason) <= 400:
            raise CommandError("--reason takes 1 to 400 characters.")
        with transaction.atomic():
            posting = ledger.adjust(
                options["account"], amount, key=str(uuid4()), actor="adjust_balance", reason=reason
            )
            record_command(
                "adjust balance", account_id=options["account"], command="adjust_balance", amount=amount,
                target=ids.public("entry", posting.entry_id), reason=reason, now=now,
            )  # fmt: skip
        return {"amount": amount, "balance": posting.balance, "recorded_at": posting.recorded_at}
