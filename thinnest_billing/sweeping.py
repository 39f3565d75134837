"""The pass that guarantees what nudges only hasten: every 60 s from beat, or `manage.py sweep` from cron."""

import logging
from collections.abc import Callable
from datetime import datetime

from accounts import mail
from alerts import deliveries
from alerts.facts import evaluate_due
from alerts.rules import evaluate_all
from alerts.webhook_facts import tell_of_topups
from billing.auto_charge import attempt_due
from billing.closing import detach_cards
from billing.gateways.sandbox_bank import deliver_sandbox_events
from billing.refund_sweep import pursue_open_refunds
from billing.topup_sweep import pursue_open_topups
from billing.webhooks import process_waiting_events
from thinnest_billing.leaving.erasure import erase_due
from thinnest_billing.models import Heartbeat
from usage.phone_numbers import renew_due

log = logging.getLogger(__name__)

# Each step picks up the rows its nudge may have lost, at any time, any number of times: `step(now=...)`.
STEPS: tuple[Callable[..., object], ...] = (
    deliver_sandbox_events,
    process_waiting_events,
    pursue_open_topups,
    attempt_due,
    renew_due,
    pursue_open_refunds,
    evaluate_due,
    evaluate_all,
    tell_of_topups,
    mail.deliver,
    deliveries.deliver,
    detach_cards,
    erase_due,
)


def sweep(*, now: datetime) -> list[str]:
    """Run every step, the rest too when one fails; the names of those that failed."""
    failed = [step.__qualname__ for step in STEPS if not _succeeds(step, now=now)]
    Heartbeat.beat("sweep", now=now)
    return failed


def _succeeds(step: Callable[..., object], *, now: datetime) -> bool:
    try:
        step(now=now)
    except Exception:
        log.exception("A step of the sweep failed: %s", step.__qualname__)
        return False
    return True
