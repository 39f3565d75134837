"""Payments, told in the dashboard: what auto-topup did, top-ups that failed, and money that went back.

Billing writes the letters with the fact itself; email leaves from here only where it has none. Each fact has its row:
what a lost nudge left untold is found for three days.
"""

from datetime import datetime, timedelta

from django.db.models import Q
from django.urls import reverse

from alerts import webhook_facts
from alerts.models import Notification
from alerts.telling import tell
from alerts.watched import Look
from alerts.webhook_facts import WINDOW
from billing import auto_topup
from billing import auto_topup_wording as wording
from billing.auto_due import count_limit_until, month_limit_until
from billing.auto_topup import SUPERSEDED
from billing.declines import sentence_of
from billing.letter_facts import when
from billing.models import AutoTopup, Dispute, Refund, TopUp
from billing.money import usd

Level, Status, Origin = Notification.Level, TopUp.Status, TopUp.Origin
ENDED = (Status.SUCCEEDED, Status.FAILED, Status.CANCELED)
UNSEEN_AFTER = timedelta(minutes=10)  # whoever began a payment looks no more
SAME_MOMENT = timedelta(seconds=2)
MADE, OPENED = "made", "opened"


def tell_payments(look: Look) -> None:
    _topups(look)
    _standing_order(look)
    _refunds(look)
    _disputes(look)


def _since(look: Look) -> datetime:
    return max(look.now - WINDOW, look.began)


# --- Top-ups --------------------------------------------------------------------------------------------------


def _topups(look: Look) -> None:
    lately = Q(ended_at__gt=_since(look), status__in=ENDED)
    waiting = Q(status=Status.REQUIRES_ACTION, origin=Origin.AUTO, created_at__gt=look.began)
    found = TopUp.objects.filter(lately | waiting, account=look.account).order_by("created_at")
    news = [topup for topup in found if _is_news(look, topup)]
    for topup in news:
        if topup.origin == Origin.AUTO:
            _automatic(look, topup)
        elif topup.status == Status.FAILED:
            _failed(look, topup)
    if news:
        webhook_facts.topups_ended(look.account.pk, now=look.now)


def _is_news(look: Look, topup: TopUp) -> bool:
    return look.is_news(topup.pk, topup.status, since=topup.ended_at or topup.created_at)


def _automatic(look: Look, topup: TopUp) -> None:
    auto = auto_topup.of(look.account.pk)
    if topup.status == Status.SUCCEEDED:
        title, level = f"Auto-topup added {usd(topup.credited)}", Level.GOOD
        body = f"{_charged(topup)} because less than your threshold was available."
    elif topup.status == Status.REQUIRES_ACTION:
        title, level = f"Confirm the automatic top-up of {usd(topup.amount)}", Level.WARN
        body = "Your bank wants you to confirm it. You have not been charged yet."
    elif topup.failure_code == SUPERSEDED or _stopped_by(auto, topup):
        return  # a stop is told by itself
    else:
        title, level = f"The automatic top-up of {usd(topup.amount)} did not go through", Level.WARN
        body = f"{sentence_of(topup)} You have not been charged. {_again(look, auto)}".strip()
    _tell(look, f"topup:{topup.public_id}:{topup.status}", title, body, level=level, href=_page(topup))


def _charged(topup: TopUp) -> str:
    return f"{topup.card_name or 'Your card'} was charged"


def _stopped_by(auto: AutoTopup | None, topup: TopUp) -> bool:
    if auto is None or auto.stopped_at is None or topup.ended_at is None:
        return False
    return abs(auto.stopped_at - topup.ended_at) < SAME_MOMENT


def _again(look: Look, auto: AutoTopup | None) -> str:
    if auto is None or not auto.enabled or auto.next_attempt_at is None or auto.next_attempt_at <= look.now:
        return ""
    return f"If it is still needed, we try again on {when(auto.next_attempt_at, look.account)}."


def _failed(look: Look, topup: TopUp) -> None:
    """One that somebody began. They saw the page or the answer, unless it took long."""
    is_unseen = topup.ended_at is not None and topup.ended_at - topup.created_at > UNSEEN_AFTER
    title = f"Your top-up of {usd(topup.amount)} did not go through"
    body = f"{sentence_of(topup)} You have not been charged. Try again, or choose another card."
    key, href = f"topup:{topup.public_id}:failed", reverse("add_funds")
    _tell(look, key, title, body, level=Level.WARN, href=href, mail=is_unseen)


# --- The standing order ---------------------------------------------------------------------------------------


def _standing_order(look: Look) -> None:
    auto = AutoTopup.objects.filter(pk=look.account.pk).first()
    if auto is None:
        return
    at = auto.stopped_at
    if at and at > _since(look) and look.is_news("auto stopped", auto.stopped_reason, since=at):
        body = (
            f"{wording.why_stopped(auto)} No card is charged automatically until the owner turns it on again."
        )
        _tell(
            look, f"auto:stopped:{at.isoformat()}", "Auto-topup is off", body, level=Level.BAD, href=_auto()
        )
    for limit, told_on in (("count", auto.count_limit_told_on), ("month", auto.month_limit_told_on)):
        if told_on is None or told_on < _since(look).date() or look.state(f"auto {limit}") == str(told_on):
            continue
        look.is_news(f"auto {limit}", str(told_on), since=look.now)
        _tell(look, f"auto:{limit}:{told_on}", *_limit(look, auto, limit), level=Level.WARN, href=_auto())


def _limit(look: Look, auto: AutoTopup, limit: str) -> tuple[str, str]:
    if limit == "count":
        body, until = (
            "It has made as many top-ups as it may within 24 hours.",
            count_limit_until(auto, now=look.now),
        )
    else:
        body, until = (
            "Another top-up would exceed your monthly limit.",
            month_limit_until(auto, now=look.now),
        )
    again = f" on {when(until, look.account)}" if until else ""
    return (
        "Auto-topup waits: a limit is reached",
        f"{body} Your card was not charged again. It resumes by itself{again}, if your balance is still low then. "
        "You can add funds yourself at any time.",
    )


def _auto() -> str:
    return reverse("auto_topup")


# --- Money that goes back ----------------------------------------------------------------------------------------


def _refunds(look: Look) -> None:
    lately = Q(created_at__gt=_since(look)) | Q(ended_at__gt=_since(look))
    for refund in Refund.objects.filter(lately, account=look.account).select_related("topup"):
        has_failed = refund.status == Refund.Status.FAILED
        state, since = (Refund.Status.FAILED.value if has_failed else MADE), refund.created_at
        if not look.is_news(refund.pk, state, since=since):
            continue
        amount, where = usd(refund.amount), refund.topup.card_name or "where it came from"
        title = f"The refund of {amount} failed" if has_failed else f"{amount} is on its way back to you"
        body = (
            f"{usd(refund.taken)} is on your balance again."
            if has_failed
            else f"It goes to {where}. {usd(refund.taken)} left your balance for it."
        )
        level = Level.WARN if has_failed else Level.INFO
        _tell(look, f"refund:{refund.public_id}:{state}", title, body, level=level, href=_page(refund.topup))


def _disputes(look: Look) -> None:
    """Billing has no letter about these: they are mailed here."""
    for dispute in Dispute.objects.filter(topup__account=look.account).select_related("topup"):
        if not dispute.moves_money:
            continue
        state = dispute.status if dispute.status in (Dispute.WON, Dispute.LOST) else OPENED
        if look.is_news(dispute.pk[:40], state, since=dispute.created_at):
            title, body, level = _dispute(dispute, state)
            key = f"dispute:{dispute.pk[:100]}:{state}"
            _tell(look, key, title, body, level=level, href=_page(dispute.topup), mail=True)


def _dispute(dispute: Dispute, state: str) -> tuple[str, str, str]:
    amount, taken = usd(dispute.amount), usd(dispute.taken)
    if state == Dispute.WON:
        return f"The dispute of {amount} is over", f"{taken} is on your balance again.", Level.GOOD
    if state == Dispute.LOST:
        body = f"The bank returned the payment to the card. The {taken} taken from your balance does not come back."
        return f"The dispute of {amount} is over", body, Level.WARN
    body = (
        f"The card holder's bank is taking your top-up of {usd(dispute.topup.credited)} back, so {taken} left your "
        "balance. Auto-topup is off until the owner turns it on again. If this was a mistake, tell your bank."
    )
    return f"A payment of {amount} is disputed", body, Level.BAD


def _page(topup: TopUp) -> str:
    return reverse("topup", args=[topup.public_id])


def _tell(look: Look, key: str, title: str, body: str, *, level: str, href: str, mail: bool = False) -> None:
    tell(
        look.account.pk, key=key, kind="payment", level=level, title=title, body=body, href=href,
        mail=mail, now=look.now,
    )  # fmt: skip
