"""`/healthz`: this process answers. `/readyz`: it can work, and how old the last sweep is."""

from datetime import datetime

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from redis import RedisError

from accounts import redis_link
from thinnest_billing.celery import SWEEP_SECONDS
from thinnest_billing.models import Heartbeat

LATE = 5 * SWEEP_SECONDS  # seconds after which a missing sweep is worth a look


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """503 only without the database. Without Redis or beat the product goes on and says `degraded`."""
    report = examine(now=timezone.now())
    return JsonResponse(report, status=503 if report["status"] == "down" else 200)


def examine(*, now: datetime) -> dict[str, object]:
    database, age = last_sweep(now=now)
    redis = redis_answers()
    swept = age is not None and age <= LATE
    status = "down" if not database else "ok" if redis and swept else "degraded"
    return {"status": status, "database": database, "redis": redis, "last_sweep_seconds_ago": age}


def last_sweep(*, now: datetime) -> tuple[bool, int | None]:
    """Whether the database answers, and the age of the last sweep in seconds; None before the first."""
    try:
        heartbeat = Heartbeat.objects.filter(name="sweep").first()
    except DatabaseError:
        return False, None
    return True, int((now - heartbeat.beat_at).total_seconds()) if heartbeat else None


def redis_answers() -> bool:
    try:
        return bool(redis_link.client().ping())
    except RedisError:
        return False
