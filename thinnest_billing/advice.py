"""What the overview says about auto-topup from the account's pace: when it comes next, and what would suit."""

from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from django.urls import reverse

from billing.auto_due import Kind
from billing.auto_topup import Standing
from billing.auto_topup_form import suggestion
from billing.auto_topup_wording import lasts
from billing.money import ZERO


@dataclass(frozen=True, slots=True)
class Advice:
    """`threshold` and `amount` in dollars; `span`: how long the threshold lasts, in words; `href` fills them in."""

    threshold: Decimal
    amount: Decimal
    span: str
    href: str


def next_in(standing: Standing, pace: Decimal) -> str:
    """Until available falls below the threshold: `about 3 days`; nothing where nobody can tell."""
    if standing.auto is None or standing.kind is not Kind.WATCHING:
        return ""
    return lasts(max(ZERO, standing.available - standing.auto.threshold), pace)


def advice(standing: Standing, pace: Decimal) -> Advice | None:
    """None without a history to go by, or where what is on already suits."""
    threshold, amount = suggestion(pace)
    suits = standing.is_on and standing.auto is not None and standing.auto.threshold >= threshold
    if pace <= 0 or suits:
        return None
    filled = urlencode({"threshold": f"{threshold:.2f}", "amount": f"{amount:.2f}"})
    return Advice(threshold, amount, lasts(threshold, pace), f"{reverse('auto_topup')}?{filled}")
