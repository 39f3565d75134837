"""What other apps put on the Account page, which is of accounts and knows none of them."""

from typing import Any

from django.http import HttpRequest

from alerts.views.channel import channel_form
from billing import selectors
from billing.errors import NoBalance
from billing.selectors import Funds


def more(request: HttpRequest) -> dict[str, Any]:
    return {"funds": _funds(request), "channel_form": channel_form(request.user)}


def _funds(request: HttpRequest) -> Funds | None:
    try:
        return selectors.balance_of(request.account.id)
    except NoBalance:
        return None
