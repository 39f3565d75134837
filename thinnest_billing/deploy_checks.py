"""`manage.py check --deploy`: settings that work and yet hurt whoever runs the product in public.

What must never take payments at all is in billing/checks.py and stops the start.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connection

from billing import gateways
from billing.checks import PAYMENTS, THIS_MACHINE
from billing.models import Mode

SHORTEST_TOKEN = 16
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


@register(PAYMENTS)
def real_money_is_encrypted(**_: Any) -> list[CheckMessage]:
    is_plain = settings.SITE_URL.startswith("http://")
    if not is_plain or gateways.mode() != Mode.STRIPE_LIVE or _host() in THIS_MACHINE:
        return []
    said = f"STRIPE_SECRET_KEY is a live key, but SITE_URL is {settings.SITE_URL}: sign-ins would travel in plain text."
    return [Error(said, hint="Put a proxy with TLS before it (docs/operate.md).", id="thinnest_billing.E006")]


@register(Tags.security, deploy=True)
def letters_go_out(**_: Any) -> list[CheckMessage]:
    if not settings.EMAIL_URL:
        said = "EMAIL_URL is not set: no letter goes out, so nobody can confirm an address, and no alert arrives."
        return [Warning(said, id="thinnest_billing.W001")]
    if settings.DEFAULT_FROM_EMAIL.rstrip("> ").endswith("@localhost"):
        said = "DEFAULT_FROM_EMAIL is of localhost: other mail servers refuse such letters."
        return [Warning(said, id="thinnest_billing.W002")]
    return []


@register(Tags.security, deploy=True)
def metrics_have_a_real_token(**_: Any) -> list[CheckMessage]:
    if not settings.METRICS_TOKEN or len(settings.METRICS_TOKEN) >= SHORTEST_TOKEN:
        return []
    said = f"METRICS_TOKEN is shorter than {SHORTEST_TOKEN} characters: it can be guessed."
    return [Warning(said, id="thinnest_billing.W003")]


@register(Tags.security, deploy=True)
def the_sandbox_is_not_public(**_: Any) -> list[CheckMessage]:
    if not settings.SANDBOX_ALLOW_PUBLIC or not gateways.is_sandbox() or _host() in THIS_MACHINE:
        return []
    said = (
        "SANDBOX_ALLOW_PUBLIC is on: everybody who signs up gets credit for test cards. Only for a rehearsal."
    )
    return [Warning(said, id="thinnest_billing.W004")]


@register(Tags.security, deploy=True)
def something_speaks_tls(**_: Any) -> list[CheckMessage]:
    if not settings.SECURE_SSL_REDIRECT or settings.SECURE_PROXY_SSL_HEADER:
        return []
    said = "SITE_URL is https, but BEHIND_PROXY is no: behind a proxy every page would redirect to itself for ever."
    hint = (
        "Set BEHIND_PROXY=yes where a proxy speaks TLS and sets X-Forwarded-Proto and X-Forwarded-For itself."
    )
    return [Warning(said, hint=hint, id="thinnest_billing.W005")]


@register(Tags.database, deploy=True)
def what_was_answered_survives_a_crash(
    databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """With `check --deploy --database default`."""
    if not databases:
        return []
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting = 'off'", [[*DURABLE]]
            )
            off = sorted(row[0] for row in cursor)
    except DatabaseError:
        return []
    said = f"PostgreSQL runs with {', '.join(off)} off: a crash loses charges that were answered as recorded."
    return [Error(said, id="thinnest_billing.E007")] if off else []


def _host() -> str:
    return urlsplit(settings.SITE_URL).hostname or ""
