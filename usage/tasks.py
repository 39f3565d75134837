"""Tasks of usage."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from usage import rents
from usage.verify import verify_ledger


@shared_task(name="usage.tasks.verify_ledger")
def prove_the_ledger() -> None:
    """Every night, from what the night before proved. The result is on the staff page; a breach is also logged."""
    verify_ledger(now=timezone.now())


@shared_task(name="usage.tasks.renew_rents")
def renew_rents(account_id: str) -> None:
    """After a credit; the sweep does the same for everybody."""
    rents.renew_account(UUID(account_id), now=timezone.now())
