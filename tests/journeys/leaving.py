"""Accounts that are about to end."""

from datetime import datetime
from decimal import Decimal

from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from billing import payment_methods, topups
from billing.models import Refund, TopUp
from billing.refunds import refund
from tests.billing import paying
from tests.factories import PASSWORD

CLOSE = "/settings/account/close/"


def close(client: Client, user: User, *, password: str = PASSWORD) -> HttpResponse:
    client.force_login(user)
    return client.post(CLOSE, {"password": password})


def top_up(user: User, amount: str = "25.00", *, card: str = "") -> TopUp:
    card = card or paying.save_card(user)
    return topups.pay(paying.begin(user, amount=Decimal(amount), card=card))


def pay_back(topup: TopUp, *, now: datetime | None = None) -> Refund:
    return refund(
        topup,
        topup.credited,
        origin=Refund.Origin.STAFF,
        actor="staff",
        reason="Closing",
        now=now or paying.clock(),
    )


def live_cards(user: User) -> int:
    return payment_methods.of_account(user.account_id).count()
