"""Charges and their daily roll-up, written by usage/sql/ alone. Hot tables: no foreign key in the database."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from accounts import ids
from billing.models.ledger import account_reference, dollars


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
            ),
            models.Index(fields=["account", "-recorded_at"], name="charge_of_number", condition=Q(type="number")),
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
        indexes = [
            models.Index(fields=["day", "account"], name="spend_of_day")
        ]  # alert rules of all accounts

    def __str__(self) -> str:
        return f"{self.day} {self.type} {self.cost}"
