"""Phone numbers as billing lines: rented, provisioned by the platform, released by the owner and nobody else.

Whether one works is derived from `paid_until` and the balance at the moment of asking, so a top-up brings it back
by itself and nothing is ever deleted for a low balance. Its rent is in usage/rents.py.
"""

import re
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts import ids
from accounts.errors import Invalid, NotFound, Problem
from billing import ledger, selectors
from billing.errors import FormReused, InsufficientBalance, PaidBalanceRequired, SpendingFrozen
from billing.money import usd, usd_balance
from billing.selectors import Funds
from usage import agents, rents
from usage.agents import AgentRef
from usage.models import PhoneNumber
from usage.rents import renew_account, renew_due
from usage.running import Run, RunState

__all__ = ["find", "provision", "release", "renew_account", "renew_due", "rent", "rented", "state_of"]
E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class Why(StrEnum):
    """What a number is in trouble for. Both at once: the balance."""

    BALANCE = "balance"
    RENT = "rent"


REASONS = {Why.BALANCE: "The balance ran out.", Why.RENT: "Its rent is not paid."}


class NumberNotFound(NotFound):
    """The account has no phone number with this id."""

    code = "phone_number_not_found"
    title = "There is no such phone number."


class NumberAlreadySet(Problem):
    """This phone number was set up before with other digits, or was released meanwhile. It stays as it is."""

    status = 409
    code = "phone_number_already_set"
    title = "This phone number cannot be set up like that."


class NumberTaken(Problem):
    """Another phone number that is still rented has these digits. This one was not set up."""

    status = 409
    code = "phone_number_taken"
    title = "Another rented number has these digits."

    def __init__(self) -> None:
        super().__init__(
            "Nothing was changed. Report the digits that this number has; once the other one is released, its digits "
            "are free again."
        )


def rented(account_id: UUID) -> QuerySet[PhoneNumber]:
    """The account's numbers that are not released, newest first."""
    return PhoneNumber.objects.filter(account_id=account_id, released_at=None).order_by("-rented_at", "-id")


def find(account_id: UUID, public_id: str) -> PhoneNumber:
    """A number of the account by its `num_…`, released ones too. Raises NumberNotFound, also for somebody else's."""
    number_id = ids.parse("num", public_id)
    found = PhoneNumber.objects.filter(account_id=account_id, pk=number_id).first() if number_id else None
    if found is None:
        raise NumberNotFound("There is no such phone number on this account.")
    return found


def why(number: PhoneNumber, funds: Funds, *, now: datetime) -> Why | None:
    """What a number that is not released is in trouble for; None while it is in none."""
    if number.released_at or rents.trouble_since(number, funds, now=now) is None:
        return None
    return Why.BALANCE if funds.depleted_at else Why.RENT


def shown_as(number: PhoneNumber, run: Run) -> Run:
    """Its state for whoever looks: what is well but has no digits yet is being set up."""
    is_waiting = run.state == RunState.ACTIVE and not number.number
    return replace(run, state=RunState.BEING_SET_UP) if is_waiting else run


def state_of(number: PhoneNumber, funds: Funds, *, now: datetime) -> Run:
    """active, grace (until = seven days after its beginning) or suspended; finished once it was released."""
    if number.released_at:
        return Run(RunState.FINISHED, "Released by the owner.", since=number.released_at)
    since, cause = rents.trouble_since(number, funds, now=now), why(number, funds, now=now)
    if since is None or cause is None:
        return Run(RunState.ACTIVE)
    reason = REASONS[cause]
    ends_at = since + rents.GRACE
    if now < ends_at:
        return Run(RunState.GRACE, reason, since=since, until=ends_at)
    return Run(RunState.SUSPENDED, reason, since=ends_at)


@transaction.atomic
def rent(
    account_id: UUID, *, agent: AgentRef, actor: str, now: datetime, number_id: UUID | None = None
) -> PhoneNumber:
    """Rent a number and charge its first 30 days at once, or do nothing. The same `number_id` again is one number.

    Raises FormReused, SpendingFrozen, PaidBalanceRequired, InsufficientBalance, AgentNotFound, TooManyAgents.
    """
    opened = ledger.look(account_id, now=now)
    seen = PhoneNumber.objects.filter(pk=number_id).first() if number_id else None
    if seen is not None and seen.account_id != account_id:
        raise FormReused("This form was used elsewhere. Nothing was rented; open the page again.")
    if seen is not None:
        return seen
    _check_funds(account_id, opened, now=now)
    number = PhoneNumber.objects.create(
        id=number_id or ids.uuid7(), account_id=account_id, agent_id=agents.resolve(account_id, agent),
        rented_at=now, rented_by=actor, paid_until=now,
    )  # fmt: skip
    rents.pay(number, start=now, now=now)
    return number


def _check_funds(account_id: UUID, opened: ledger.Opened, *, now: datetime) -> None:
    if opened.frozen:
        raise SpendingFrozen(
            "Spending is frozen on this account. No number was rented; lift the freeze first."
        )
    if not selectors.has_paid_balance(account_id):
        raise PaidBalanceRequired("A number needs a paid balance. Nothing was rented.")
    price = rents.price_at(now)
    if price > opened.free:
        raise InsufficientBalance(
            f"The first 30 days cost {usd(price)}, and {usd_balance(opened.free)} is available. "
            "No number was rented and nothing was charged; add funds first."
        )


@transaction.atomic
def release(account_id: UUID, number_id: UUID, *, actor: str, now: datetime) -> PhoneNumber:
    """Give a number up for good; its owner alone may. Repeatable. Raises NumberNotFound."""
    ledger.lock(account_id)
    number = find(account_id, ids.public("num", number_id))
    if number.released_at is None:
        number.released_at, number.released_by = now, actor
        number.save(update_fields=["released_at", "released_by"])
    return number


def provision(number: PhoneNumber, digits: str) -> PhoneNumber:
    """The platform has set the number up: `+` and its digits. Repeatable.

    Raises Invalid, NumberTaken and NumberAlreadySet.
    """
    if not E164.fullmatch(digits):
        raise Invalid.at("/number", "Send the number as + and 7 to 15 digits, such as +12025550123.")
    waiting = PhoneNumber.objects.filter(pk=number.pk, number="", released_at=None)
    try:
        with transaction.atomic():
            waiting.update(number=digits)
    except IntegrityError:
        raise NumberTaken from None
    number.refresh_from_db()
    if number.number != digits:
        now_it_is = f"It is {number} already." if number.number else "It was released by its owner."
        raise NumberAlreadySet(
            f"{now_it_is} Nothing was changed. GET /billing/v3/phone-numbers lists what waits."
        )
    return number
