"""What runs on the balance without being an event: rented phone numbers and campaigns.

Nothing here says whether it runs. That is derived from these facts and the balance (usage/phone_numbers.py,
usage/campaigns.py), so a top-up brings everything back by itself and nothing is ever deleted for a low balance.
"""

from django.db import models
from django.db.models import Q

from accounts import ids
from accounts.models import Account
from usage.models.agents import Agent


def agent_reference() -> models.ForeignKey:
    return models.ForeignKey(Agent, models.PROTECT, null=True, db_constraint=False, related_name="+")


class PhoneNumber(models.Model):
    """A billing line. The platform provisions the number itself and tells it to us."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    agent = agent_reference()
    number = models.CharField(max_length=20, blank=True)  # +1…; empty while it is being set up
    rented_at = models.DateTimeField()
    rented_by = models.CharField(max_length=120)
    paid_until = models.DateTimeField()
    released_at = models.DateTimeField(null=True)
    released_by = models.CharField(max_length=120, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["account", "-rented_at"], name="number_of_account"),
            models.Index(fields=["paid_until"], name="number_rent_due", condition=Q(released_at=None)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["number"], name="one_live_number", condition=Q(released_at=None) & ~Q(number="")
            ),
        ]

    def __str__(self) -> str:
        return self.number or "Being set up"

    @property
    def public_id(self) -> str:
        return ids.public("num", self.id)


class Campaign(models.Model):
    """Calls that the platform places by itself once the owner has launched it, while the balance allows."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    agent = agent_reference()
    name = models.CharField(max_length=80)
    calls = models.PositiveIntegerField()  # planned, for the estimate
    seconds_per_call = models.PositiveIntegerField()  # expected, for the estimate
    created_at = models.DateTimeField()
    scheduled_at = models.DateTimeField(null=True)  # null: as soon as it is launched
    launched_at = models.DateTimeField(null=True)
    launched_by = models.CharField(max_length=120, blank=True)
    paused_by_owner_at = models.DateTimeField(null=True)
    resumed_at = models.DateTimeField(null=True)  # by its owner; what the balance does leaves no trace here
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["account", "-created_at"], name="campaign_of_account")]
        constraints = [
            models.CheckConstraint(
                condition=Q(finished_at=None) | Q(launched_at__isnull=False),
                name="campaign_finished_was_launched",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return ids.public("camp", self.id)
