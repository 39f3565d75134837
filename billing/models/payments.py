"""Payments as we remember them: customers and cards at a processor, top-ups, disputes, received events.

Each row carries its `mode`: sandbox dollars must never become credit beside real ones.
"""

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts import ids
from accounts.models import Account


class Mode(models.TextChoices):
    SANDBOX = "sandbox", "Sandbox"
    STRIPE_TEST = "stripe_test", "Stripe test"
    STRIPE_LIVE = "stripe_live", "Stripe"
    MANUAL = "manual", "Entered by staff"


def cents(**options: Any) -> models.DecimalField:
    """Dollars in whole cents, as a payment processor moves them."""
    return models.DecimalField(max_digits=12, decimal_places=2, **options)


class Installation(models.Model):
    """This database, in one row (made by a migration).

    Its id travels in the metadata of our payments, so that events of another installation on the same Stripe
    account are told apart. The first settled sandbox or Stripe top-up pins `mode` for good.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    mode = models.CharField(max_length=12, choices=Mode.choices, blank=True)

    def __str__(self) -> str:
        return f"{self.id} ({self.mode or 'not pinned'})"


class Customer(models.Model):
    """Who an account is at the processor. `number` is raised when the processor has deleted the customer."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    mode = models.CharField(max_length=12, choices=Mode.choices)
    number = models.PositiveSmallIntegerField(default=1)
    gateway_id = models.CharField(max_length=255, null=True, unique=True)  # noqa: DJ001  unique where known

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "mode"], name="customer_per_mode")]

    def __str__(self) -> str:
        return self.gateway_id or f"customer {self.number} of {self.account_id}"


class PaymentMethod(models.Model):
    """A saved card. The processor keeps its number; we keep what a person recognises it by."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    mode = models.CharField(max_length=12, choices=Mode.choices)
    gateway_id = models.CharField(max_length=255, unique=True)
    customer = models.CharField(max_length=255)  # the gateway's id of its owner
    brand = models.CharField(max_length=30)
    last4 = models.CharField("last four digits", max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "mode"], name="one_default_card", condition=Q(is_default=True)
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(removed_at=None), name="removed_card_is_no_default"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand_name} •••• {self.last4}"

    @property
    def brand_name(self) -> str:
        return brand_name(self.brand)

    @property
    def mark(self) -> str:
        """A few letters for the little box beside a card."""
        return {"mastercard": "MC"}.get(self.brand, self.brand[:4].upper())

    @property
    def has_expired(self) -> bool:
        today = timezone.now()
        return (self.exp_year, self.exp_month) < (today.year, today.month)

    @property
    def expiry(self) -> str:
        return f"{self.exp_month:02}/{self.exp_year % 100:02}"


def brand_name(brand: str) -> str:
    """`Visa` for Stripe's `visa`."""
    names = {"amex": "American Express", "us_bank_account": "Bank account", "": "Card"}
    return names.get(brand, brand.replace("_", " ").title())


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


class Dispute(models.Model):
    """A payment taken back by the card holder's bank. `taken` is what left the balance for it."""

    id = models.CharField(primary_key=True, max_length=255)  # the gateway's
    topup = models.ForeignKey(TopUp, models.PROTECT, related_name="disputes")
    mode = models.CharField(max_length=12, choices=Mode.choices)
    amount = cents()
    taken = cents(default=Decimal(0))
    status = models.CharField(max_length=40)  # the gateway's word
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.id} ${self.amount} {self.status}"


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
