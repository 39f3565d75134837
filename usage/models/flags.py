"""A member's question about a charge, and what staff answered."""

from django.db import models
from django.db.models import Q

from accounts import ids
from accounts.models import Account, User


class Flag(models.Model):
    """ "This charge looks wrong." One open flag a charge; answered once, by explaining or by reversing it.

    The words are personal data: they go when the account is erased.
    """

    class Outcome(models.TextChoices):
        OPEN = "open", "Open"
        EXPLAINED = "explained", "Explained"
        REVERSED = "reversed", "Reversed"

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    charge_id = models.UUIDField()
    text = models.CharField(max_length=500)
    flagged_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.OPEN)
    answer = models.CharField(max_length=500, blank=True)
    answered_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "charge_id"], name="one_open_flag", condition=Q(outcome="open")
            ),
            models.CheckConstraint(
                name="flag_answered",
                condition=Q(outcome="open", answered_at=None)
                | ~Q(outcome="open") & Q(answered_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["account", "charge_id"], name="flag_of_charge"),
            models.Index(fields=["created_at"], name="flag_open", condition=Q(outcome="open")),
        ]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()}: {self.text[:60]}"

    @property
    def public_id(self) -> str:
        return ids.public("flag", self.id)
