"""What a file of the export is: its columns with the words that explain them, and where its rows come from."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from io import StringIO
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet

from accounts import ids
from accounts.json import dumps, timestamp
from accounts.models import Account, User
from billing.models import Balance
from usage.exports import defused
from usage.models import Agent

AT_ONCE = 1_000  # rows per query
ROWS_A_PIECE = 200  # of text before it is handed on


@dataclass(frozen=True)
class Asked:
    """Who asks for what, and up to where: the ledger as it was at one moment.

    An owner gets the account; any other member what is about them.
    """

    account: Account
    user: User
    balance: Balance

    @property
    def is_owner(self) -> bool:
        return self.user.may(User.Role.OWNER)

    @cached_property
    def agents(self) -> dict[UUID, str]:
        """Names by id; an account has at most a thousand."""
        return dict(Agent.objects.filter(account=self.account).values_list("id", "name"))

    @cached_property
    def _members(self) -> set[str]:
        return {ids.public("usr", pk) for pk in self.account.members.values_list("pk", flat=True)}

    def who(self, actor: str) -> str:
        """An actor as the account may know them: our own people are nobody in particular."""
        return "staff" if actor.startswith("usr_") and actor not in self._members else actor


Read = Callable[[Any, Asked], object]


@dataclass(frozen=True)
class Column:
    name: str
    words: str
    read: Read


def column(name: str, words: str, read: Read | str = "") -> Column:
    """`read`: a function of the row, or the attribute it is; without one, the attribute called like the column."""
    if callable(read):
        return Column(name, words, read)
    path = (read or name).split(".")
    return Column(name, words, lambda row, asked: _follow(row, path))


def _follow(row: object, path: list[str]) -> object:
    for step in path:
        row = getattr(row, step) if row is not None else None
    return row


@dataclass(frozen=True)
class File:
    """One file. `models`: the tables it tells of. `is_small`: read whole in one moment with the balance."""

    name: str
    words: str
    models: tuple[type[Model], ...]
    rows: Callable[[Asked], Iterator[Any]]
    columns: tuple[Column, ...]
    is_small: bool = True
    for_everybody: bool = field(default=False)  # else for owners

    def text(self, asked: Asked) -> Iterator[bytes]:
        return self._json(asked) if self.name.endswith(".json") else self._csv(asked)

    def _json(self, asked: Asked) -> Iterator[bytes]:
        """One object, or null where there is none."""
        row = next(self.rows(asked), None)
        told = (
            {column.name: _plain(column.read(row, asked)) for column in self.columns}
            if row is not None
            else None
        )
        yield dumps(told) + b"\n"

    def _csv(self, asked: Asked) -> Iterator[bytes]:
        page = StringIO()
        writer = csv.writer(page)
        writer.writerow(column.name for column in self.columns)
        for number, row in enumerate(self.rows(asked), 1):
            writer.writerow([_cell(column.read(row, asked)) for column in self.columns])
            if number % ROWS_A_PIECE == 0:
                yield page.getvalue().encode()
                page.seek(0)
                page.truncate()
        yield page.getvalue().encode()


def _plain(value: object) -> object:
    return f"{value:f}" if isinstance(value, Decimal) else value  # amounts as exact strings


def _cell(value: object) -> str:
    """What a spreadsheet shows, and never runs."""
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        return defused(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int | date):
        return str(value)
    return defused(json.dumps(value, ensure_ascii=False))


def in_chunks(rows: QuerySet[Any], *, by: str = "pk") -> Iterator[Any]:
    """All rows in the order of a column that is unique among them, a thousand a query. No cursor stays open."""
    rows = rows.order_by(by)
    chunk = list(rows[:AT_ONCE])
    while chunk:
        yield from chunk
        chunk = (
            list(rows.filter(**{f"{by}__gt": getattr(chunk[-1], by)})[:AT_ONCE])
            if len(chunk) == AT_ONCE
            else []
        )
