"""What billing does when an account is born, and when its money moved."""

from uuid import UUID

from django.dispatch import receiver

from accounts import afterwards
from accounts.models import Account
from accounts.signals import account_opened
from billing import crossings, grants, ledger
from billing.signals import billing_changed


@receiver(account_opened)
def open_the_balance(account_id: UUID, **_: object) -> None:
    """The account's birthday is its first moment on the ledger."""
    born_at = Account.objects.values_list("opened_at", flat=True).get(id=account_id)
    assert born_at is not None, "the signal says that the account is open"
    ledger.open_balance(account_id, now=born_at)
    grants.grant_trial(account_id, now=born_at)


@receiver(billing_changed)
def look_at_auto_topup(account_id: UUID, **_: object) -> None:
    """After every commit that moved money or a hold."""
    afterwards.soon(crossings.look, account_id)
