"""What the processor told us, what staff must know, and how the two books compared."""

from django.db import models
from django.db.models import Q

from accounts import ids
from accounts.models import Account
from billing.models.payments import Mode
from billing.models.topups import TopUp


class EventReceipt(models.Model):
    """An event as it arrived, stored before and outside of its processing: what failed stays for staff."""

    class State(models.TextChoices):
        RECEIVED = "received", "Received"
        PROCESSED = "processed", "Processed"
        IGNORED = "ignored", "Not for us"
        QUARANTINED = "quarantined", "Ours, but not understood"
        FAILED = "failed", "Failed, will be tried again"

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    gateway_id = models.CharField(max_length=255, unique=True)
    mode = models.CharField(max_length=12, choices=Mode.choices)
    type = models.CharField(max_length=100)
    body = models.TextField()  # exactly as signed
    received_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.RECEIVED)
    processed_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)  # null: nothing more will be tried by itself
    error = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_try_at"], name="event_waiting", condition=Q(next_try_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.gateway_id} {self.state}"


class StaffNotice(models.Model):
    """Something that billing staff must know, told once per key: a dispute, a fraud warning, a quarantined event."""

    key = models.CharField(max_length=255, unique=True)
    text = models.CharField(max_length=500)
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+")
    topup = models.ForeignKey(TopUp, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    done_by = models.CharField(max_length=120, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["-created_at"], name="notice_open", condition=Q(done_at__isnull=True))
        ]

    def __str__(self) -> str:
        return self.text


class Reconciliation(models.Model):
    """One comparison of the processor's payments and refunds with our top-ups and refunds, both ways."""

    ran_at = models.DateTimeField()
    mode = models.CharField(max_length=12, choices=Mode.choices)
    since = models.DateTimeField()
    until = models.DateTimeField()
    payments = models.PositiveIntegerField()  # of ours, looked at on the processor's side
    topups = models.PositiveIntegerField()  # looked at on our side
    differences = models.JSONField(default=list)  # [{"account", "topup", "payment", "text"}]

    class Meta:
        ordering = ["-ran_at"]

    def __str__(self) -> str:
        count = len(self.differences)
        return f"{self.ran_at:%Y-%m-%d %H:%M}: {f'{count} differences' if count else 'clean'}"
