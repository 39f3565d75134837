"""Every email about money, to whom accounts.recipients says, written in the transaction that causes it.

The sentences of a letter are in templates/emails/<name>/words.txt, one text for both of its forms; the facts below
them are gathered here. Each letter has one button, and may have further links.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from accounts import mail, recipients
from accounts.models import Account, User
from billing import gateways
from billing import letter_facts as told
from billing.auto_due import PATIENCE, count_limit_until, month_limit_until, used_this_month
from billing.declines import sentence_of
from billing.models import AutoTopup, Mode, Refund, TopUp
from billing.money import usd
from billing.selectors import balance_of


def topup_added(topup: TopUp, *, now: datetime) -> None:
    """Money arrived. Call it once its credit is posted: the letter tells the balance after it."""
    auto = told.auto_of(topup) if topup.origin == TopUp.Origin.AUTO else None
    more = [("The payment service's own receipt", topup.receipt_url)] if topup.receipt_url else []
    if auto:
        more.append(("Change or stop auto-topup", _url("auto_topup")))
    context = {
        "auto": auto, "amount": usd(topup.credited), "asked": usd(topup.amount),
        "is_by_hand": topup.mode == Mode.MANUAL, "is_other_amount": topup.credited != topup.amount,
        "facts": told.receipt(topup), "button": "View the receipt", "url": _receipt(topup), "more": more,
    }  # fmt: skip
    _write(topup.account, "topup_added", context, mode=topup.mode, now=now)


def auto_topup_on(auto: AutoTopup, *, now: datetime) -> None:
    """The owner agreed to be charged without being there: what they agreed to."""
    is_below = balance_of(auto.account_id).available < auto.threshold
    context = {"is_below": is_below, "facts": told.agreement(auto), "agreed_by": auto.consented_by}
    context |= _terms(auto) | _review()
    _write(auto.account, "auto_topup_on", context, mode=auto.mode, now=now)


def auto_topup_failed(topup: TopUp, *, next_attempt_at: datetime, now: datetime) -> None:
    """A payment that did not come about, and another will be tried without anybody's doing."""
    again = told.when(next_attempt_at, topup.account) if next_attempt_at > now else ""
    facts = [*told.payment(topup), *told.balance(topup.account_id), ("Next attempt", again or "Now")]
    context = {"amount": usd(topup.amount), "why": sentence_of(topup), "again": again, "facts": facts}
    more = [("Or add funds yourself", _url("add_funds"))]
    _write(topup.account, "auto_topup_failed", context | _review(more), mode=topup.mode, now=now)


def auto_topup_stopped(account_id: UUID, *, reason: str, topup: TopUp | None, now: datetime) -> None:
    """It is off until its owner turns it on again. `reason`: one of AutoTopup.Stopped; `topup`: what it is about."""
    account = Account.objects.get(pk=account_id)
    facts = [
        *(told.payment(topup) if topup else []),
        *told.balance(account_id),
        ("Off since", told.when(now, account)),
    ]
    context: dict[str, object] = {
        "reason": reason,
        "why": sentence_of(topup) if topup else "",
        "facts": facts,
    }
    context |= {"amount": usd(topup.amount), "card": topup.card_name or "your card"} if topup else {}
    more = [("Or add funds yourself", _url("add_funds"))]
    _write(account, "auto_topup_stopped", context | _review(more), mode=gateways.mode(), now=now)


def auto_topup_limited(auto: AutoTopup, *, limit: str, now: datetime) -> None:
    """It rests and resumes without anybody's doing. `limit`: "count" (in 24 hours) or "month"."""
    until = count_limit_until(auto, now=now) if limit == "count" else month_limit_until(auto, now=now)
    used = usd(used_this_month(auto, now=now))
    facts = [
        ("Charged this month", f"{used} of {usd(auto.monthly_limit)}"),
        *told.balance(auto.account_id),
        *([("Resumes", told.when(until, auto.account))] if until else []),
    ]
    context = {"limit": limit, "count": settings.AUTO_TOPUPS_PER_DAY, "used": used, "facts": facts}
    context["until"] = told.when(until, auto.account) if until else ""
    more = [("See what is spending", _url("records")), ("Or add funds yourself", _url("add_funds"))]
    _write(
        auto.account, "auto_topup_limited", context | _terms(auto) | _review(more), mode=auto.mode, now=now
    )


def confirm_payment(topup: TopUp, *, now: datetime) -> None:
    """The bank wants the card holder to approve a payment made without them."""
    until = told.when(topup.created_at + PATIENCE, topup.account)
    context = {
        "amount": usd(topup.amount), "until": until, "is_auto": topup.origin == TopUp.Origin.AUTO,
        "facts": [*told.payment(topup), ("Confirm by", until)],
        "button": "Confirm the payment", "url": _url("topup", topup.public_id),
    }  # fmt: skip
    _write(topup.account, "confirm_payment", context, mode=topup.mode, now=now)


def refunded(refund: Refund, *, now: datetime) -> None:
    """Money is on its way back. Call it once the refund is posted."""
    _write(refund.account, "refunded", _refund(refund), mode=refund.mode, now=now)


def refund_failed(refund: Refund, *, now: datetime) -> None:
    """The processor or the bank refused a refund. Call it once the money is back on the balance."""
    _write(refund.account, "refund_failed", _refund(refund), mode=refund.mode, now=now)


def _refund(refund: Refund) -> dict[str, object]:
    return {
        "amount": usd(refund.amount), "taken": usd(refund.taken), "took_all": refund.taken == refund.amount,
        "took_nothing": not refund.taken,
        "origin": refund.origin, "asked_by": refund.actor, "is_by_hand": refund.mode == Mode.MANUAL,
        "card": refund.topup.card_name or "where it came from", "owes": balance_of(refund.account_id).paid < 0,
        "facts": told.refund(refund), "button": "View the receipt", "url": _receipt(refund.topup),
    }  # fmt: skip


def _terms(auto: AutoTopup) -> dict[str, object]:
    return {
        "threshold": usd(auto.threshold), "amount": usd(auto.amount), "monthly_limit": usd(auto.monthly_limit),
        "card": told.card_name(auto),
    }  # fmt: skip


def _review(more: list[tuple[str, str]] | None = None) -> dict[str, object]:
    return {
        "button": "Review auto-topup", "url": _url("auto_topup"), "more": more or [], "owner_only": "auto-topup",
    }  # fmt: skip


def _receipt(topup: TopUp) -> str:
    return _url("receipt", topup.public_id)


def _url(name: str, *args: str) -> str:
    return settings.SITE_URL + reverse(name, args=args)


def _write(account: Account, name: str, context: dict[str, object], *, mode: str, now: datetime) -> None:
    shared = {
        "account": account,
        "letter": f"emails/{name}",
        "is_rehearsal": mode in (Mode.SANDBOX, Mode.STRIPE_TEST),
    }
    for reader in recipients.of_account(account.id):
        mail.send(reader.email, name, shared | context | _open_to(reader, context), user=reader, now=now)


def _open_to(reader: User, context: dict[str, Any]) -> dict[str, object]:
    """The further links without those to pages that are closed to a viewer."""
    more = context.get("more", [])
    may_add = reader.may("admin")
    return {"may_add": may_add, "more": [link for link in more if may_add or link[1] != _url("add_funds")]}
