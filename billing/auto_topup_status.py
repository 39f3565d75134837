"""How the page of one top-up tells a payment of auto-topup: why, until when, and what follows from it."""

from dataclasses import replace
from datetime import datetime

from billing.auto_due import PATIENCE, Kind
from billing.auto_outcomes import EXPIRED
from billing.auto_topup import SUPERSEDED, Standing
from billing.auto_topup_wording import reason_of, when
from billing.models import TopUp
from billing.money import usd
from billing.topup_page import NOT_CHARGED, TopUpStatus

Status = TopUp.Status
CANCELS = "Canceling counts as a failed attempt: auto-topup stays on, and tries again after an hour or later."


def automatic(status: TopUpStatus, topup: TopUp, standing: Standing, *, now: datetime) -> TopUpStatus:
    """`status` is what would be told of any top-up in this state."""
    if topup.status == Status.SUCCEEDED:
        return replace(status, body=f"Your balance ran low, so auto-topup added this. {status.body}")
    if topup.status == Status.REQUIRES_ACTION:
        return _to_confirm(status, topup, now=now)
    if topup.status in (Status.FAILED, Status.CANCELED):
        return _ended(status, topup, standing, now=now)
    return replace(status, title=f"An automatic top-up of {usd(topup.amount)} is on its way")


def _to_confirm(status: TopUpStatus, topup: TopUp, *, now: datetime) -> TopUpStatus:
    if topup.failure_code == SUPERSEDED:
        body = f"This automatic top-up is not needed any more. {NOT_CHARGED}"
        return TopUpStatus("Being canceled", body, "loader-circle", waiting=True, facts=status.facts)
    until = when(topup.created_at + PATIENCE, timezone=topup.account.timezone, now=now)
    body = f"Your balance ran low, and your bank wants you to confirm this payment. You can until {until}."
    return replace(
        status,
        title=f"Confirm the automatic top-up of {usd(topup.amount)}",
        body=f"{body} You have not been charged yet.",
        confirm_label="Confirm with your bank",
        follows=CANCELS if status.cancels else "An admin or the owner of your account can confirm it.",
    )


def _ended(status: TopUpStatus, topup: TopUp, standing: Standing, *, now: datetime) -> TopUpStatus:
    is_latest = standing.topup is not None and standing.topup.pk == topup.pk
    return replace(
        status,
        title=_ending(topup),
        body=f"{reason_of(topup)} {NOT_CHARGED}",
        follows=_follows(standing, now=now) if is_latest else "",
        tries_again="Add funds" if standing.kind in (Kind.OFF, Kind.STOPPED) else "",
    )


def _ending(topup: TopUp) -> str:
    if topup.status == Status.CANCELED:
        return "The automatic top-up was canceled"
    if topup.failure_code == EXPIRED:
        return "The automatic top-up was not confirmed in time"
    return "The automatic top-up " + ("was declined" if topup.declined_at else "did not go through")


def _follows(standing: Standing, *, now: datetime) -> str:
    """What it means for auto-topup, and what to do."""
    if standing.kind is Kind.STOPPED:
        return "Auto-topup is off now because of this. The owner can turn it on again, with this card or another."
    if standing.kind is Kind.OFF or standing.auto is None:
        return "Auto-topup is off now."
    if standing.kind is Kind.RETRY and standing.at:
        again = when(standing.at, timezone=standing.auto.account.timezone, now=now)
        return f"Auto-topup stays on: if it is still needed, it tries again {again}."
    return "Auto-topup stays on."
