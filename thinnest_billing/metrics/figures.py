"""What the database and Redis tell, asked at each scrape: money, queues, proofs.

Every count here walks an index of what is open, waiting or recent, never a whole table, so a scrape costs the same
after years.
"""

import platform
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import django
from django.db import DatabaseError
from django.db.models import Count, Sum

from accounts import redis_link
from accounts.models import Mail
from alerts.models import Delivery
from billing import topup_sweep
from billing.models import EventReceipt, Hold, LedgerCheck, Reconciliation, StaffNotice, TopUp
from billing.money import ZERO
from thinnest_billing import __version__, health
from thinnest_billing.metrics.text import Metric, Sample, gauge
from usage.models import DailySpend, Flag

DAY = timedelta(days=1)


def all_figures(*, now: datetime) -> list[Metric]:
    """What can be told: without the database that it is away, without Redis no lengths of its queues."""
    try:
        stored = [gauge("database_up", "1 while the database answers.", 1), *_stored(now)]
    except DatabaseError:
        stored = [gauge("database_up", "1 while the database answers.", 0)]
    return [_build(), *stored, *_redis()]


def _build() -> Metric:
    versions = {"python": platform.python_version(), "django": django.get_version()}
    return gauge("build_info", "What runs; always 1.", 1, version=__version__, **versions)


def _stored(now: datetime) -> Iterator[Metric]:
    yield from _spending(now)
    yield _topups(now)
    yield from _waiting(now)
    age = health.last_sweep(now=now)
    if age is not None:
        yield gauge("sweep_age_seconds", "Since the last sweep ended; it is due every minute.", age)
    check, compared = LedgerCheck.objects.first(), Reconciliation.objects.first()
    yield from _proof("ledger_check", "breaches", check, len(check.breaches) if check else 0, now)
    open_ = [found for found in compared.differences if not found["repaired"]] if compared else []
    yield from _proof("reconciliation", "differences", compared, len(open_), now)


def _spending(now: datetime) -> Iterator[Metric]:
    """Every day that is today somewhere; each day's series only grows, so `increase()` and `rate()` hold."""
    today = now.date()
    rows = (
        DailySpend.objects.filter(day__range=(today - DAY, today + DAY))
        .values("day", "type").annotate(charges=Sum("count"), dollars=Sum("cost")).order_by("day", "type")
    )  # fmt: skip
    labelled = [({"day": f"{row['day']}", "type": row["type"]}, row) for row in rows]
    charges: list[Sample] = [("", labels, row["charges"]) for labels, row in labelled]
    dollars: list[Sample] = [("", labels, row["dollars"]) for labels, row in labelled]
    yield Metric("charges_total", "counter", "Charges by type and local day.", charges)
    yield Metric("charged_dollars_total", "counter", "Dollars charged by type and local day.", dollars)


def _topups(now: datetime) -> Metric:
    rows = (
        TopUp.objects.filter(ended_at__gte=now - DAY)
        .values("mode", "origin", "status").annotate(count=Count("pk")).order_by("mode", "origin", "status")
    )  # fmt: skip
    samples: list[Sample] = [
        ("", {"gateway": row["mode"], "origin": row["origin"], "outcome": row["status"]}, row["count"])
        for row in rows
    ]
    return Metric("topups_day", "gauge", "Top-ups that ended in the last 24 hours.", samples)


def _waiting(now: datetime) -> Iterator[Metric]:
    """How much is open of everything that somebody or something still has to do."""
    due = {"next_try_at__lte": now}
    lengths: dict[str, int] = {
        "mail": Mail.objects.filter(**due).count(),
        "webhook_deliveries": Delivery.objects.filter(**due).count(),
        "webhook_retries": Delivery.objects.filter(next_try_at__gt=now).count(),
        "events": EventReceipt.objects.filter(**due).count(),
        "open_topups": TopUp.objects.filter(next_look_at__isnull=False).count(),
        "stuck_topups": topup_sweep.stuck(now=now),
        "notices": StaffNotice.objects.filter(done_at=None).count(),
        "flags": Flag.objects.filter(outcome="open").count(),
    }
    samples: list[Sample] = [("", {"what": name}, length) for name, length in lengths.items()]
    yield Metric("waiting", "gauge", "Rows that wait for the sweep, a worker or staff.", samples)
    held = Hold.objects.filter(state=Hold.State.OPEN).aggregate(count=Count("pk"), dollars=Sum("amount"))
    yield gauge("open_holds", "Reservations that have not ended.", held["count"])
    yield gauge("held_dollars", "Dollars reserved by them.", held["dollars"] or ZERO)


def _proof(
    name: str, what: str, row: LedgerCheck | Reconciliation | None, wrong: int, now: datetime
) -> Iterator[Metric]:
    if row is not None:
        age = (now - row.ran_at).total_seconds()
        yield gauge(f"{name}_age_seconds", "Since it last ran; it is due every night.", int(age))
        yield gauge(f"{name}_{what}", "What it found and nobody has mended; 0 is clean.", wrong)


def _redis() -> Iterable[Metric]:
    lengths = redis_link.ask(
        lambda server: {"celery": server.llen("celery"), "unacked": server.hlen("unacked")}, otherwise=None
    )
    yield gauge("redis_up", "1 while Redis answers.", int(lengths is not None))
    if lengths is not None:
        samples: list[Sample] = [("", {"queue": name}, n) for name, n in lengths.items()]
        yield Metric("celery_queue", "gauge", "Tasks that wait (celery) and that run (unacked).", samples)
