"""README.txt of the export: every file and every column in plain words."""

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings

from accounts.json import timestamp
from thinnest_billing.export.contents import LEFT_OUT
from thinnest_billing.export.table import Asked, File

HOW_TO_READ = """\
Files that end in .csv open in any spreadsheet: one line a row, the first line names the columns. Files that end in
.json hold one object each, or null where there is nothing.

Times are UTC, such as 2026-03-05T10:30:00Z. Amounts are US dollars, exact, with a point. An empty cell means that
there is nothing. A text that a spreadsheet could take for a formula begins with an apostrophe (').

The ledger, the charges and the days are all as of the moment that balance.json names, so they add up: the last line
of ledger.csv leaves the balance, and the costs in charges.csv are those in daily_spend.csv.
"""


def text(asked: Asked, files: Iterable[File], *, now: datetime) -> str:
    whose = (
        f"the account {asked.account.name} ({asked.account.public_id})"
        if asked.is_owner
        else asked.user.email
    )
    parts = [
        f"What {settings.SITE_URL} keeps about {whose}\nMade {timestamp(now)} for {asked.user.email}\n",
        HOW_TO_READ,
    ]
    parts += [_explained(file) for file in files]
    if asked.is_owner:
        parts.append(_left_out())
    return "\n".join(parts)


def _explained(file: File) -> str:
    width = max(len(column.name) for column in file.columns)
    lines = [f"  {column.name.ljust(width)}  {column.words}" for column in file.columns]
    return "\n".join([f"{file.name}: {file.words}", *lines, ""])


def _left_out() -> str:
    lines = [f"  {name.partition('.')[2]}: {reason}" for name, reason in LEFT_OUT.items()]
    return "\n".join(["Not in here:", *lines, ""])
