"""What stands above the overview: why something does not run, and what to do about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse

from accounts.models import Account, User
from billing import topups
from billing.money import usd, usd_balance
from billing.selectors import Funds


@dataclass(frozen=True, slots=True)
class Banner:
    """Shown by partials/_note.html. kind: info, warn or bad."""

    kind: str
    icon: str
    title: str
    body: str
    cta: str = ""
    href: str = ""


def banners(account: Account, funds: Funds, *, reader: User) -> list[Banner]:
    """The most serious first. Adding funds is offered to those who may."""
    return [*_stopped(account, funds, reader), *_payments(account, funds, reader)]


def _stopped(account: Account, funds: Funds, reader: User) -> Iterator[Banner]:
    zone = account.timezone
    add = ("Add funds", reverse("add_funds")) if reader.may("admin") else ("", "")
    if funds.staff_froze_at:
        body = (
            "We stopped chats, calls and ingestion on this account. Please write to us. Nothing is deleted."
        )
        yield Banner("bad", "snowflake", f"Spending is frozen since {told(funds.staff_froze_at, zone)}", body)
    elif funds.owner_froze_at:
        body = "The owner stopped chats, calls and ingestion. They resume when the owner lifts the freeze."
        yield Banner(
            "warn", "snowflake", f"Spending is frozen since {told(funds.owner_froze_at, zone)}", body
        )
    if funds.paid < 0:
        body = "A refund or a dispute took back more than was left. Everything new is refused until you add funds."
        yield Banner("bad", "pause", f"Your paid funds are {usd(-funds.paid)} below zero", body, *add)
    elif funds.depleted_at:
        since = told(funds.depleted_at, zone)
        body = f"The balance fell below one cent on {since}, {usd_balance(funds.balance)} is left. Nothing is deleted."
        body += " Everything resumes as soon as you add funds."
        yield Banner("bad", "pause", "Your agents are paused", body, *add)
    elif funds.refused_at:
        asked, left = usd(funds.refused_amount or funds.balance), usd_balance(funds.available)
        body = f"It was refused on {told(funds.refused_at, zone)}, and nothing was charged for it."
        yield Banner(
            "warn", "triangle-alert", f"A request for {asked} did not fit; {left} is available", body, *add
        )


def _payments(account: Account, funds: Funds, reader: User) -> Iterator[Banner]:
    on_its_way, confirm_at = topups.in_progress(account.id)
    if confirm_at and reader.may("admin"):
        body = "Your bank asks you to approve a payment. You have not been charged yet."
        yield Banner("warn", "shield-check", "Confirm your top-up", body, "Continue", confirm_at)
    elif on_its_way:
        yield Banner(
            "info",
            "clock",
            "A top-up is on its way",
            "The funds arrive by themselves, usually within seconds.",
        )
    if not settings.STRIPE_SECRET_KEY and not funds.paid:
        body = "Payments are rehearsed with test cards: no real money moves, and everything else works as it will."
        yield Banner("info", "info", "This is a sandbox", body)


def told(at: datetime, timezone: str) -> str:
    """`18 March at 15:42`."""
    local = at.astimezone(ZoneInfo(timezone))
    return f"{local.day} {local:%B} at {local:%H:%M}"
