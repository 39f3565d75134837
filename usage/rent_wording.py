"""How trouble with phone numbers is told to a person: what happened, until when, and what to do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from billing.auto_topup_wording import when
from billing.money import usd
from usage import rents
from usage.models import PhoneNumber
from usage.rent_history import Coming
from usage.running import Run, RunState
from usage.wording import counted


@dataclass(frozen=True, slots=True)
class Told:
    """Shown by partials/_note.html. kind: warn or bad."""

    kind: str
    icon: str
    title: str
    body: str


def of_number(number: PhoneNumber, run: Run, *, timezone: str, now: datetime) -> Told | None:
    """Why one number is in trouble."""
    if run.state == RunState.GRACE and run.until:
        until = when(run.until, timezone=timezone, now=now)
        body = (
            f"{run.reason} The number works until {until}; after that it takes no calls. It is not deleted. "
        )
        return Told("warn", "clock", "In its grace period", body + "Add funds, and it goes on.")
    if run.state == RunState.SUSPENDED and run.since:
        since = when(run.since, timezone=timezone, now=now)
        body = f"{run.reason} It takes no calls and costs no rent, and it stays yours. Add funds, and it works again"
        due = number.paid_until <= now
        again = f"; 30 days for {usd(rents.price_at(now))} begin then." if due else "."
        return Told("bad", "pause", f"Suspended since {since}", body + again)
    return None


def of_numbers(runs: Iterable[Run], *, timezone: str, now: datetime) -> Iterator[Told]:
    """The same for all of an account's: those that are suspended first."""
    states = list(runs)
    suspended = sum(run.state == RunState.SUSPENDED for run in states)
    ends = [run.until for run in states if run.state == RunState.GRACE and run.until]
    if suspended:
        body = "No calls and no rent, and nothing is deleted. Add funds to bring back what is suspended."
        yield Told("bad", "pause", f"{counted(suspended, 'phone number')} {_is(suspended)} suspended", body)
    if ends:
        until = when(min(ends), timezone=timezone, now=now)
        body = f"Calls go on until {until}. Add funds before then, and nothing stops."
        grace = f"{_is(len(ends))} in {'its' if len(ends) == 1 else 'their'} grace period"
        yield Told("warn", "clock", f"{counted(len(ends), 'phone number')} {grace}", body)


def announcement(coming: Coming, *, timezone: str, now: datetime) -> str:
    """`Rent of $4.00 for 2 numbers is due by 26 November at 09:00.`"""
    by = when(coming.by, timezone=timezone, now=now)
    return f"Rent of {usd(coming.total)} for {counted(coming.numbers, 'number')} is due by {by}."


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
