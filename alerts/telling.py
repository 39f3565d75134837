"""Telling the members of an account something, once: a row for the dashboard and the emails about it.

Both are written in the caller's transaction, so what is rolled back was never told; the emails leave after it
(accounts.mail). What is told must be free of personal data: rows outlive their reason.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts import mail as letters
from accounts import recipients
from accounts.models import Account, User
from alerts import subscriptions
from alerts.models import Channel, Notification
from billing import gateways
from billing.models import Mode


def tell(
    account_id: UUID,
    *,
    key: str,
    kind: str,
    level: str,
    title: str,
    body: str,
    href: str = "",
    channel: str = Channel.BOTH,
    mail: bool = True,
    optional: bool = False,
    now: datetime,
) -> bool:
    """Tell an account's members what `key` names; False when they were told before, and nothing is written.

    `level` is one of Notification.Level, `href` a path of ours, `channel` one of Channel. `mail=False`: billing
    wrote the letter about it already. `optional`: what a rule found, which members may unsubscribe from.
    """
    is_mailed = mail and channel != Channel.DASHBOARD
    told = Notification(
        account_id=account_id, key=key, kind=kind, level=level, title=_fit(title, 160), body=_fit(body, 600),
        href=href, in_dashboard=channel != Channel.EMAIL, created_at=now,
    )  # fmt: skip
    with transaction.atomic():
        if not _insert(told):
            return False
        if is_mailed:
            _write_letters(told, optional=optional, now=now)
    return True


def _fit(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _insert(told: Notification) -> bool:
    """Whether it is the first of its key. Two at once: the second waits for the first, then writes nothing."""
    Notification.objects.bulk_create([told], ignore_conflicts=True)
    return Notification.objects.filter(pk=told.pk).exists()


def _write_letters(told: Notification, *, optional: bool, now: datetime) -> None:
    """Whoever wants no email reads it in the dashboard, also where it was meant for email alone."""
    written_to = recipients.of_account(told.account_id, optional=optional)
    shared = _context(told)
    for reader in written_to:
        way_out = subscriptions.url(reader) if optional else ""
        more = {"unsubscribe": way_out} | _way_on(told.href, reader)
        letters.send(reader.email, "alert", shared | more, user=reader, unsubscribe=way_out, now=now)
    told.emailed = bool(written_to)
    told.in_dashboard |= recipients.misses_any(told.account_id, written_to)
    told.save(update_fields=["emailed", "in_dashboard"])


def _context(told: Notification) -> dict[str, object]:
    return {
        "told": told,
        "letter": "emails/alert",
        "account": Account.objects.get(pk=told.account_id),
        "is_rehearsal": gateways.mode() in (Mode.SANDBOX, Mode.STRIPE_TEST),
    }


def _way_on(href: str, reader: User) -> dict[str, str]:
    """The button: viewers are led to no page that is closed to them."""
    if href == reverse("add_funds"):
        href, label = (href, "Add funds") if reader.may("admin") else (reverse("overview"), "See the balance")
    else:
        label = "See the details" if href else "See your notifications"
    return {"button": label, "url": settings.SITE_URL + (href or reverse("notifications"))}
