"""Agents: what usage is counted under."""

from django.db import models

from accounts import ids
from billing.models.ledger import account_reference


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
