"""Background work about telling: each task loads, calls one function, and may be lost, late or repeated."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from alerts import deliveries, facts


@shared_task(name="alerts.tasks.deliver_webhooks")
def deliver_webhooks() -> None:
    deliveries.deliver(now=timezone.now())


@shared_task(name="alerts.tasks.evaluate_account")
def evaluate_account(account_id: str) -> None:
    facts.evaluate(UUID(account_id), now=timezone.now())
