"""The Celery app and everything that runs by the clock.

Correctness depends on none of it: tables are the queue, the sweep guarantees, Celery makes it prompt.
"""

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import beat_init, setup_logging, task_prerun, worker_init
from django.conf import settings

from accounts.logs import request_id

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "thinnest_billing.settings")

SWEEP_SECONDS = 60.0
SCHEDULE = {
    # A sweep that waited longer than its period is dropped: the next one does the same work.
    "sweep": {
        "task": "thinnest_billing.tasks.sweep",
        "schedule": SWEEP_SECONDS,
        "options": {"expires": SWEEP_SECONDS},
    },
    "forget what is old": {"task": "thinnest_billing.tasks.prune", "schedule": crontab(hour=2, minute=41)},
    "prove the ledger": {"task": "usage.tasks.verify_ledger", "schedule": crontab(hour=3, minute=17)},
    "reconcile payments": {
        "task": "billing.tasks.reconcile_payments",
        "schedule": crontab(hour=3, minute=47),
    },
    # Refunds made at the processor belong to payments of long ago.
    "reconcile older payments": {
        "task": "billing.tasks.reconcile_payments",
        "schedule": crontab(hour=4, minute=47, day_of_week="sunday"),
        "kwargs": {"days": 40},
    },
}

app = Celery("thinnest_billing")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    beat_schedule=SCHEDULE,
    timezone="UTC",
    task_ignore_result=True,
    # A task belongs to the queue until it is done: a killed worker's task comes back.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    # Both below the visibility timeout, or a slow task would be handed out a second time while it runs.
    task_soft_time_limit=240,
    task_time_limit=300,
    # Without the last two a killed task came back only after about 100 s.
    broker_transport_options={
        "visibility_timeout": 600,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
    },
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
)
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Celery would replace the handlers; with a receiver here it leaves Django's LOGGING in place."""


@task_prerun.connect
def adopt_request_id(task_id: str, task: Any, **_: Any) -> None:
    """The log lines of a task carry the id of the request that asked for it."""
    request_id.set(task.request.get("request_id") or task_id)


@worker_init.connect
@beat_init.connect
def refuse_wrong_payments(**_: Any) -> None:
    from thinnest_billing import startup  # the checks need Django's apps

    startup.refuse_wrong_payments()


@beat_init.connect
def sweep_at_once(**_: Any) -> None:
    """After an outage nobody should wait another period."""
    app.send_task("thinnest_billing.tasks.sweep", expires=SWEEP_SECONDS)
