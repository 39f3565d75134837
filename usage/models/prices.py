"""The rate card: append-only prices and the version that web processes compare."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from accounts import ids


class Price(models.Model):
    """The rate of one meter from a moment on. Append-only; the newest one in force at the event's time applies."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    meter = models.CharField(max_length=60)
    rate = models.DecimalField(max_digits=18, decimal_places=9)
    effective_from = models.DateTimeField()
    created_at = models.DateTimeField()
    actor = models.CharField(max_length=120)
    reason = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["meter", "effective_from"], name="price_once"),
            models.CheckConstraint(condition=Q(rate__gte=0), name="price_not_negative"),
        ]
        ordering = ["meter", "-effective_from"]

    def __str__(self) -> str:
        return f"{self.meter} {self.rate} from {self.effective_from:%Y-%m-%d %H:%M}"


class RateCard(models.Model):
    """One row: the version of the rate card, raised with every new price, so that web processes notice."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    version = models.BigIntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_rate_card")]

    def __str__(self) -> str:
        return f"version {self.version}"


def in_force(at: datetime) -> models.QuerySet[Price]:
    """The price of every meter at a moment: newest `effective_from` not after it."""
    return (
        Price.objects.filter(effective_from__lte=at)
        .order_by("meter", F("effective_from").desc())
        .distinct("meter")
    )
