"""What staff see first in admin: what came in today, what is stuck, and when everything was last looked after."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from accounts.models import User
from billing import topup_sweep
from billing.models import EventReceipt, LedgerCheck, Reconciliation, StaffNotice, TopUp
from billing.money import ZERO, usd
from thinnest_billing import health
from thinnest_billing.models import Heartbeat
from usage import flags

NIGHTLY = timedelta(hours=26)  # after that long a nightly proof has failed to appear
RIGHT = "billing.view_topup"
State = EventReceipt.State


@dataclass(frozen=True, slots=True)
class Fact:
    """`icon` is one of admin's own: yes, alert, no, or nothing where a figure is neither good nor bad."""

    name: str
    value: str
    url: str = ""
    icon: str = ""


def facts_for(user: User) -> list[Fact]:
    """Nothing for staff without a right to look at payments."""
    now = timezone.now()
    return (
        [*_payments(now), *_asked(), *_told(now), *_beats(now), *_proofs(now)] if user.has_perm(RIGHT) else []
    )


def _payments(now: datetime) -> Iterator[Fact]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    today = TopUp.objects.filter(ended_at__gte=midnight).aggregate(
        count=Count("pk", filter=Q(status=TopUp.Status.SUCCEEDED)), received=Sum("received"),
        failed=Count("pk", filter=Q(status=TopUp.Status.FAILED)),
    )  # fmt: skip
    topups = reverse("admin:billing_topup_changelist")
    yield Fact(
        "Today's top-ups",
        f"{today['count']}, {usd(today['received'] or ZERO)}",
        f"{topups}?status__exact=succeeded",
    )
    yield _count("Failed today", today["failed"], f"{topups}?status__exact=failed", bad="alert")
    yield _count("Stuck over 10 minutes", topup_sweep.stuck(now=now), topups)


def _asked() -> Iterator[Fact]:
    url = f"{reverse('admin:usage_flag_changelist')}?outcome__exact=open"
    yield _count("Flagged charges", flags.open_flags().count(), url, bad="alert")


def _told(now: datetime) -> Iterator[Fact]:
    events = reverse("admin:billing_eventreceipt_changelist")
    for state, name in ((State.QUARANTINED, "Quarantined events"), (State.FAILED, "Failed events")):
        count = EventReceipt.objects.filter(state=state).count()
        yield _count(name, count, f"{events}?state__exact={state.value}")
    notices = f"{reverse('admin:billing_staffnotice_changelist')}?done_at__isempty=1"
    yield _count("Open notices", StaffNotice.objects.filter(done_at=None).count(), notices, bad="alert")
    last = EventReceipt.objects.order_by("-pk").values_list("received_at", flat=True).first()
    yield Fact("Last webhook", _ago(last, now), events)


def _beats(now: datetime) -> Iterator[Fact]:
    """The sweep may also be run by cron; the worker's own beat says that Celery is there."""
    beats = dict(Heartbeat.objects.values_list("name", "beat_at"))
    for name, at in (("Last sweep", beats.get("sweep")), ("Worker heartbeat", beats.get("worker"))):
        late = at is None or (now - at).total_seconds() > health.LATE
        yield Fact(name, _ago(at, now), icon="no" if late else "yes")


def _proofs(now: datetime) -> Iterator[Fact]:
    check = LedgerCheck.objects.first()
    yield _proof("Last ledger check", check, len(check.breaches) if check else 0, now)
    compared = Reconciliation.objects.first()
    open_ = [found for found in compared.differences if not found["repaired"]] if compared else []
    yield _proof("Last reconciliation", compared, len(open_), now)


def _proof(name: str, row: LedgerCheck | Reconciliation | None, wrong: int, now: datetime) -> Fact:
    if row is None:
        return Fact(name, "never", icon="alert")
    url = reverse(f"admin:billing_{row._meta.model_name}_change", args=[row.pk])
    late = now - row.ran_at > NIGHTLY
    said = f"{wrong} wrong" if wrong else "clean"
    return Fact(name, f"{said}, {_ago(row.ran_at, now)}", url, "no" if wrong else "alert" if late else "yes")


def _count(name: str, count: int, url: str, *, bad: str = "no") -> Fact:
    return Fact(name, str(count), url, bad if count else "yes")


def _ago(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "never"
    seconds = int((now - at).total_seconds())
    return f"{max(seconds, 0)} s ago" if seconds < 120 else f"{timesince(at, now, depth=1)} ago"
