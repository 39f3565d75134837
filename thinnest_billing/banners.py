"""What stands above the overview: why something does not run, and what to do about it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse

from accounts.models import Account, User
from alerts import selectors as alerts
from billing import auto_topup_wording as wording
from billing import topups
from billing.auto_due import Kind
from billing.auto_topup import Standing
from billing.models import TopUp
from billing.money import usd, usd_balance
from billing.selectors import Funds
from usage import phone_numbers, rent_wording
from usage.models import PhoneNumber

HOLDING_BACK = (Kind.STOPPED, Kind.RETRY, Kind.NO_CARD)
LIMITS = (Kind.COUNT_LIMIT, Kind.MONTH_LIMIT)
AT_WORK = (Kind.WATCHING, Kind.DUE, Kind.CHARGING)


@dataclass(frozen=True, slots=True)
class Banner:
    """Shown by partials/_note.html. kind: info, warn or bad."""

    kind: str
    icon: str
    title: str
    body: str
    cta: str = ""
    href: str = ""


def banners(
    account: Account,
    funds: Funds,
    standing: Standing,
    rented: list[PhoneNumber],
    *,
    reader: User,
    now: datetime,
) -> list[Banner]:
    """The most serious first. Each offers its next step to those who may take it."""
    return [
        *_stopped(account, funds, reader),
        *_numbers(account, rented, funds, now=now),
        *_low(account, funds, standing, reader),
        *_auto_topup(standing, reader, now=now),
        *_payments(account, reader),
        *_sandbox(funds),
    ]


def _stopped(account: Account, funds: Funds, reader: User) -> Iterator[Banner]:
    zone = account.timezone
    add = ("Add funds", reverse("add_funds")) if reader.may("admin") else ("", "")
    yield from _frozen(funds, zone, reader)
    if funds.paid < 0:
        body = "A refund or a dispute took back more than was left. Everything new is refused until you add funds."
        yield Banner("bad", "pause", f"Your paid funds are {usd(-funds.paid)} below zero", body, *add)
    elif funds.depleted_at:
        since = told(funds.depleted_at, zone)
        body = f"The balance fell below one cent on {since}; {usd_balance(funds.balance)} is left. Nothing is deleted."
        body += " Everything resumes as soon as you add funds."
        yield Banner("bad", "pause", "Your agents are paused", body, *add)
    elif funds.refused_at and funds.refused_amount:
        title = f"A request for {usd(funds.refused_amount)} did not fit; {usd_balance(funds.available)} is available"
        body = f"Since {told(funds.refused_at, zone)} what did not fit was refused, and nothing was charged for it."
        yield Banner("warn", "triangle-alert", title, body, *add)


def _low(account: Account, funds: Funds, standing: Standing, reader: User) -> Iterator[Banner]:
    """Below a balance alert of the account's, while nothing worse is told and auto-topup does not see to it."""
    is_worse = funds.frozen or funds.paid < 0 or funds.depleted_at or funds.refused_at
    bound = None if is_worse or standing.kind in AT_WORK else alerts.low_bound(account.id, funds.balance)
    if bound is not None:
        add = ("Add funds", reverse("add_funds")) if reader.may("admin") else ("", "")
        body = f"Your alert is set to {usd(bound)}. Add funds before it runs out."
        title = f"Your balance is low: {usd_balance(funds.balance)} is left"
        yield Banner("warn", "triangle-alert", title, body, *add)


def _frozen(funds: Funds, zone: str, reader: User) -> Iterator[Banner]:
    """The owner's freeze has its way out beside it, for the owner; ours is lifted only by us."""
    if funds.staff_froze_at:
        body = (
            "We stopped chats, calls and ingestion on this account. Please write to us. Nothing is deleted."
        )
        title = f"Spending has been frozen since {told(funds.staff_froze_at, zone)}"
        yield Banner("bad", "snowflake", title, body, "Write to us", f"mailto:{settings.SUPPORT_EMAIL}")
    elif funds.owner_froze_at:
        owner = reader.may("owner")
        lift = ("Lift the freeze", reverse("freeze")) if owner else ("", "")
        body = f"{'You' if owner else 'The owner'} stopped chats, calls and ingestion. Nothing is deleted."
        body += "" if owner else " They resume when the owner lifts the freeze."
        title = f"Spending has been frozen since {told(funds.owner_froze_at, zone)}"
        yield Banner("warn", "snowflake", title, body, *lift)


def _numbers(account: Account, rented: list[PhoneNumber], funds: Funds, *, now: datetime) -> Iterator[Banner]:
    """Phone numbers in their grace period, and those that are suspended."""
    runs = [phone_numbers.state_of(row, funds, now=now) for row in rented]
    for note in rent_wording.of_numbers(runs, timezone=account.timezone, now=now):
        yield Banner(note.kind, note.icon, note.title, note.body, "See numbers", reverse("phone_numbers"))


def _auto_topup(standing: Standing, reader: User, *, now: datetime) -> Iterator[Banner]:
    """What keeps auto-topup from doing its work, and the payment of its that waits for the card holder."""
    is_held_back = standing.kind in HOLDING_BACK or (standing.kind in LIMITS and standing.is_below)
    if standing.kind is not Kind.CONFIRM and not is_held_back:
        return
    next_step, cta = wording.next_step(standing, now=now), ("", "")
    if standing.kind is Kind.CONFIRM and standing.topup and reader.may("admin"):
        cta = ("Confirm", topups.page_url(standing.topup))
    elif is_held_back and reader.may("owner"):
        cta = ("Review auto-topup", reverse("auto_topup"))
    yield Banner(next_step.kind, next_step.icon, next_step.title, next_step.body, *cta)


def _payments(account: Account, reader: User) -> Iterator[Banner]:
    """What somebody began and what is on its way. What auto-topup wants confirmed has its own banner."""
    found = list(
        TopUp.objects.filter(account=account, next_look_at__isnull=False).order_by("-created_at")[:20]
    )
    waiting = [topup for topup in found if topup.status == TopUp.Status.REQUIRES_ACTION]
    mine = next((topup for topup in waiting if topup.origin != TopUp.Origin.AUTO), None)
    if mine and reader.may("admin"):
        body = "You have not been charged yet."
        title = f"Your top-up of {usd(mine.amount)} waits for you to confirm it"
        yield Banner("warn", "shield-check", title, body, "Continue", topups.page_url(mine))
    yield from _on_its_way(topup for topup in found if topup not in waiting)


def _on_its_way(moving: Iterable[TopUp]) -> Iterator[Banner]:
    for topup in list(moving)[:1]:
        who = "An automatic top-up" if topup.origin == TopUp.Origin.AUTO else "A top-up"
        body = "The funds arrive by themselves, usually within seconds."
        yield Banner("info", "clock", f"{who} of {usd(topup.amount)} is on its way", body)


def _sandbox(funds: Funds) -> Iterator[Banner]:
    if not settings.STRIPE_SECRET_KEY and not funds.paid:
        body = "Payments are rehearsed with test cards: no real money moves. Everything else works as it will later."
        yield Banner("info", "info", "This is a sandbox", body)


def told(at: datetime, timezone: str) -> str:
    """`18 March at 15:42`."""
    local = at.astimezone(ZoneInfo(timezone))
    return f"{local.day} {local:%B} at {local:%H:%M}"
