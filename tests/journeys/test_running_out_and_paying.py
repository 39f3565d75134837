"""The story of an empty balance: refused, paid with the sandbox's Visa, and on with the next message."""

import re
from decimal import Decimal

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from billing import selectors, topups
from billing.models import TopUp
from tests.api_client import ApiClient, read
from tests.billing.paying import begin, save_card

pytestmark = pytest.mark.django_db
MESSAGE = {"type": "chat", "model": "gpt-4-turbo", "input_tokens": 100_000, "output_tokens": 10_000}  # $1.30


def say(api: ApiClient, key: str, number: int) -> HttpResponse:
    return api.post("/billing/v3/usage", {"event_id": f"m-{number}", **MESSAGE}, key=key)


def test_it_goes_on_with_the_next_message(
    ada: User, ada_key: str, api: ApiClient, client: Client, settings: Settings
) -> None:
    """S43, S22, S24, S25: the trial's dollar does not cover it; $25 by card, and the same message goes through."""
    settings.SANDBOX_ALLOW_PUBLIC = True
    refused = say(api, ada_key, 1)
    assert (refused.status_code, read(refused)["topup_in_progress"]) == (402, False)
    client.force_login(ada)
    page = client.get(read(refused)["topup_url"].removeprefix(settings.SITE_URL)).content.decode()
    form = {"topup": re.findall(r'name="topup" value="([^"]+)"', page)[0], "preset": "25", "method": "new"}
    where = client.post("/settings/billing/add-funds/", form)["Location"]
    checkout = re.findall(r'url=([^"]+)">', client.get(where).content.decode())[0]
    assert read(say(api, ada_key, 1))["topup_in_progress"] is True
    back = client.post(checkout, {"number": "4242 4242 4242 4242"})["Location"]
    assert "$25.00 added" in client.get(back).content.decode()
    accepted = say(api, ada_key, 1)
    assert (accepted.status_code, read(accepted)["balance"]) == (201, Decimal("24.70"))


def test_it_says_where_a_waiting_payment_is_confirmed(ada: User, ada_key: str, api: ApiClient) -> None:
    """What does not fit gets 402, also while a top-up is on its way; the answer says where to confirm it."""
    topup = topups.pay(
        begin(ada, card=save_card(ada, "pm_card_authenticationRequired"), origin=TopUp.Origin.API)
    )
    refused = read(say(api, ada_key, 1))
    assert refused["topup_in_progress"] is True
    assert refused["topup_action_url"] == topups.page_url(topup)
    topups.withdraw(topup)
    assert "topup_action_url" not in read(say(api, ada_key, 1))
    assert selectors.balance_of(ada.account_id).balance == Decimal(1)
