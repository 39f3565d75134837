"""What is forgotten after a while: letters that were sent, and sessions that have ended."""

from datetime import datetime

from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet

from accounts.models import Mail
from accounts.sweeps import while_there_is_time

AT_ONCE = 1_000  # rows of one statement


def old_mail(*, before: datetime) -> QuerySet[Mail]:
    """Sent, given up, or never to be sent (a trial's outbox). What an address refused stays: it is not asked again."""
    over = Q(sent_at__lt=before) | Q(sent_at=None, created_at__lt=before)
    return Mail.objects.filter(over, next_try_at=None, refused_at=None)


def ended_sessions(*, now: datetime) -> QuerySet[Session]:
    return Session.objects.filter(expire_date__lt=now)


def forget(rows: QuerySet) -> int:
    """Delete them a thousand at a time, so that no lock lasts; how many. What is left when time is up waits a day."""
    return sum(while_there_is_time(iter(lambda: _forget_some(rows), 0)))


def _forget_some(rows: QuerySet) -> int:
    some = list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    return rows.filter(pk__in=some).delete()[0] if some else 0
