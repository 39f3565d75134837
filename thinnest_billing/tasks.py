"""Tasks of the composition root."""

from celery import shared_task
from django.utils import timezone

from thinnest_billing import sweeping


@shared_task(name="thinnest_billing.tasks.sweep")
def sweep() -> None:
    sweeping.sweep(now=timezone.now())
