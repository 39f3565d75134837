"""The audit log of staff: one row per act, in the transaction of the act, so that neither is there without the other.

Rows outlive the account they speak of, so they hold ids and amounts, and no customer's name, address or text.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from accounts import logs
from accounts.models import StaffAct, User


def record(
    staff: User | None, act: str, *, account_id: UUID | None = None, target: str = "",
    details: Mapping[str, object] | None = None, reason: str = "", now: datetime,
) -> StaffAct:  # fmt: skip
    """Write down who did what to which account and why. `staff` is None for a management command.

    `act` is a verb and a noun ("refund top-up"), `target` a public id. Only inside the transaction of the act.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An act of staff is recorded in its own transaction.")
    request_id = logs.current_request_id()
    return StaffAct.objects.create(
        at=now, staff=staff, account_id=account_id, act=act, target=target, reason=reason,
        details={name: _plain(value) for name, value in (details or {}).items()},
        request_id="" if request_id == "-" else request_id,
    )  # fmt: skip


def _plain(value: object) -> object:
    """As JSON has it: amounts as exact strings, never as floats."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value if value is None or isinstance(value, bool | int | str | list) else str(value)


def by(row: StaffAct) -> str:
    """Who did it, as the log shows it. The row comes with its `staff`."""
    return row.staff.email if row.staff else f"command {row.details.get('command', '')}"
