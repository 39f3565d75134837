"""Every email about money: to the owners of an account, written in the transaction that causes it.

The sentences are in templates/emails/; the facts below them are gathered here, the same for text and HTML.
"""

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse

from accounts import mail
from accounts.models import Account, User
from billing.declines import sentence_of
from billing.models import AutoTopup, LedgerEntry, Refund, TopUp
from billing.money import usd, usd_balance
from billing.selectors import balance_of

CONFIRM_WITHIN = timedelta(hours=23)
Facts = list[tuple[str, str]]


def topup_added(topup: TopUp, *, now: datetime) -> None:
    """Money arrived. Call it once its credit is posted: the letter tells the balance after it."""
    auto = _auto(topup.account_id) if topup.origin == TopUp.Origin.AUTO else None
    context = {"topup": topup, "auto": auto, "amount": usd(topup.credited), "url": _topup_url(topup)}
    facts = [*_paid(topup), ("Balance after", _balance_after(topup)), ("Receipt", topup.public_id)]
    _write(topup.account_id, "topup_added", context | {"facts": facts}, now=now)


def auto_topup_on(auto: AutoTopup, *, now: datetime) -> None:
    """The owner agreed to be charged by themselves: what they agreed to."""
    facts = [
        ("When your balance falls below", usd(auto.threshold)),
        ("We charge", usd(auto.amount)),
        ("At most in a month", usd(auto.monthly_limit)),
    ]
    context = {"auto": auto, "amount": usd(auto.amount), "facts": facts, "url": _auto_url()}
    _write(auto.account_id, "auto_topup_on", context, now=now)


def auto_topup_failed(topup: TopUp, *, next_attempt_at: datetime, now: datetime) -> None:
    """A soft decline: the card is tried again by itself."""
    context = {"amount": usd(topup.amount), "why": sentence_of(topup), "url": _auto_url()}
    facts = [("Amount", usd(topup.amount)), *_card(topup), ("Next attempt", _when(topup, next_attempt_at))]
    _write(topup.account_id, "auto_topup_failed", context | {"facts": facts}, now=now)


def auto_topup_stopped(account_id: UUID, *, reason: str, topup: TopUp | None, now: datetime) -> None:
    """It is off until its owner turns it on again. `reason`: one of AutoTopup.Stopped."""
    context = {"reason": reason, "why": sentence_of(topup) if topup else "", "url": _auto_url()}
    facts = [("Amount", usd(topup.amount)), *_card(topup), ("Reference", topup.public_id)] if topup else []
    _write(account_id, "auto_topup_stopped", context | {"facts": facts}, now=now)


def auto_topup_limited(auto: AutoTopup, *, limit: str, now: datetime) -> None:
    """It rests and resumes by itself. `limit`: "count" (in 24 hours) or "month"."""
    context = {"auto": auto, "limit": limit, "facts": [], "url": _auto_url()}
    _write(auto.account_id, "auto_topup_limited", context, now=now)


def confirm_payment(topup: TopUp, *, now: datetime) -> None:
    """The bank wants the card holder to approve a payment made without them."""
    until = _when(topup, topup.created_at + CONFIRM_WITHIN)
    facts = [("Amount", usd(topup.amount)), *_card(topup), ("Confirm until", until)]
    context = {"amount": usd(topup.amount), "until": until, "facts": facts, "url": _topup_url(topup)}
    _write(topup.account_id, "confirm_payment", context, now=now)


def refunded(refund: Refund, *, now: datetime) -> None:
    """Money is on its way back to the card. Call it once the refund is posted."""
    _write(refund.account_id, "refunded", _refund(refund), now=now)


def refund_failed(refund: Refund, *, now: datetime) -> None:
    """The processor or the bank refused a refund. Call it once the money is back on the balance."""
    _write(refund.account_id, "refund_failed", _refund(refund), now=now)


# --- What they say --------------------------------------------------------------------------------------------


def _refund(refund: Refund) -> dict[str, object]:
    facts = [
        ("Amount", usd(refund.amount)),
        *_card(refund.topup),
        ("Of the top-up", refund.topup.public_id),
        ("Refund", refund.public_id),
        ("Balance now", usd_balance(balance_of(refund.account_id).balance)),
    ]
    return {
        "refund": refund, "amount": usd(refund.amount), "facts": facts, "url": _topup_url(refund.topup),
    }  # fmt: skip


def _paid(topup: TopUp) -> Facts:
    return [("Amount", usd(topup.credited)), *_card(topup), ("Paid", _when(topup, topup.ended_at))]


def _card(topup: TopUp) -> Facts:
    return [("Card", topup.card_name)] if topup.card_name else []


def _balance_after(topup: TopUp) -> str:
    """As the credit left it, whatever was spent since."""
    entries = LedgerEntry.objects.filter(account_id=topup.account_id, kind=LedgerEntry.Kind.TOPUP)
    return usd_balance(entries.get(key=str(topup.id)).balance_after)


def _auto(account_id: UUID) -> AutoTopup | None:
    return AutoTopup.objects.filter(account_id=account_id).first()


def _when(topup: TopUp, at: datetime | None) -> str:
    """`23 November 2026, 15:42 (Europe/Berlin)`."""
    zone = topup.account.timezone
    local = at.astimezone(ZoneInfo(zone)) if at else None
    return f"{local.day} {local:%B %Y, %H:%M} ({zone})" if local else ""


def _topup_url(topup: TopUp) -> str:
    return settings.SITE_URL + reverse("topup", args=[topup.public_id])


def _auto_url() -> str:
    return settings.SITE_URL + reverse("payment_methods")


# --- Who gets them --------------------------------------------------------------------------------------------


def _write(account_id: UUID, name: str, context: dict[str, object], *, now: datetime) -> None:
    account = Account.objects.get(pk=account_id)
    owners = User.objects.filter(account=account, role=User.Role.OWNER, is_active=True)
    for owner in owners.order_by("created_at"):
        mail.send(owner.email, name, context | {"account": account}, user=owner, now=now)
