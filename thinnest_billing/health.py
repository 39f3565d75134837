"""`/healthz`: this process answers. `/readyz`: it can work, and how old the last sweep is."""

from datetime import datetime

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from redis import RedisError

from accounts import redis_link
from billing import installation
from thinnest_billing.celery import SWEEP_SECONDS
from thinnest_billing.models import Heartbeat

LATE = 5 * SWEEP_SECONDS  # seconds after which a missing sweep is worth a look


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """503 without the database, or on one that was paid in another mode.

    Without Redis or beat the product goes on and says `degraded`.
    """
    found = examine(now=timezone.now())
    return JsonResponse(found, status=503 if found["status"] == "down" else 200)


def examine(*, now: datetime) -> dict[str, object]:
    try:
        age, mismatch = last_sweep(now=now), installation.mismatch()
    except DatabaseError:
        return report("down", database=False, age=None)
    if mismatch:
        return report("down", age=age) | {"reason": mismatch}
    redis = redis_answers()
    swept = age is not None and age <= LATE
    return report("ok" if redis and swept else "degraded", redis=redis, age=age)


def report(
    status: str, *, database: bool = True, redis: bool | None = None, age: int | None
) -> dict[str, object]:
    """`redis` is null where nobody asked."""
    return {"status": status, "database": database, "redis": redis, "last_sweep_seconds_ago": age}


def last_sweep(*, now: datetime) -> int | None:
    """Its age in seconds; None before the first."""
    heartbeat = Heartbeat.objects.filter(name="sweep").first()
    return int((now - heartbeat.beat_at).total_seconds()) if heartbeat else None


def redis_answers() -> bool:
    try:
        return bool(redis_link.client().ping())
    except RedisError:
        return False
