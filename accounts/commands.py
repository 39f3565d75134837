"""What every management command of ours shares: one JSON object with `--json`, refusals as one plain sentence."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import ids, staff_acts
from accounts.errors import Problem


class JsonCommand(BaseCommand):
    """Subclasses write `run(now, **options) -> dict` and `add_options(parser)`."""

    def add_options(self, parser: ArgumentParser) -> None: ...

    def run(self, *, now: datetime, **options: Any) -> dict[str, Any]:
        raise NotImplementedError

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        self.add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = self.run(now=datetime.now(UTC), **options)
        except Problem as problem:
            raise CommandError(problem.errors[0]["detail"] if problem.errors else problem.detail) from None
        if options["json"]:
            self.stdout.write(json.dumps(result, default=str))
        elif options["verbosity"]:
            self.stdout.write("\n".join(f"{name}: {value}" for name, value in result.items()))


def record_command(
    act: str, *, command: str, account_id: UUID | None = None, target: str = "", reason: str = "", now: datetime,
    **details: object,
) -> None:  # fmt: skip
    """One row of the audit log for what an operator did at the command line."""
    with transaction.atomic():
        staff_acts.record(
            None, act, account_id=account_id, target=target, details={"command": command} | details, reason=reason,
            now=now,
        )  # fmt: skip


def dollars(text: str) -> Decimal:
    """An argument in dollars."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ArgumentTypeError(f"{text!r} is not an amount of dollars.") from None
    if not amount.is_finite():
        raise ArgumentTypeError(f"{text!r} is not an amount of dollars.")
    return amount


def account_id(text: str) -> UUID:
    """An argument such as acct_01J…"""
    found = ids.parse("acct", text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not an account id (acct_ and 26 characters).")
    return found


def moment(text: str) -> datetime:
    """An argument such as 2026-12-01T00:00Z; without a zone it is UTC."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a time such as 2026-12-01T00:00Z.") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
