"""Flags: a member asks about a charge, and staff answer once, by explaining it or by giving it back.

What was answered is told by alerts/flag_facts.py, which reads the rows: nothing is told from here.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts import ids, staff_acts
from accounts.errors import Invalid, Problem
from accounts.models import User
from accounts.text import is_visible
from billing import ledger, notices
from billing.staff import NotYourOwn
from usage import reversals
from usage.models import Charge, Flag
from usage.reversals import ChargeNotFound

LONGEST = 500  # characters, of a question and of its answer
TO_ANSWER, TO_REVERSE = "usage.change_flag", "usage.change_charge"
TOLD = ("billing", "support")  # groups of staff
Outcome = Flag.Outcome


class ChargeReversed(Problem):
    """The charge was given back before."""

    status = 409
    code = "charge_reversed"
    title = "This charge was given back already."


class FlagAnswered(Problem):
    """A flag is answered once, and taken back only while it is open."""

    status = 409
    code = "flag_answered"
    title = "This flag was answered already."


class MayNotAnswer(Problem):
    """Support answers flags; whoever reverses a charge needs the right to reverse charges."""

    status = 403
    code = "may_not_answer"
    title = "You may not answer this flag."


def flag(account_id: UUID, charge: Charge, *, by: User, text: str, now: datetime) -> Flag:
    """Ask staff about a charge. While a flag of it is open, again gives that one, unchanged.

    Raises ChargeNotFound for a reversal or somebody else's, ChargeReversed, Invalid.
    """
    text = _checked(text, "Say what looks wrong")
    if charge.account_id != account_id or charge.reverses is not None:
        raise ChargeNotFound("Nothing was flagged. Choose a charge of this account that is no reversal.")
    with transaction.atomic():
        ledger.lock(account_id)
        found = of_charge(charge).filter(outcome=Outcome.OPEN).first()
        return found or _open(charge, by=by, text=text, now=now)


def _open(charge: Charge, *, by: User, text: str, now: datetime) -> Flag:
    if Charge.objects.filter(account_id=charge.account_id, reverses=charge.pk).exists():
        raise ChargeReversed("Nothing was flagged: the money is on the balance again.")
    made = Flag.objects.create(
        account_id=charge.account_id, charge_id=charge.pk, text=text, flagged_by=by, created_at=now
    )
    words = f"A customer asks about the charge {charge.public_id}. Answer under Flags ({made.public_id})."
    notices.tell_staff(_key(made), words, account_id=charge.account_id, groups=TOLD, now=now)
    return made


def answer(flag: Flag, *, staff: User, outcome: str, text: str, now: datetime) -> Flag:
    """Answer an open flag, once: `explained`, or `reversed`, which gives the charge back in the same transaction.

    Recorded as an act of staff. Raises NotYourOwn, MayNotAnswer, FlagAnswered, Invalid.
    """
    text, outcome = _checked(text, "Write the answer"), Outcome(outcome)
    _allow(flag, outcome, staff)
    with transaction.atomic():
        ledger.lock(flag.account_id)
        still_open = Flag.objects.filter(pk=flag.pk, outcome=Outcome.OPEN)
        if not still_open.update(outcome=outcome, answer=text, answered_by=staff, answered_at=now):
            raise FlagAnswered("Your answer was not saved. Look at the flag again.")
        if outcome == Outcome.REVERSED:
            _reverse(flag, staff=staff, now=now)
        notices.settle(_key(flag), by=staff.public_id, now=now)
        details = {"charge": ids.public("bill", flag.charge_id), "outcome": outcome.value}
        staff_acts.record(
            staff, "answer flag", account_id=flag.account_id, target=flag.public_id, details=details, now=now
        )
    flag.refresh_from_db()
    return flag


def _reverse(flag: Flag, *, staff: User, now: datetime) -> None:
    """The reason stays on the ledger for good, so it names the flag and repeats nobody's words."""
    reason = f"After a question about it ({flag.public_id})"
    reversals.reverse(flag.account_id, flag.charge_id, actor=staff.public_id, reason=reason, now=now)


def _allow(flag: Flag, outcome: Flag.Outcome, staff: User) -> None:
    if outcome == Outcome.OPEN:
        raise Invalid.at("/outcome", "Explain the charge, or reverse it.")
    if staff.account_id == flag.account_id:
        raise NotYourOwn("The flag was not answered. Ask a colleague.")
    needed = TO_REVERSE if outcome == Outcome.REVERSED else TO_ANSWER
    if not (staff.is_active and staff.is_staff and staff.has_perm(needed)):
        raise MayNotAnswer("Nothing was changed. Ask a colleague who may, or a superuser.")


def withdraw(flag: Flag, *, by: User, now: datetime) -> None:
    """Take back an open flag: it is gone as if it had never been. Raises FlagAnswered."""
    with transaction.atomic():
        ledger.lock(flag.account_id)
        if not Flag.objects.filter(pk=flag.pk, outcome=Outcome.OPEN).delete()[0]:
            raise FlagAnswered("It was not withdrawn. The answer is on the record.")
        notices.settle(_key(flag), by=by.public_id, now=now)


def open_flags() -> QuerySet[Flag]:
    """Of all accounts, the one that waits longest first."""
    return Flag.objects.filter(outcome=Outcome.OPEN).order_by("created_at", "id")


def of_charge(charge: Charge) -> QuerySet[Flag]:
    """Every flag of one charge, the newest first."""
    found = Flag.objects.filter(account_id=charge.account_id, charge_id=charge.pk)
    return found.order_by("-created_at", "-id")


def _checked(text: str, ask: str) -> str:
    text = text.strip()
    if "\0" in text or not is_visible(text) or len(text) > LONGEST:
        raise Invalid.at("/text", f"{ask}, in 1 to {LONGEST} characters.")
    return text


def _key(flag: Flag) -> str:
    return f"flag:{flag.public_id}"
