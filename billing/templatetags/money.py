"""Money in templates: thin filters over billing.money."""

from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import money

register = template.Library()
register.filter("usd", money.usd)
register.filter("usd4", money.usd4)
register.filter("usd_balance", money.usd_balance)
register.filter("usd_exact", money.usd_exact)


@register.filter
def signed4(amount: Decimal) -> str:
    """As on ledger lines: `+$25.0000`, `−$0.0004`."""
    return f"+{money.usd4(amount)}" if amount > 0 else money.usd4(amount)


@register.filter
def signed_exact(amount: Decimal) -> str:
    """Every decimal, and the sign: `+$25.00`, `−$0.0003915`."""
    return f"+{money.usd_exact(amount)}" if amount > 0 else money.usd_exact(amount)


@register.filter
def figure(text: str) -> SafeString:
    """A large figure with quiet cents. Takes the printed amount: `{{ funds.balance|usd_balance|figure }}`."""
    whole, point, cents = text.partition(".")
    return format_html('{}<span class="cents">{}{}</span>', whole, point, cents)
