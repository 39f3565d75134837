"""Tasks of the composition root."""

from celery import shared_task
from django.utils import timezone

from billing import closing
from thinnest_billing import retention, sweeping
from thinnest_billing.models import Heartbeat


@shared_task(name="thinnest_billing.tasks.detach_cards")
def detach_cards() -> None:
    closing.detach_cards(now=timezone.now())


@shared_task(name="thinnest_billing.tasks.prune")
def prune() -> None:
    """Every night. What it leaves, or a lost night, is done by the next."""
    retention.prune(now=timezone.now())


@shared_task(name="thinnest_billing.tasks.sweep")
def sweep() -> None:
    now = timezone.now()
    Heartbeat.beat("worker", now=now)
    sweeping.sweep(now=now)
