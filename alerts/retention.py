"""What is forgotten after a while: webhooks that were delivered or given up, and the memory of what is over."""

from datetime import datetime

from django.db.models import CharField, Model, QuerySet
from django.db.models.functions import Cast

from alerts.models import Delivery, Watched
from billing.models import Refund, TopUp
from usage.models import Campaign, Flag, PhoneNumber


def old_deliveries(*, before: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(created_at__lt=before, next_try_at=None)


def old_watched(*, before: datetime) -> list[QuerySet[Watched]]:
    """About what ended before that moment, and is no news any more (webhook_facts.WINDOW is shorter).

    Kept are the words of an account, what still runs, and disputes, which a bank may decide after a year.
    """
    ended: list[QuerySet[Model]] = [
        TopUp.objects.filter(ended_at__lt=before),
        Refund.objects.filter(ended_at__lt=before),
        Flag.objects.filter(answered_at__lt=before),
        PhoneNumber.objects.filter(released_at__lt=before),
        Campaign.objects.filter(finished_at__lt=before),
    ]
    known = Watched.objects.filter(since__lt=before)
    return [known.filter(subject__in=_named(rows)) for rows in ended]


def _named(rows: QuerySet[Model]) -> QuerySet[Model]:
    return rows.annotate(subject=Cast("pk", CharField())).values("subject")
