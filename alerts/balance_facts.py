"""Running out, told: the balance is used up, a request did not fit, and funds are back."""

from zoneinfo import ZoneInfo

from django.urls import reverse

from accounts.json import timestamp
from alerts import webhooks
from alerts.models import Notification
from alerts.telling import tell
from alerts.watched import Look
from billing import auto_topup, topups
from billing import auto_topup_wording as wording
from billing.auto_due import Kind
from billing.models import LedgerEntry
from billing.money import usd, usd_balance
from usage import phone_numbers
from usage.models import Campaign

DEPLETED, CALM = "depleted", "calm"
REFUSED = "refused"  # a subject of its own: neither mutes the other
Level = Notification.Level


def tell_balance(look: Look) -> None:
    if look.funds.depleted_at is None:
        _restored(look)
    elif _had_funds(look):
        _depleted(look)
    _refused(look)


def _had_funds(look: Look) -> bool:
    """A balance opens depleted; one that never had anything has not run out."""
    return LedgerEntry.objects.filter(account_id=look.account.pk).exists()


def _depleted(look: Look) -> None:
    at = look.funds.depleted_at
    assert at is not None, "asked before"
    if not look.is_news(look.account.pk, DEPLETED, since=at) or at < look.began:
        return
    key = f"depleted:{at.isoformat()}"
    tell(
        look.account.pk, key=key, kind="running_out", level=Level.BAD,
        title="Your balance ran out: your agents are paused", body=_paused(look),
        href=reverse("add_funds"), now=look.now,
    )  # fmt: skip
    data = _shown(look) | {"depleted_at": timestamp(at)}
    webhooks.queue(look.account.pk, key=key, type=webhooks.Type.BALANCE_DEPLETED, data=data, now=look.now)


def _paused(look: Look) -> str:
    lines = ""
    if _has_campaigns(look):
        lines += " Campaigns pause."
    if phone_numbers.rented(look.account.pk).exists():
        lines += " Phone numbers go on for a grace period of seven days."
    return (
        f"{_left(look)}. Chats and ingestion are answered with an error (402), and calls are not placed.{lines} "
        f"Nothing is deleted, and everything resumes by itself once you add funds. {next_topup(look)}"
    ).strip()


def _has_campaigns(look: Look) -> bool:
    running = Campaign.objects.filter(account=look.account, launched_at__isnull=False, finished_at=None)
    return running.exists()


def _left(look: Look) -> str:
    funds = look.funds
    if funds.balance < 0:
        return f"It is {usd(-funds.balance)} below zero, because a refund or a dispute took back more than was left"
    return f"{usd_balance(funds.balance)} is left"


def next_topup(look: Look) -> str:
    """Whether one is on its way or waits for somebody, and what auto-topup does; empty if there is neither."""
    standing = auto_topup.standing(look.account.pk, now=look.now)
    if standing.kind is not Kind.OFF:
        return f"{wording.next_step(standing, now=look.now).title}."
    is_open, waits_at = topups.in_progress(look.account.pk)
    if waits_at:
        return "A top-up waits for you to confirm it."
    return "A top-up is on its way." if is_open else ""


def _restored(look: Look) -> None:
    if look.state(look.account.pk) != DEPLETED:
        return
    depleted_at = look.since(look.account.pk)
    assert depleted_at is not None, "it was known"
    look.is_news(look.account.pk, CALM, since=look.now)
    key = f"restored:{depleted_at.isoformat()}"
    goes_on = (
        "Spending is frozen, so nothing goes on yet" if look.funds.frozen else "Everything goes on by itself"
    )
    tell(
        look.account.pk, key=key, kind="restored", level=Level.GOOD, title="Your balance is back",
        body=f"{usd_balance(look.funds.balance)} is on your balance. {goes_on}; nothing was deleted.",
        href=reverse("overview"), mail=False, now=look.now,
    )  # fmt: skip
    webhooks.queue(
        look.account.pk, key=key, type=webhooks.Type.BALANCE_RESTORED, data=_shown(look), now=look.now
    )


def _refused(look: Look) -> None:
    """At most once a day of the account's: what keeps asking is refused all day."""
    at = look.funds.refused_at
    if at is None:
        return
    day = at.astimezone(ZoneInfo(look.account.timezone)).date().isoformat()
    if look.state(REFUSED) == day or not look.is_news(REFUSED, day, since=at) or at < look.began:
        return
    asked = look.funds.refused_amount
    request = f"A request for {usd(asked)}" if asked is not None else "A request"
    smaller = "" if look.funds.depleted else " Smaller requests still go through."
    tell(
        look.account.pk, key=f"refused:{day}", kind="refused", level=Level.WARN,
        title=f"{request} did not fit your balance", href=reverse("add_funds"), now=look.now,
        body=f"{usd_balance(look.funds.available)} is available, so it was refused with an error (402) and nothing was "
        f"charged for it.{smaller} Add funds, and the same request goes through. {next_topup(look)}".strip(),
    )  # fmt: skip


def _shown(look: Look) -> dict[str, object]:
    return {"balance": webhooks.exact(look.funds.balance), "available": webhooks.exact(look.funds.available)}
