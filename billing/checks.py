"""Configuration that must not take payments: said at the start, in a sentence that names the setting."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from billing import gateways, installation


@register
def a_processor_is_there(**_: Any) -> list[CheckMessage]:
    if gateways.is_sandbox():
        return []
    hint = "Unset it to rehearse on the sandbox, without real money."
    return [
        Error(
            "STRIPE_SECRET_KEY is set, but this version has only the sandbox.", hint=hint, id="billing.E001"
        )
    ]


@register(Tags.database)
def the_mode_is_the_database_s(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Sandbox dollars must not stand beside real ones. Run by `migrate` and `check --database default`."""
    try:
        wrong = installation.mismatch() if databases else ""
    except DatabaseError:  # not migrated yet
        return []
    return [Error(wrong, id="billing.E002")] if wrong else []
