"""Balance, ledger and holds: written by the functions of billing/sql/ alone, read everywhere.

Hot tables carry the account's id first in their unique keys and have no foreign key in the database, so that they can
be spread by account one day; `verify_ledger` proves what a foreign key would.
"""

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Func, Q

from accounts import ids
from accounts.models import Account


def dollars(**options: Any) -> "models.DecimalField[Decimal, Decimal]":
    """An exact amount of dollars: nine decimals, enough for the cheapest token."""
    return models.DecimalField(max_digits=20, decimal_places=9, **options)


def account_reference() -> models.ForeignKey:
    return models.ForeignKey(Account, models.PROTECT, db_constraint=False, db_index=False, related_name="+")


class Balance(models.Model):
    """One row per account, the only mutable money. `held` includes overdue holds: see `selectors.available`."""

    account = models.OneToOneField(Account, models.PROTECT, primary_key=True)
    granted = dollars(default=Decimal(0))
    paid = dollars(default=Decimal(0))
    held = dollars(default=Decimal(0))
    seq = models.BigIntegerField(default=0)
    last_recorded_at = models.DateTimeField(null=True)
    last_day = models.DateField(null=True)
    next_hold_expiry = models.DateTimeField(null=True)
    depleted_at = models.DateTimeField(null=True)
    refused_at = models.DateTimeField(null=True)
    refused_amount = dollars(null=True)
    owner_froze_at = models.DateTimeField(null=True)
    staff_froze_at = models.DateTimeField(null=True)
    unfrozen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(granted__gte=0), name="granted_never_negative"),
            models.CheckConstraint(condition=Q(held__gte=0), name="held_never_negative"),
        ]

    def __str__(self) -> str:
        return f"balance of {self.account_id}"


class LedgerEntry(models.Model):
    """One movement of money, signed, never changed. Corrections are new entries."""

    class Kind(models.TextChoices):
        GRANT = "grant", "Grant"
        TOPUP = "topup", "Top-up"
        CHARGE = "charge", "Charge"
        REVERSAL = "reversal", "Reversal"
        REFUND = "refund", "Refund"
        DISPUTE = "dispute", "Dispute"
        DISPUTE_WON = "dispute_won", "Dispute won"
        ADJUSTMENT = "adjustment", "Adjustment"

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = account_reference()
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    key = models.CharField(max_length=255)
    granted = dollars()
    paid = dollars()
    granted_after = dollars()
    paid_after = dollars()
    actor = models.CharField(max_length=120)
    reason = models.CharField(max_length=400, blank=True)
    recorded_at = models.DateTimeField()
    day = models.DateField()

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["account", "seq"], name="entry_seq"),
            models.UniqueConstraint(fields=["account", "kind", "key"], name="entry_key"),
            models.CheckConstraint(  # the rules by kind are in billing/sql/
                name="entry_fits",
                condition=Func(
                    "kind",
                    "granted",
                    "paid",
                    "granted_after",
                    "paid_after",
                    "reason",
                    function="billing_entry_fits_1",
                    output_field=models.BooleanField(),
                ),
            ),
        ]
        # The Records page: everything but charges, newest first, by keyset.
        indexes = [
            models.Index(
                fields=["account", "-recorded_at"], name="entry_not_charge", condition=~Q(kind="charge")
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} ({self.account_id} #{self.seq})"

    @property
    def amount(self) -> Decimal:
        return self.granted + self.paid

    @property
    def balance_after(self) -> Decimal:
        return self.granted_after + self.paid_after


class Hold(models.Model):
    """Funds reserved for work that has begun. Ends once: captured, released or expired."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CAPTURED = "captured", "Captured"
        RELEASED = "released", "Released"
        EXPIRED = "expired", "Expired"

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = account_reference()
    key = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32)
    amount = dollars()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    purpose = models.CharField(max_length=10)  # what the holder is about to do, in the words of who holds
    terms = models.JSONField()  # quantities and frozen rates; billing never looks inside
    api_key_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="hold_key"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="hold_amount"),
        ]
        indexes = [
            models.Index(fields=["account", "expires_at"], name="hold_open", condition=Q(state="open"))
        ]

    def __str__(self) -> str:
        return f"hold {self.key} of {self.account_id}"

    @property
    def public_id(self) -> str:
        return ids.public("hold", self.id)


class TrialClaim(models.Model):
    """One per normalised email address that was ever given trial credit. Only a hash, and it outlives the account."""

    address_hash = models.BinaryField(max_length=32, primary_key=True)
    claimed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"trial claimed {self.claimed_at:%Y-%m-%d}"


class VerifiedThrough(models.Model):
    """How far `verify_ledger` has proved an account's ledger; the nightly run goes on from here."""

    account = models.OneToOneField(Account, models.CASCADE, primary_key=True, related_name="+")
    seq = models.BigIntegerField()
    recorded_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.account_id} through {self.seq}"


class LedgerCheck(models.Model):
    """One run of `verify_ledger`, for the staff page."""

    ran_at = models.DateTimeField()
    full = models.BooleanField()
    accounts = models.PositiveIntegerField()
    breaches = models.JSONField(default=list)

    class Meta:
        ordering = ["-ran_at"]

    def __str__(self) -> str:
        return f"{self.ran_at:%Y-%m-%d %H:%M}: {'clean' if not self.breaches else f'{len(self.breaches)} breaches'}"
