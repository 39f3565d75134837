"""What the sandbox, standing in for a payment processor, remembers.

Only billing.gateways and the sandbox's own pages read or write it: to the rest it is as far away as Stripe.
"""

from django.db import models
from django.db.models import Q


class SandboxCustomer(models.Model):
    id = models.CharField(primary_key=True, max_length=60)
    email = models.EmailField()

    def __str__(self) -> str:
        return self.id


class SandboxCard(models.Model):
    """A card of `sandbox_cards.CARDS`, attached to a customer or, while unsaved or removed, to nobody."""

    id = models.CharField(primary_key=True, max_length=60)
    customer = models.ForeignKey(SandboxCustomer, models.CASCADE, null=True, related_name="cards")
    kind = models.CharField(max_length=80)  # Stripe's token of the test card
    authenticated = models.BooleanField(default=False)  # its holder confirmed it for later use
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.id} {self.kind}"


class SandboxPayment(models.Model):
    """Amounts in cents."""

    id = models.CharField(primary_key=True, max_length=60)
    customer = models.ForeignKey(SandboxCustomer, models.CASCADE, related_name="payments")
    card = models.ForeignKey(SandboxCard, models.CASCADE, related_name="+")
    page = models.ForeignKey("SandboxPage", models.CASCADE, null=True, related_name="payments")
    reference = models.CharField(max_length=80)
    amount = models.PositiveIntegerField()
    received = models.PositiveIntegerField(default=0)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=16)
    return_url = models.CharField(max_length=500, blank=True)
    code = models.CharField(max_length=80, blank=True)
    decline_code = models.CharField(max_length=80, blank=True)
    message = models.CharField(max_length=200, blank=True)
    arrives_at = models.DateTimeField(null=True)  # a bank debit on its way
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["customer", "reference"], name="sandbox_payment_reference"),
            models.Index(
                fields=["arrives_at"], name="sandbox_payment_arrives", condition=Q(arrives_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.status}"


class SandboxPage(models.Model):
    """A hosted page: a payment's (with an amount) or one that only saves a card."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        COMPLETE = "complete", "Complete"
        EXPIRED = "expired", "Expired"

    id = models.CharField(primary_key=True, max_length=60)
    customer = models.ForeignKey(SandboxCustomer, models.CASCADE, related_name="+")
    reference = models.CharField(max_length=80)
    amount = models.PositiveIntegerField(null=True)  # cents
    currency = models.CharField(max_length=3)
    description = models.CharField(max_length=80, blank=True)
    save_card = models.BooleanField(default=False)
    success_url = models.CharField(max_length=500)
    cancel_url = models.CharField(max_length=500)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    challenged_card = models.ForeignKey(SandboxCard, models.CASCADE, null=True, related_name="+")
    expires_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.id} {self.state}"


class SandboxRefund(models.Model):
    """Amount in cents."""

    id = models.CharField(primary_key=True, max_length=60)
    payment = models.ForeignKey(SandboxPayment, models.CASCADE, related_name="refunds")
    reference = models.CharField(max_length=80)
    amount = models.PositiveIntegerField()
    status = models.CharField(max_length=16)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.id} {self.status}"


class SandboxDispute(models.Model):
    """Amount in cents."""

    id = models.CharField(primary_key=True, max_length=60)
    payment = models.ForeignKey(SandboxPayment, models.CASCADE, related_name="disputes")
    amount = models.PositiveIntegerField()
    status = models.CharField(max_length=30)

    def __str__(self) -> str:
        return f"{self.id} {self.status}"


class SandboxKey(models.Model):
    """An idempotency key: the request it came with and the id of what that made."""

    key = models.CharField(primary_key=True, max_length=160)
    request = models.JSONField()
    made = models.CharField(max_length=60, blank=True)

    def __str__(self) -> str:
        return self.key


class SandboxEvent(models.Model):
    """An event to deliver to our own webhook, over HTTP, by worker or sweep."""

    id = models.CharField(primary_key=True, max_length=60)
    body = models.TextField()
    created_at = models.DateTimeField()
    next_try_at = models.DateTimeField(null=True)  # null: delivered, or given up
    delivered_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_try_at"], name="sandbox_event_waiting", condition=Q(next_try_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.id
