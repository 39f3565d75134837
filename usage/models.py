"""What spends: agents, prices, charges and their daily roll-up.

Charge and DailySpend are written by usage/sql/ alone. Like all hot tables they have no foreign key in the database.
"""

from datetime import datetime
from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from accounts import ids
from billing.models.ledger import account_reference, dollars


class Agent(models.Model):
    """An AI agent of an account, known to us by name. A new name in a usage event makes one."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = account_reference()
    name = models.CharField(max_length=80)
    name_key = models.CharField(max_length=240, editable=False)  # case-folded: unique ignoring case
    model = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "name_key"], name="agent_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return ids.public("agent", self.id)


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


class UsageType(models.TextChoices):
    """What a charge is for. Rent of a phone number belongs to the category voice."""

    CHAT = "chat", "Chat"
    VOICE = "voice", "Voice"
    NUMBER = "number", "Phone number"
    KNOWLEDGE = "knowledge", "Knowledge"


class Quantities(models.Model):
    """What was used. Negative on a reversal."""

    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    retrieval_queries = models.BigIntegerField(default=0)
    seconds = models.BigIntegerField(default=0)
    pages = models.BigIntegerField(default=0)
    chunks = models.BigIntegerField(default=0)
    cost = dollars()
    uncollected = dollars()

    class Meta:
        abstract = True


class Charge(Quantities):
    """A priced usage event, written once. `cost` is what was deducted, `uncollected` the rest of its price."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = account_reference()
    event_id = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32)
    type = models.CharField(max_length=10, choices=UsageType.choices)
    agent_id = models.UUIDField(null=True)
    model = models.CharField(max_length=40)
    answered = models.BooleanField(null=True)
    content_sha256 = models.BinaryField(max_length=32, null=True)
    rates = models.JSONField()  # meter -> rate as a string; a snapshot
    balance_after = dollars()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    day = models.DateField()
    api_key_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64)
    hold_id = models.UUIDField(null=True)
    reverses = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "event_id"], name="charge_event"),
            # Time is strictly rising within an account, so this is also the keyset of the history.
            models.UniqueConstraint(fields=["account", "recorded_at"], name="charge_recorded"),
            models.UniqueConstraint(
                fields=["account", "reverses"],
                name="charge_reversed_once",
                condition=Q(reverses__isnull=False),
            ),
            models.CheckConstraint(
                name="charge_sign",
                condition=Q(reverses__isnull=True, cost__gte=0, uncollected__gte=0)
                | Q(reverses__isnull=False, cost__lte=0, uncollected__lte=0),
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "content_sha256"], name="charge_content",
                condition=Q(content_sha256__isnull=False),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.public_id} {self.cost}"

    @property
    def public_id(self) -> str:
        return ids.public("bill", self.id)

    @property
    def price(self) -> Decimal:
        return self.cost + self.uncollected


class ChargeNote(models.Model):
    """One erasable line per charge: a document's name, the last digits of a call. The only personal data here."""

    charge_id = models.UUIDField(primary_key=True)
    account = account_reference()
    text = models.CharField(max_length=120)

    def __str__(self) -> str:
        return self.text


class DailySpend(Quantities):
    """Charges of one local day by type, agent and model, kept in the transaction of the charge."""

    id = models.UUIDField(primary_key=True, editable=False)
    account = account_reference()
    day = models.DateField()
    type = models.CharField(max_length=10, choices=UsageType.choices)
    agent_id = models.UUIDField(null=True)
    model = models.CharField(max_length=40)
    count = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "day", "type", "agent_id", "model"],
                name="daily_spend",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.type} {self.cost}"


def in_force(at: datetime) -> models.QuerySet[Price]:
    """The price of every meter at a moment: newest `effective_from` not after it."""
    return (
        Price.objects.filter(effective_from__lte=at)
        .order_by("meter", F("effective_from").desc())
        .distinct("meter")
    )
