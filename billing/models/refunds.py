"""Money that goes back to a card holder: refunds (asked by us or made at the processor) and disputes."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from accounts import ids
from accounts.models import Account
from billing.models.payments import Mode, cents
from billing.models.topups import TopUp


class Refund(models.Model):
    """A top-up paid back, in part or whole. `taken` is what left the balance for it, posted with the row.

    Ours is written before the processor is asked; one made at the processor comes by event, with its id as
    `gateway_id` and origin `gateway`.
    """

    class Status(models.TextChoices):
        CREATED = "created", "Created"
        PENDING = "pending", "On its way"
        SUCCEEDED = "succeeded", "Refunded"
        FAILED = "failed", "Failed"  # refused, failed later or canceled: `taken` was given back

    OPEN = (Status.CREATED, Status.PENDING)

    class Origin(models.TextChoices):
        CUSTOMER = "customer", "Customer"
        STAFF = "staff", "Staff"
        GATEWAY = "gateway", "At the processor"

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    topup = models.ForeignKey(TopUp, models.PROTECT, related_name="refunds")
    mode = models.CharField(max_length=12, choices=Mode.choices)
    origin = models.CharField(max_length=8, choices=Origin.choices)
    actor = models.CharField(max_length=120)
    reason = models.CharField(max_length=400, blank=True)
    amount = cents()
    taken = cents()
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.CREATED)
    gateway_id = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001  unique where known
    error = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    next_look_at = models.DateTimeField(null=True)  # when the sweep asks again; null once it ended

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, taken__gte=0, taken__lte=models.F("amount")), name="refund_amount"
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-created_at"], name="refund_of_account"),
            models.Index(
                fields=["next_look_at"],
                name="refund_without_outcome",
                condition=Q(next_look_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ${self.amount} {self.status}"

    @property
    def public_id(self) -> str:
        return ids.public("ref", self.id)


class Dispute(models.Model):
    """A payment taken back by the card holder's bank. `taken` is what left the balance for it."""

    WON, LOST = "won", "lost"
    INQUIRY = "warning_"  # how the words of a mere question begin

    id = models.CharField(primary_key=True, max_length=255)  # the gateway's
    topup = models.ForeignKey(TopUp, models.PROTECT, related_name="disputes")
    mode = models.CharField(max_length=12, choices=Mode.choices)
    amount = cents()
    taken = cents(default=Decimal(0))
    status = models.CharField(max_length=40)  # the gateway's word
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.id} ${self.amount} {self.status}"

    @property
    def moves_money(self) -> bool:
        """A dispute, be it decided or not, and no inquiry."""
        return bool(self.status) and not self.status.startswith(self.INQUIRY)
