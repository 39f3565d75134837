"""`reopen_account`: let the members of a closed account in again, within thirty days."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError

from accounts.commands import JsonCommand, account_id
from accounts.models import Account
from thinnest_billing.leaving import closing


class Command(JsonCommand):
    help = "Open a closed account again. Its keys, cards and alert rules stay gone."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", type=account_id, required=True)
        parser.add_argument("--reason", required=True)

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        if not Account.objects.filter(pk=options["account"]).exists():
            raise CommandError("There is no such account.")
        if not closing.reopen(options["account"], staff=None, reason=options["reason"], now=now):
            raise CommandError("Nothing was changed: it is not closed, or was closed thirty days ago.")
        return {"account": Account.objects.get(pk=options["account"]).public_id, "reopened": True}
