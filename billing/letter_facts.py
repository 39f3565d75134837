"""The facts below a letter: pairs of a name and its value, as they are printed. Times are the account's."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings

from accounts import ids
from accounts.models import Account, User
from billing import auto_due, receipts
from billing.models import AutoTopup, LedgerEntry, PaymentMethod, Refund, TopUp
from billing.money import usd, usd_balance
from billing.selectors import balance_of

Facts = list[tuple[str, str]]


def receipt(topup: TopUp) -> Facts:
    """Of a top-up that arrived, with what its account wants printed."""
    buyer = receipts.details_of(topup.account_id)
    billed_to = ", ".join([buyer.name or topup.account.name, *buyer.address.splitlines()])
    return [
        ("Amount", usd(topup.credited)),
        ("Paid with", receipts.method_of(topup) or "–"),
        ("Paid", when(topup.ended_at or topup.created_at, topup.account)),
        ("Balance after", _balance_after(topup)),
        ("Receipt", topup.public_id),
        ("Billed to", billed_to),
        *([("Tax id", buyer.tax_id)] if buyer.tax_id else []),
    ]


def payment(topup: TopUp) -> Facts:
    """Of one that did not arrive, or not yet."""
    card = [("Card", topup.card_name)] if topup.card_name else []
    return [("Amount", usd(topup.amount)), *card, ("Reference", topup.public_id)]


def refund(refund: Refund) -> Facts:
    topup = refund.topup
    return [
        ("Amount", usd(refund.amount)),
        ("To", receipts.method_of(topup) or "–"),
        ("Of your top-up", f"{usd(topup.credited)}, {topup.public_id}"),
        ("Refund", refund.public_id),
        *balance(refund.account_id),
    ]


def agreement(auto: AutoTopup) -> Facts:
    """What was agreed to, by whom and when."""
    said = [("Agreed", when(auto.consented_at, auto.account))] if auto.consented_at else []
    return [
        ("Below", usd(auto.threshold)),
        ("We add", usd(auto.amount)),
        ("With", card_name(auto)),
        ("At most in a month", usd(auto.monthly_limit)),
        ("At most in 24 hours", f"{settings.AUTO_TOPUPS_PER_DAY} top-ups"),
        *said,
        *_agreed_by(auto),
    ]


def _agreed_by(auto: AutoTopup) -> Facts:
    user_id = ids.parse("usr", auto.consented_by)
    user = (
        User.objects.filter(pk=user_id, account=auto.account_id, is_active=True).first() if user_id else None
    )
    return [("By", user.email)] if user else []


def balance(account_id: UUID) -> Facts:
    """Now, and what of it may be spent where that is less."""
    funds = balance_of(account_id)
    held = f" ({usd_balance(funds.available)} available)" if funds.available != funds.balance else ""
    return [("Balance now", f"{usd_balance(funds.balance)}{held}")]


def _balance_after(topup: TopUp) -> str:
    """As the credit left it, whatever was spent since."""
    entries = LedgerEntry.objects.filter(account_id=topup.account_id, kind=LedgerEntry.Kind.TOPUP)
    return usd_balance(entries.get(key=str(topup.id)).balance_after)


def auto_of(topup: TopUp) -> AutoTopup | None:
    return AutoTopup.objects.filter(pk=topup.account_id).first()


def card_name(auto: AutoTopup) -> str:
    """`Visa •••• 4242`, also of a card that was removed since."""
    card = auto_due.card_of(auto) or PaymentMethod.objects.filter(gateway_id=auto.card).first()
    return str(card or "your card")


def when(at: datetime, account: Account) -> str:
    """`23 November 2026, 15:42 (America/New York)`."""
    local, zone = at.astimezone(ZoneInfo(account.timezone)), account.timezone.replace("_", " ")
    return f"{local.day} {local:%B %Y, %H:%M} ({zone})"
