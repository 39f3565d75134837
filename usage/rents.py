"""The rent of phone numbers: 30 days at a time, all or nothing, in one transaction with the row it prolongs.

A rent that does not fit is looked at and left, not tried: it is no refused request, and the number has its grace.
"""

import hashlib
import logging
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import F, Min, QuerySet

from accounts.sweeps import while_there_is_time
from billing import depletions, ledger, selectors
from billing.models import Balance
from billing.selectors import Funds
from usage import metering, pricing, rate_card
from usage.agents import NOBODY, AgentRef
from usage.metering import Event
from usage.models import PhoneNumber, UsageType
from usage.pricing import Usage

PERIOD = timedelta(days=30)
GRACE = timedelta(days=7)
ONE = Usage(UsageType.NUMBER)
OURS = "☎"  # ends the event ids of rent; callers' are ASCII, so that none of them can take ours
log = logging.getLogger(__name__)


def price_at(at: datetime) -> Decimal:
    """Dollars for 30 days that begin at a moment."""
    return pricing.price(ONE, rate_card.fresh().rates_for(ONE, at))


def unpaid(*, now: datetime) -> QuerySet[PhoneNumber]:
    """Rented numbers whose time is over, the longest unpaid first."""
    return PhoneNumber.objects.filter(released_at=None, paid_until__lte=now).order_by("paid_until", "id")


def trouble_since(number: PhoneNumber, funds: Funds, *, now: datetime) -> datetime | None:
    """When the grace period began: the balance ran out or the rent was not paid, but not before a freeze ended."""
    unpaid_since = number.paid_until if number.paid_until <= now else None
    began = min(filter(None, (funds.depleted_at, unpaid_since)), default=None)
    if began is None or funds.frozen:
        return None
    return max(began, funds.unfrozen_at or began)


# --- Paying ---------------------------------------------------------------------------------------------------


def event_id(number: PhoneNumber) -> str:
    """One for each period, named by the end of the one before: no period is ever charged twice."""
    return f"{prefix(number.id)}{number.paid_until.isoformat()}{OURS}"


def prefix(number_id: UUID) -> str:
    return f"rent:{number_id}:"


def number_of(event_id: str) -> UUID:
    """Whose rent an event is."""
    return UUID(event_id.split(":")[1])


def pay(number: PhoneNumber, *, start: datetime, now: datetime) -> None:
    """Charge 30 days from `start` on and write until when the number is paid. Under the Balance lock, and it fits."""
    key = event_id(number)
    event = Event(
        key, hashlib.sha256(key.encode()).digest(), ONE,
        agent=AgentRef(id=number.agent_id) if number.agent_id else NOBODY, occurred_at=start, note=_note(number),
    )  # fmt: skip
    outcome = metering.record(number.account_id, event, now=now)
    if not outcome.is_recorded:
        raise RuntimeError(f"{key} was not recorded: {outcome.status}")
    number.paid_until = start + PERIOD
    number.save(update_fields=["paid_until"])


def _note(number: PhoneNumber) -> str:
    return f"Phone number ending {number.number[-4:]}, 30 days" if number.number else ""


def renew_account(account_id: UUID, *, now: datetime) -> int:
    """Try every unpaid rent of an account, the longest unpaid first; how many were paid. Repeatable at any time."""
    waiting = unpaid(now=now).filter(account_id=account_id).values_list("id", flat=True)
    return sum([_renew(account_id, number_id, now=now) for number_id in waiting])


@transaction.atomic
def _renew(account_id: UUID, number_id: UUID, *, now: datetime) -> bool:
    opened = ledger.look(account_id, now=now)
    number = unpaid(now=now).filter(pk=number_id).first()
    if number is None or opened.frozen:
        return False
    start = _start(number, selectors.balance_of(account_id), now=now)
    if price_at(start) > opened.free:
        return False
    pay(number, start=start, now=now)
    return True


def _start(number: PhoneNumber, funds: Funds, *, now: datetime) -> datetime:
    """In grace the new period follows the old one; after a freeze or a suspension it starts now."""
    was_frozen = funds.unfrozen_at is not None and funds.unfrozen_at > number.paid_until
    return now if was_frozen or _was_suspended(number, funds, now=now) else number.paid_until


def _was_suspended(number: PhoneNumber, funds: Funds, *, now: datetime) -> bool:
    """Whether the number was out of service at any time since its rent was due.

    The credit that pays has just ended the depletion, so the ledger is asked how long that had lasted.
    """
    if number.paid_until + GRACE <= now:
        return True
    depletion = depletions.lasting_at(number.account_id, number.paid_until)
    if depletion is None:
        return False
    began = max(depletion.since, funds.unfrozen_at or depletion.since)
    return (depletion.until or now) >= max(began + GRACE, number.paid_until)


def renew_due(*, now: datetime) -> None:
    """A step of the sweep: every account that could pay a rent, the longest unpaid first, the rest if one fails."""
    for account_id in while_there_is_time(_who_could_pay(now=now)):
        try:
            renew_account(account_id, now=now)
        except Exception:
            log.exception("The rent of %s failed", account_id)


def _who_could_pay(*, now: datetime) -> list[UUID]:
    """Left out is who has less than the lowest price there ever was: their numbers wait here for good."""
    cheapest = min(rate_card.fresh().rates["number.period"])
    balances = Balance.objects.filter(paid__gte=0, owner_froze_at=None, staff_froze_at=None)
    solvent = balances.alias(left=F("granted") + F("paid")).filter(left__gte=cheapest)
    found = unpaid(now=now).filter(account_id__in=solvent.values("account_id")).order_by()
    return list(
        found.values("account_id")
        .annotate(due=Min("paid_until"))
        .order_by("due")
        .values_list("account_id", flat=True)
    )
