"""Configuration that must not take payments: said at the start, in a sentence that names the setting."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from billing import installation


@register(Tags.database)
def the_mode_is_the_database_s(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Sandbox dollars must not stand beside real ones. Run by `migrate` and `check --database default`."""
    try:
        wrong = installation.mismatch() if databases else ""
    except DatabaseError:  # not migrated yet
        return []
    return [Error(wrong, id="billing.E002")] if wrong else []
