"""A table on a staff page: what it is called, its columns, its rows, and where the whole list is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.http import urlencode


@dataclass(frozen=True, slots=True)
class Cell:
    """Text, with where it leads. `is_act`: it leads to a form that does something."""

    text: str
    url: str = ""
    is_act: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    id: str
    title: str
    headings: Sequence[str]
    rows: list[list[Cell]]
    more: str = ""  # the whole list
    empty: str = "None."


def panel(
    id: str, title: str, headings: Sequence[str], rows: Iterable[Iterable[object]], *, more: str = "",
    empty: str = "None.",
) -> Panel:  # fmt: skip
    return Panel(id, title, headings, [[cell(value) for value in row] for row in rows], more, empty)


def cell(value: object) -> Cell:
    if isinstance(value, Cell):
        return value
    return Cell(moment(value) if isinstance(value, datetime) else str(value or ""))


def moment(at: datetime | None) -> str:
    """UTC, as everywhere in admin."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else ""


def row_url(row: Model) -> str:
    """The row's own page in admin."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_url(table: str, **filters: Any) -> str:
    """A list in admin: `list_url("billing_topup", q="acct_…")`."""
    return f"{reverse(f'admin:{table}_changelist')}?{urlencode(filters)}"
