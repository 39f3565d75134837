"""Who an account is at a payment processor: customers and cards, and whose this database is.

Each row carries its `mode`: sandbox dollars must never become credit beside real ones.
"""

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


class BillingDetails(models.Model):
    """What an account wants printed on its receipts. Everything may be empty."""

    account = models.OneToOneField(Account, models.CASCADE, primary_key=True, related_name="+")
    name = models.CharField(max_length=120, blank=True)
    address = models.CharField(max_length=400, blank=True)  # lines
    tax_id = models.CharField("tax id", max_length=40, blank=True)

    class Meta:
        verbose_name_plural = "billing details"

    def __str__(self) -> str:
        return self.name or f"details of {self.account_id}"
