"""Closing an account: nothing may be left to settle, and nothing may begin beside it.

All of it happens in one transaction under the account's Balance lock; what begins a hold, a top-up or a rent takes the
same lock and looks again. Cards are removed at the processor after the commit.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction

from accounts import closing as people_closing
from accounts import mail, members, staff_acts
from accounts.access import NEEDED
from accounts.models import Account, User
from accounts.nudges import nudge
from alerts.models import Rule
from billing import closing as money_closing
from billing import ledger
from billing.closing import Hindrance
from usage import closing as usage_closing


class StillNeeded(Exception):
    """Nothing was closed: this must be settled first."""

    def __init__(self, hindrances: list[Hindrance]) -> None:
        super().__init__("; ".join(hindrance.title for hindrance in hindrances))
        self.hindrances = hindrances


def hindrances(account_id: UUID, *, now: datetime) -> list[Hindrance]:
    """Everything that stands in the way, each with its next step."""
    return [*money_closing.hindrances(account_id, now=now), *usage_closing.hindrances(account_id)]


def close(account_id: UUID, *, by: User, now: datetime) -> None:
    """For good, as far as its members go. Raises StillNeeded. Again changes nothing."""
    with transaction.atomic(durable=True):
        ledger.look(account_id)
        account = members.lock(account_id)
        if account.closed_at is not None:
            return
        if not members.of_account(account_id).filter(pk=by.pk, role=User.Role.OWNER).exists():
            raise PermissionDenied(NEEDED["owner"])
        found = hindrances(account_id, now=now)
        if found:
            raise StillNeeded(found)
        _end(account, by=by, now=now)
        transaction.on_commit(_detach_soon, robust=True)


def _end(account: Account, *, by: User, now: datetime) -> None:
    money_closing.close(account.id)
    usage_closing.close(account.id, now=now)
    Rule.objects.filter(account=account).delete()
    people_closing.close(account.id, now=now)
    facts = {"account": account, "by": by.email, "at": now, "until": now + people_closing.REGRET}
    facts["support"] = settings.SUPPORT_EMAIL
    for member in members.of_account(account.id):
        mail.send(member.email, "account_closed", facts, user=member, now=now)


def _detach_soon() -> None:
    from thinnest_billing.tasks import detach_cards  # the tasks import the sweep, which imports this

    nudge(detach_cards)


def reopen(account_id: UUID, *, staff: User | None, reason: str, now: datetime) -> bool:
    """Staff let its members in again; False when it is not closed, or too long ago. Keys, cards and rules stay gone."""
    with transaction.atomic():
        ledger.lock(account_id)
        if not people_closing.reopen(account_id, now=now):
            return False
        ledger.freeze(account_id, by="staff", frozen=False, now=now)  # closing froze it; staff had not before
        target = Account.objects.get(pk=account_id).public_id
        staff_acts.record(
            staff, "reopen account", account_id=account_id, target=target, reason=reason, now=now
        )
    return True
