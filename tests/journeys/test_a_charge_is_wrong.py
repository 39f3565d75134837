"""A customer says that a charge is wrong; staff find it, see why, give it back, and the customer reads the answer."""

import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from accounts.models import StaffAct, User
from billing import selectors, topups
from billing.models import TopUp
from tests import factories
from tests.api_client import ApiClient
from tests.billing.paying import begin, save_card
from usage.models import Charge

pytestmark = pytest.mark.django_db


def sign_in(email: str) -> Client:
    client = Client()
    answer = client.post("/sign-in/", {"email": email, "password": factories.PASSWORD})
    assert answer.status_code == 302
    return client


def link(page: str, words: str) -> str:
    """Where the first link with these words leads."""
    found = re.search(rf'<a href="([^"]+)"[^>]*>[^<]*{words}', page)
    assert found, words
    return found[1]


def read(client: Client, path: str) -> str:
    answer = client.get(path, follow=True)
    assert answer.status_code == 200, path
    return answer.content.decode()


@pytest.fixture
def dee(db: None) -> Client:
    """Of the group billing."""
    user = User.objects.create_user(
        "dee@example.com", factories.PASSWORD, is_staff=True, email_confirmed_at=factories.BIRTHDAY
    )
    user.groups.set([Group.objects.get(name="billing")])
    return sign_in("dee@example.com")


@pytest.fixture
def charge(ada: User, api: ApiClient, ada_key: str) -> Charge:
    """The platform counted a zero too many: 12,500 tokens, not 1,250."""
    sent = {"event_id": "order-7", "type": "chat", "agent": "Support", "model": "gpt-4o",
            "input_tokens": 12500, "output_tokens": 340}  # fmt: skip
    api.post("/billing/v3/usage", sent, key=ada_key)
    return Charge.objects.get()


def test_staff_reverse_a_flagged_charge_and_the_customer_reads_why(
    ada: User, dee: Client, charge: Charge
) -> None:
    """S39: the customer asks on the record, staff answer beside its arithmetic, and the money is back."""
    customer, record = sign_in(ada.email), f"/settings/billing/records/{charge.public_id}/"
    assert selectors.balance_of(ada.account_id).balance == Decimal("0.96535")
    customer.post(f"{record}flag/", {"text": "This message had 1,250 tokens."})
    assert "This message had 1,250 tokens." in read(customer, record)

    home = read(dee, "/admin/")
    assert re.search(r"Flagged charges</a></th><td><img[^>]*> 1</td>", home)
    page = read(dee, "/admin/search/?q=ada@example.com")  # straight to the page of the account
    assert charge.public_id in page
    answer_here = link(page, "This message had 1,250 tokens")
    shown = read(dee, answer_here)
    for words in ("12,500", "$2.50 per 1M tokens", "$0.03125", "$0.0034", "$0.03465", "order-7"):
        assert words in shown, words
    said = dee.post(
        answer_here, {"outcome": "reversed", "text": "You are right: it was 1,250. Sorry."}, follow=True
    )
    assert "Answered: reversed." in said.content.decode()

    assert selectors.balance_of(ada.account_id).balance == Decimal(1)
    answered = read(customer, record)
    assert "You are right: it was 1,250. Sorry." in answered
    assert "This charge was given back" in answered
    assert [act.act for act in StaffAct.objects.all()] == ["answer flag"]
    assert "answer flag" in read(dee, f"/admin/account/{ada.account.public_id}/")


def test_staff_reverse_a_charge_that_was_told_by_telephone(ada: User, dee: Client, charge: Charge) -> None:
    """Nobody flagged it: from the page of the account, with a reason that the customer reads beside the reversal."""
    page = read(dee, f"/admin/search/?q={charge.public_id}")
    assert "12500" in page
    account = read(dee, f"/admin/account/{ada.account.public_id}/")
    form = link(account, "Reverse…")
    assert "$0.03465" in read(dee, form)
    for _ in range(2):  # a double click
        dee.post(form, {"reason": "A zero too many"})
    assert selectors.balance_of(ada.account_id).balance == Decimal(1)
    back = Charge.objects.get(reverses=charge.pk)
    assert "A zero too many" in read(sign_in(ada.email), f"/settings/billing/records/{back.public_id}/")
    assert [act.act for act in StaffAct.objects.all()] == ["reverse charge"]


def test_staff_refund_a_top_up_and_the_customer_sees_it(ada: User, dee: Client) -> None:
    topups.pay(begin(ada, card=save_card(ada)))
    account = read(dee, f"/admin/search/?q={TopUp.objects.get().last4}")
    account = read(dee, f"/admin/account/{ada.account.public_id}/")
    form = link(account, "Refund…")
    shown = read(dee, form)
    refund = re.search(r'name="refund" value="(ref_\w+)"', shown)[1]
    for _ in range(2):
        dee.post(form, {"refund": refund, "amount": "10", "reason": "Ticket 7"})
    assert selectors.balance_of(ada.account_id).paid == Decimal(15)
    assert "−$10.00" in read(sign_in(ada.email), "/settings/billing/records/")
    assert [(act.act, act.reason) for act in StaffAct.objects.all()] == [("refund top-up", "Ticket 7")]


def test_support_explains_and_cannot_reverse(ada: User, charge: Charge) -> None:
    sue = User.objects.create_user(
        "sue@example.com", factories.PASSWORD, is_staff=True, email_confirmed_at=timezone.now()
    )
    sue.groups.set([Group.objects.get(name="support")])
    customer, record = sign_in(ada.email), f"/settings/billing/records/{charge.public_id}/"
    customer.post(f"{record}flag/", {"text": "Why?"})
    client = sign_in("sue@example.com")
    form = link(read(client, f"/admin/account/{ada.account.public_id}/"), "Why")
    assert "Reverse it" not in read(client, form)
    refused = client.post(form, {"outcome": "reversed", "text": "Back"})
    assert "Nothing was answered" in refused.content.decode()
    assert client.post(f"/admin/usage/charge/{charge.pk}/reverse/", {"reason": "Back"}).status_code == 403
    client.post(form, {"outcome": "explained", "text": "Your agent sent 12,500 tokens."})
    assert "Your agent sent 12,500 tokens." in read(customer, record)
    again = client.post(form, {"outcome": "explained", "text": "Once more"}).content.decode()
    assert "This flag was answered already." in again
    assert Charge.objects.count() == 1
