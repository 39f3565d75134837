"""Erasing what is personal about accounts that were closed thirty days ago. The books stay, without names.

A step of the sweep. Every part may be repeated, and `erased_at` is written last: what is killed half-way is done again.
"""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts import closing
from accounts import erasure as people
from accounts.models import Account
from accounts.sweeps import while_there_is_time
from alerts import erasure as tellings
from billing import erasure as money
from billing import ledger
from billing.models import Balance
from billing.money import CENT
from usage import erasure as usage

log = logging.getLogger(__name__)


def due(*, now: datetime) -> QuerySet[Account]:
    """Closed long enough ago, and we owe them nothing: money that came late is paid back first."""
    closed = Account.objects.filter(closed_at__lte=now - closing.REGRET, erased_at=None)
    owed = Balance.objects.filter(paid__gte=CENT).values("account_id")
    return closed.exclude(pk__in=owed).order_by("closed_at", "pk")


def erase_due(*, now: datetime) -> list[UUID]:
    """Erase every account that is due, the rest too when one fails; which were."""
    done = []
    for account in while_there_is_time(due(now=now)):
        try:
            erase(account, now=now)
            done.append(account.pk)
        except Exception:
            log.exception("What is personal about %s could not be erased", account.public_id)
    return done


def erase(account: Account, *, now: datetime) -> None:
    """One account, which must be due."""
    usage.erase_notes(account.pk)
    with transaction.atomic():
        ledger.lock(account.pk)
        if not due(now=now).filter(pk=account.pk).exists():  # opened again meanwhile
            return
        addresses = people.addresses_of(account)
        usage.erase(account.pk)
        tellings.erase(account.pk)
        money.erase(account.pk, addresses)
        people.erase(account, addresses)
        Account.objects.filter(pk=account.pk).update(erased_at=now)
