"""What rents cost so far, and what is due soon: for the pages."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Q, QuerySet

from billing.money import ZERO
from billing.selectors import Funds
from usage import charges, rents
from usage.models import Charge, PhoneNumber, UsageType
from usage.periods import Period

ANNOUNCED = timedelta(days=3)  # before a rent is due


@dataclass(frozen=True, slots=True)
class Coming:
    """Rents that will be charged within three days: how many, how many dollars together, and by when."""

    numbers: int
    total: Decimal
    by: datetime


def coming(rented: Iterable[PhoneNumber], funds: Funds, *, now: datetime) -> Coming | None:
    """What is announced beside the balance. Nothing for numbers out of service, and nothing during a freeze."""
    soon = [number for number in rented if now < number.paid_until <= now + ANNOUNCED]
    due = [number.paid_until for number in soon if not is_suspended(number, funds, now=now)]
    if not due or funds.frozen:
        return None
    return Coming(len(due), sum((rents.price_at(at) for at in due), ZERO), max(due))


def is_suspended(number: PhoneNumber, funds: Funds, *, now: datetime) -> bool:
    since = rents.trouble_since(number, funds, now=now)
    return since is not None and now - since >= rents.GRACE


def history(number: PhoneNumber) -> QuerySet[Charge]:
    """What the number has cost, newest first: its rents, and those that were reversed once more."""
    own = Charge.objects.filter(account_id=number.account_id, type=UsageType.NUMBER)
    of_number = own.filter(event_id__startswith=rents.prefix(number.id)).values("id")
    return own.filter(Q(id__in=of_number) | Q(reverses__in=of_number)).order_by("-recorded_at")


def spent(account_id: UUID, period: Period) -> dict[UUID, Decimal]:
    """The rent of each number in a period, exactly; what was given back is taken off."""
    own = Charge.objects.filter(account_id=account_id, type=UsageType.NUMBER)
    found = list(charges.within(own, period.first, period.last).values_list("event_id", "cost", "reverses"))
    reversed_ids = [original for _, _, original in found if original]
    event_of = dict(own.filter(id__in=reversed_ids).values_list("id", "event_id"))
    amounts: dict[UUID, Decimal] = defaultdict(Decimal)
    for event_id, cost, original in found:
        amounts[rents.number_of(event_of[original] if original else event_id)] += cost
    return amounts
