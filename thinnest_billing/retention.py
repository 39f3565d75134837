"""What every installation forgets, once a day. Rows of money are never among it.

docs/decisions/2026-11-23-what-is-forgotten-when.md says which rows are kept how long, and why.
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from accounts import retention as people
from alerts import retention as tellings
from thinnest_billing.models import Heartbeat

log = logging.getLogger(__name__)


def prune(*, now: datetime) -> dict[str, int]:
    """Delete what is old enough, the rest too when one kind fails; how many rows of each kind. Repeatable."""
    gone: dict[str, int] = {}
    for name, rows in _old(now=now):
        try:
            gone[name] = gone.get(name, 0) + people.forget(rows)
        except Exception:
            log.exception("Old rows of %s could not be deleted", name)
    log.info("Forgotten: %s", gone)
    Heartbeat.beat("prune", now=now)
    return gone


def _old(*, now: datetime) -> Iterator[tuple[str, QuerySet[Any]]]:
    letters = now - timedelta(days=settings.KEEP_MAIL_DAYS)
    webhooks = now - timedelta(days=settings.KEEP_DELIVERIES_DAYS)
    yield "mail", people.old_mail(before=letters)
    yield "sessions", people.ended_sessions(now=now)
    yield "deliveries", tellings.old_deliveries(before=webhooks)
    for rows in tellings.old_watched(before=webhooks):
        yield "watched", rows
