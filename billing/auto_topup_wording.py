"""How auto-topup is told to a person: what it does next, or why not; and what became of each of its payments."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings

from billing.auto_due import Kind
from billing.auto_outcomes import EXPIRED
from billing.auto_topup import SUPERSEDED, Standing
from billing.declines import sentence_of
from billing.models import AutoTopup, TopUp
from billing.money import ZERO, usd, usd_balance

Stopped = AutoTopup.Stopped
STOPPED = {
    Stopped.DECLINED: "The bank declined the card for good.",
    Stopped.DECLINED_REPEATEDLY: "The bank declined the card four times in a row.",
    Stopped.CONFIRMATION_EXPIRED: "The bank wanted you to confirm a payment, and it was not confirmed in time.",
    Stopped.CARD_REMOVED: "Its card was removed.",
    Stopped.REFUNDED: "A top-up was refunded, and it would have charged your card again at once.",
    Stopped.DISPUTED: "A payment of yours was disputed with the bank.",
}
UNTIL_THEN = "You can add funds yourself at any time."
HOURS = 48  # up to here a span is told in hours


@dataclass(frozen=True, slots=True)
class Told:
    """Shown by partials/_note.html. kind: ok, info, warn or bad."""

    kind: str
    icon: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Past:
    """A payment that auto-topup made, as a line of a list."""

    topup: TopUp
    status: str
    kind: str  # ok, warn, bad or nothing
    icon: str
    why: str


@dataclass(frozen=True, slots=True)
class _Facts:
    """A standing of an account that once saved auto-topup, with the clock of its reader."""

    standing: Standing
    auto: AutoTopup
    now: datetime

    def when(self, at: datetime | None) -> str:
        return when(at, timezone=self.auto.account.timezone, now=self.now) if at else "later"

    @property
    def amount(self) -> str:
        """Of the payment that is meant, or of the next one."""
        topup = self.standing.topup
        return usd(topup.amount if topup and topup.is_open else self.auto.amount)

    @property
    def why(self) -> str:
        topup = self.standing.topup
        return reason_of(topup) if topup else ""


def next_step(standing: Standing, *, now: datetime) -> Told:
    """What happens next, or why nothing does: always something."""
    if standing.auto is None or standing.kind is Kind.OFF:
        return Told("info", "info", "Auto-topup is off", "No card is charged automatically.")
    return _TELL[standing.kind](_Facts(standing, standing.auto, now))


def _stopped(facts: _Facts) -> Told:
    title = f"Auto-topup has been off since {facts.when(facts.auto.stopped_at)}"
    body = f"{why_stopped(facts.auto)} No card is charged automatically until the owner turns it on again."
    return Told("bad", "circle-alert", title, body)


def _charging(facts: _Facts) -> Told:
    body = f"We asked the bank {facts.when(facts.standing.at)}. The funds arrive by themselves."
    return Told("info", "clock", f"An automatic top-up of {facts.amount} is on its way", body)


def _confirm(facts: _Facts) -> Told:
    title = f"Your bank wants you to confirm the automatic top-up of {facts.amount}"
    body = f"You can until {facts.when(facts.standing.at)}. You have not been charged yet, and nothing else is tried."
    return Told("warn", "shield-check", title, body)


def _frozen(facts: _Facts) -> Told:
    body = "No card is charged while spending is frozen. Auto-topup resumes by itself after that."
    return Told("warn", "snowflake", "Auto-topup waits: spending is frozen", body)


def _below_zero(facts: _Facts) -> Told:
    body = "A refund or a dispute took back more than was left. No card is charged automatically until you add funds."
    return Told("warn", "pause", "Auto-topup waits: your paid funds are below zero", body)


def _no_card(facts: _Facts) -> Told:
    return Told("bad", "circle-alert", "Its card is no longer saved", "Choose another card and save.")


def _retry(facts: _Facts) -> Told:
    title = f"The automatic top-up of {facts.amount} did not go through"
    again = facts.when(facts.standing.at)
    body = f"{facts.why} You have not been charged. If it is still needed, we try again {again}."
    return Told("warn", "triangle-alert", title, body.strip())


def _count_limit(facts: _Facts) -> Told:
    title = f"{settings.AUTO_TOPUPS_PER_DAY} automatic top-ups in 24 hours"
    body = (
        f"We make no more than that. The next one is possible {facts.when(facts.standing.at)}. {UNTIL_THEN}"
    )
    return Told("warn", "triangle-alert", title, body)


def _month_limit(facts: _Facts) -> Told:
    used, until = usd(facts.standing.used_this_month), facts.when(facts.standing.at)
    body = f"There is no room for another {facts.amount}, so no card is charged until {until}. {UNTIL_THEN}"
    title = f"{used} of your monthly limit of {usd(facts.auto.monthly_limit)} used"
    return Told("warn", "triangle-alert", title, body)


def _watching(facts: _Facts) -> Told:
    title = f"Next top-up: when less than {usd(facts.auto.threshold)} is available"
    left = usd_balance(facts.standing.available)
    body = f"{left} is available now. Then we add {facts.amount} from {facts.standing.card}."
    return Told("ok", "circle-check", title, body)


def _due(facts: _Facts) -> Told:
    left, threshold = usd_balance(facts.standing.available), usd(facts.auto.threshold)
    body = f"{left} is available, less than {threshold}. {facts.standing.card} is charged within a minute."
    return Told("info", "clock", f"{facts.amount} is being added now", body)


_TELL: dict[Kind, Callable[[_Facts], Told]] = {
    Kind.STOPPED: _stopped,
    Kind.CHARGING: _charging,
    Kind.CONFIRM: _confirm,
    Kind.FROZEN: _frozen,
    Kind.BELOW_ZERO: _below_zero,
    Kind.NO_CARD: _no_card,
    Kind.RETRY: _retry,
    Kind.COUNT_LIMIT: _count_limit,
    Kind.MONTH_LIMIT: _month_limit,
    Kind.WATCHING: _watching,
    Kind.DUE: _due,
}


def why_stopped(auto: AutoTopup) -> str:
    """Why we switched it off; nothing if we did not."""
    return STOPPED[Stopped(auto.stopped_reason)] if auto.stopped_reason else ""


# --- Its payments ---------------------------------------------------------------------------------------------


def past(topup: TopUp) -> Past:
    label, kind, icon = _STATUS[TopUp.Status(topup.status)]
    return Past(topup, label, kind, icon, reason_of(topup))


_STATUS = {
    TopUp.Status.SUCCEEDED: ("Added", "ok", "check"),
    TopUp.Status.FAILED: ("Failed", "bad", "x"),
    TopUp.Status.CANCELED: ("Canceled", "", "x"),
    TopUp.Status.REQUIRES_ACTION: ("To confirm", "warn", "shield-check"),
    TopUp.Status.CREATED: ("On its way", "", "clock"),
    TopUp.Status.UNKNOWN: ("On its way", "", "clock"),
    TopUp.Status.PROCESSING: ("On its way", "", "clock"),
}


def reason_of(topup: TopUp) -> str:
    """Why a payment of auto-topup ended without money; nothing while it is open or when it came in."""
    if topup.is_open or topup.status == TopUp.Status.SUCCEEDED:
        return ""
    if topup.failure_code == EXPIRED:
        return "It was not confirmed with the bank in time."
    if topup.failure_code == SUPERSEDED:
        return "It was not needed any more."
    if topup.status == TopUp.Status.CANCELED:
        return "It was canceled before the bank confirmed it."
    return sentence_of(topup)


# --- Times and spans ------------------------------------------------------------------------------------------


def when(at: datetime, *, timezone: str, now: datetime) -> str:
    """`today at 14:05`, `tomorrow at 14:05`, `1 December at 00:00`: where the account is."""
    local, today = at.astimezone(ZoneInfo(timezone)), now.astimezone(ZoneInfo(timezone)).date()
    names = {today: "today", today + timedelta(days=1): "tomorrow", today - timedelta(days=1): "yesterday"}
    return f"{names.get(local.date(), f'{local.day} {local:%B}')} at {local:%H:%M}"


def lasts(amount: Decimal, pace: Decimal | None) -> str:
    """How long dollars last at `pace` dollars a day: `about 47 hours`; nothing where nothing was spent."""
    if not pace or pace <= ZERO:
        return ""
    hours = int(amount / pace * 24)
    if hours < 1:
        return "less than an hour"
    number, unit = (hours, "hour") if hours <= HOURS else (hours // 24, "day")
    return f"about {number:,} {unit}{'s' if number > 1 else ''}"
