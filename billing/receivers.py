"""What billing does when an account is born."""

from datetime import datetime
from uuid import UUID

from django.dispatch import receiver

from accounts.signals import account_opened
from billing import grants, ledger


@receiver(account_opened)
def open_the_balance(account_id: UUID, now: datetime, **_: object) -> None:
    ledger.open_balance(account_id, now=now)
    grants.grant_trial(account_id, now=now)
