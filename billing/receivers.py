"""What billing does when an account is born."""

from uuid import UUID

from django.dispatch import receiver

from accounts.models import Account
from accounts.signals import account_opened
from billing import grants, ledger


@receiver(account_opened)
def open_the_balance(account_id: UUID, **_: object) -> None:
    """The account's birthday is its first moment on the ledger."""
    born_at = Account.objects.values_list("opened_at", flat=True).get(id=account_id)
    assert born_at is not None, "the signal says that the account is open"
    ledger.open_balance(account_id, now=born_at)
    grants.grant_trial(account_id, now=born_at)
