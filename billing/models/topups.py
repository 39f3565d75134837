"""Top-ups and what keeps them going by themselves."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from accounts import ids
from accounts.models import Account
from billing.models.payments import Mode, brand_name, cents


class TopUp(models.Model):
    """One wish to add funds, from its row (committed before the processor is asked) to its outcome.

    What is sent to the processor is rebuilt from columns that never change (amount, card, customer,
    description, save_card, off_session, return_url): the same key must always carry the same request.
    """

    class Status(models.TextChoices):
        CREATED = "created", "Created"
        PROCESSING = "processing", "Processing"
        REQUIRES_ACTION = "requires_action", "Waiting for confirmation"
        UNKNOWN = "unknown", "Sent, no answer yet"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELED = "canceled", "Canceled"

    OPEN = (Status.CREATED, Status.PROCESSING, Status.REQUIRES_ACTION, Status.UNKNOWN)

    class Origin(models.TextChoices):
        PAGE = "page", "Add funds"
        API = "api", "API"
        AUTO = "auto", "Auto-topup"
        STAFF = "staff", "Staff"

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    mode = models.CharField(max_length=12, choices=Mode.choices)
    origin = models.CharField(max_length=8, choices=Origin.choices)
    actor = models.CharField(max_length=120)
    reason = models.CharField(max_length=400, blank=True)  # why staff entered it
    amount = cents()
    card = models.CharField(max_length=255, blank=True)  # a saved card; empty: the processor's own page
    customer = models.CharField(max_length=255, blank=True)
    description = models.CharField(max_length=80, blank=True)
    save_card = models.BooleanField(default=False)
    off_session = models.BooleanField(default=False)
    return_url = models.CharField(max_length=500, blank=True)
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001  unique where given
    created_at = models.DateTimeField()

    status = models.CharField(max_length=16, choices=Status.choices, default=Status.CREATED)
    payment_id = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001  unique where known
    page_id = models.CharField(max_length=255, blank=True)  # the processor's payment page
    action_url = models.CharField(max_length=2000, blank=True)  # where the card holder goes on
    confirmations = models.PositiveSmallIntegerField(default=0)  # of an off-session payment, by its holder
    brand = models.CharField(max_length=30, blank=True)
    last4 = models.CharField("last four digits", max_length=4, blank=True)
    received = cents(null=True)
    receipt_url = models.CharField(max_length=2000, blank=True)
    failure_code = models.CharField(max_length=80, blank=True)
    decline_code = models.CharField(max_length=80, blank=True)
    failure_message = models.CharField(max_length=400, blank=True)
    declined_at = models.DateTimeField(null=True)  # the bank or the holder said no
    ended_at = models.DateTimeField(null=True)
    next_look_at = models.DateTimeField(null=True)  # when the sweep looks at it again; null once it ended

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "idempotency_key"], name="topup_idempotency_key"),
            models.UniqueConstraint(
                fields=["account"],
                name="one_open_auto_topup",
                condition=Q(origin="auto", next_look_at__isnull=False),
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="topup_amount"),
            models.CheckConstraint(
                name="topup_received_iff_succeeded",
                condition=Q(status="succeeded", received__gt=0) | ~Q(status="succeeded") & Q(received=None),
            ),
            models.CheckConstraint(
                name="topup_looked_at_while_open",
                condition=Q(status__in=["succeeded", "failed", "canceled"], next_look_at=None)
                | ~Q(status__in=["succeeded", "failed", "canceled"]) & Q(next_look_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-created_at"], name="topup_of_account"),
            models.Index(
                fields=["next_look_at"],
                name="topup_without_outcome",
                condition=Q(next_look_at__isnull=False),
            ),
            models.Index(fields=["ended_at"], name="topup_ended", condition=Q(ended_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ${self.amount} {self.status}"

    @property
    def public_id(self) -> str:
        return ids.public("top", self.id)

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def card_name(self) -> str:
        return f"{brand_name(self.brand)} •••• {self.last4}" if self.last4 else ""

    @property
    def credited(self) -> Decimal:
        """What reached the balance, in dollars."""
        return self.received or Decimal(0)


class AutoTopup(models.Model):
    """An account's standing order: below `threshold`, charge `card` by `amount`. Made when its owner first saves it."""

    class Stopped(models.TextChoices):
        DECLINED = "declined", "The bank declined for good"
        DECLINED_REPEATEDLY = "declined_repeatedly", "Declined four times"
        CONFIRMATION_EXPIRED = "confirmation_expired", "Not confirmed in time"
        CARD_REMOVED = "card_removed", "The card was removed"
        REFUNDED = "refunded", "A top-up was refunded"
        DISPUTED = "disputed", "A payment was disputed"

    account = models.OneToOneField(Account, models.PROTECT, primary_key=True, related_name="+")
    mode = models.CharField(max_length=12, choices=Mode.choices)  # of the card
    enabled = models.BooleanField(default=False)
    threshold = cents()
    amount = cents()
    card = models.CharField(max_length=255)  # the gateway's id
    monthly_limit = cents()  # gross, by the account's local month
    consented_at = models.DateTimeField(null=True)  # the words are in templates/billing/_consent.html
    consented_by = models.CharField(max_length=120, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)  # soft declines in a row
    next_attempt_at = models.DateTimeField(null=True)  # not before; null: at once when due
    stopped_reason = models.CharField(max_length=24, choices=Stopped.choices, blank=True)
    stopped_at = models.DateTimeField(null=True)
    count_limit_told_on = models.DateField(null=True)  # local day: each limit is told once a day
    month_limit_told_on = models.DateField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gte=models.F("threshold")), name="auto_topup_clears_threshold"
            ),
            models.CheckConstraint(
                condition=Q(enabled=False) | Q(stopped_reason="", consented_at__isnull=False),
                name="auto_topup_on_is_consented_and_not_stopped",
            ),
        ]
        indexes = [models.Index(fields=["account"], name="auto_topup_on", condition=Q(enabled=True))]

    def __str__(self) -> str:
        return f"auto-topup of {self.account_id}: {'on' if self.enabled else 'off'}"
