"""Tasks of usage."""

from celery import shared_task
from django.utils import timezone

from usage.verify import verify_ledger


@shared_task(name="usage.tasks.verify_ledger")
def prove_the_ledger() -> None:
    """Every night, from what the night before proved. The result is on the staff page; a breach is also logged."""
    verify_ledger(now=timezone.now())
