"""Background work about telling: each task loads, calls one function, and may be lost, late or repeated."""

from celery import shared_task
from django.utils import timezone

from alerts import deliveries


@shared_task(name="alerts.tasks.deliver_webhooks")
def deliver_webhooks() -> None:
    deliveries.deliver(now=timezone.now())
