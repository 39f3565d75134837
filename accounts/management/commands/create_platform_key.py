"""`manage.py create_platform_key --name calls --json` → {"api_key": "tb_…"}: a key that acts for any account."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts import api_keys
from accounts.commands import JsonCommand, record_command
from accounts.models import Scope


class Command(JsonCommand):
    help = "Make a key for the platform: it acts for every account and never adds funds. It is shown once."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", required=True, help="what will use it, such as calls")

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        scopes = [scope for scope in Scope if scope != Scope.TOPUP_WRITE]
        with transaction.atomic():
            row, plain = api_keys.create(account=None, name=options["name"], scopes=scopes, now=now)
            record_command(
                "add API key", target=row.public_id, command="create_platform_key", name=row.name, now=now
            )
        return {"api_key": plain}
