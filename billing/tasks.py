"""Background work about money: each task loads, calls one function, and may be lost, late or repeated."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from billing import auto_charge, reconciliation, topup_sweep
from billing.gateways import sandbox_bank
from billing.models import TopUp


@shared_task(name="billing.tasks.pursue_topup")
def pursue_topup(topup_id: str) -> None:
    topup = TopUp.objects.filter(pk=UUID(topup_id), next_look_at__isnull=False).first()
    if topup is not None:
        topup_sweep.pursue(topup, now=timezone.now())


@shared_task(name="billing.tasks.attempt_auto_topup")
def attempt_auto_topup(account_id: str) -> None:
    auto_charge.attempt(UUID(account_id))


@shared_task(name="billing.tasks.deliver_sandbox_events")
def deliver_sandbox_events() -> None:
    sandbox_bank.deliver_sandbox_events(now=timezone.now())


@shared_task(name="billing.tasks.reconcile_payments")
def reconcile_payments(days: int | None = None) -> None:
    reconciliation.reconcile_by_night(days=days, now=timezone.now())
