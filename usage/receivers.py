"""What usage does when an account's money moved."""

from uuid import UUID

from django.dispatch import receiver

from accounts import afterwards
from billing.signals import billing_changed
from usage import rent_notices


@receiver(billing_changed)
def look_at_unpaid_rents(account_id: UUID, **_: object) -> None:
    """After every commit that moved money or a hold."""
    afterwards.soon(rent_notices.look, account_id)
