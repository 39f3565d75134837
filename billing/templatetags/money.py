"""Money in templates: thin filters over billing.money."""

from django import template

from billing import money

register = template.Library()
register.filter("usd", money.usd)
register.filter("usd4", money.usd4)
register.filter("usd_balance", money.usd_balance)
register.filter("usd_exact", money.usd_exact)
