"""What alerts do when an account is born, and when its money moved."""

from uuid import UUID

from django.dispatch import receiver

from accounts import afterwards
from accounts.models import Account
from accounts.signals import account_opened
from alerts import noticing, rules, watched
from billing.signals import billing_changed


@receiver(account_opened)
def give_the_first_rule(account_id: UUID, **_: object) -> None:
    """In the same transaction: no account is without it until its owner says so."""
    born_at = Account.objects.values_list("opened_at", flat=True).get(id=account_id)
    assert born_at is not None, "the signal says that the account is open"
    rules.give_first(account_id, now=born_at)
    watched.begin(account_id, now=born_at)


@receiver(billing_changed)
def look_for_news(account_id: UUID, **_: object) -> None:
    """After every commit that moved money or a hold, and every refusal."""
    afterwards.soon(noticing.look, account_id)
