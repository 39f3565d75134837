"""Celery's side of accounts."""

from celery import shared_task
from django.utils import timezone

from accounts import mail


@shared_task(name="accounts.tasks.deliver_mail")
def deliver_mail() -> None:
    mail.deliver(now=timezone.now())
