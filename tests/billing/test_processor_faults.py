"""A processor that hangs, breaks off, answers 500 or has forgotten: what the product does about it.

StripeGateway through a hostile server; its faults on the wire are in gateways/test_stripe_faults.py.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from billing import auto_charge, gateways, topup_sweep, topups
from billing.gateways.stripe import StripeGateway
from billing.models import Customer, Mode, PaymentMethod, StaffNotice, TopUp
from tests.api_client import ApiClient, read
from tests.billing import processor
from tests.billing.paying import begin, clock, credits
from tests.billing.processor import Processor
from tests.billing.topping_up import turn_on

pytestmark = pytest.mark.django_db
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def bank(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processor]:
    """Asked once a call, and waited for half a second: the product's own repeats are what is tested."""
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_51NotARealKey", ["whsec_test"]
    monkeypatch.setattr("billing.gateways.stripe.RETRIES", 0)
    with processor.running() as bank:
        client = StripeGateway(
            secret_key=settings.STRIPE_SECRET_KEY, webhook_secrets=["whsec_test"], mode=Mode.STRIPE_TEST,
            api_base=bank.url, timeout=0.5,
        )  # fmt: skip
        monkeypatch.setattr(gateways, "gateway", lambda: client)
        yield bank


@pytest.fixture
def card(ada: User, bank: Processor) -> str:
    facts = {"account_id": ada.account_id, "mode": Mode.STRIPE_TEST}
    Customer.objects.create(**facts, gateway_id="cus_1")
    return PaymentMethod.objects.create(
        **facts, gateway_id="pm_1", customer="cus_1", brand="visa", last4="4242", exp_month=12, exp_year=2034,
        is_default=True, created_at=clock(),
    ).gateway_id  # fmt: skip


def sweep_at(topup: TopUp, age: timedelta) -> TopUp:
    """One pass of the sweep when the top-up is so old and due."""
    TopUp.objects.filter(pk=topup.pk, next_look_at__isnull=False).update(next_look_at=topup.created_at)
    topup_sweep.pursue_open_topups(now=topup.created_at + age)
    topup.refresh_from_db()
    return topup


def keys(bank: Processor) -> set[str]:
    return {key for key in bank.keys if key}


@pytest.mark.parametrize("fault", ["hang", "lost", "500", "503", "html"])
def test_it_pays_once_whatever_the_first_answer_was(
    ada: User, card: str, bank: Processor, fault: str
) -> None:
    """Nobody knows whether it was paid: the sweep asks again under the same key."""
    bank.faults.extend([fault] * 2)
    topup = topups.pay(begin(ada, card=card))
    assert (topup.status, credits(ada)) == ("unknown", [])
    topup = sweep_at(topup, MINUTE)
    assert (topup.status == "succeeded") is (fault == "lost")  # then looking finds the payment
    topup = sweep_at(topup, 3 * MINUTE)
    assert (topup.status, topup.received) == ("succeeded", 25)
    assert (len(bank.payments), keys(bank)) == (1, {f"charge:{topup.public_id}"})
    assert credits(ada) == [25]


def test_it_credits_a_payment_behind_a_stored_500(ada: User, card: str, bank: Processor) -> None:
    """Stripe repeats a 500 under its key for a day, although the money has moved: looking finds it."""
    bank.faults.append("stored 500 but paid")
    topup = topups.pay(begin(ada, card=card))
    assert topup.status == "unknown"
    assert sweep_at(topup, MINUTE).status == "succeeded"
    assert (len(bank.payments), credits(ada)) == (1, [25])


def test_it_gives_up_a_stored_500_that_nothing_was_paid_for(ada: User, card: str, bank: Processor) -> None:
    """The same key until it may be forgotten, then only looking: the top-up fails, and nothing was charged."""
    bank.faults.append("stored 500")
    topup = topups.pay(begin(ada, card=card))
    for hours in (1, 12, 22):
        assert sweep_at(topup, hours * HOUR).status == "unknown"
    asked = bank.charges()
    topup = sweep_at(topup, 23 * HOUR)
    assert (topup.status, topup.failure_code) == ("failed", "never_arrived")
    assert (bank.payments, bank.charges(), credits(ada)) == ({}, asked, [])


def test_it_leaves_time_for_the_rest_of_the_sweep(
    ada: User, card: str, bank: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A processor that hangs costs a timeout a row: one pass ends after a while, and the next one takes the others."""
    rows = [begin(ada, card=card, amount=Decimal(amount)) for amount in (25, 26, 27)]
    bank.faults.extend(["hang"] * 2)
    monkeypatch.setattr(topup_sweep, "PASS", 0.3)
    for passes in (1, 2, 3):
        topup_sweep.pursue_open_topups(now=rows[-1].created_at + MINUTE)
        assert bank.charges() == passes
    assert [TopUp.objects.get(pk=row.pk).status for row in rows] == ["unknown", "unknown", "succeeded"]


@pytest.mark.parametrize("lived", [True, False])
def test_it_does_not_give_up_a_payment_because_our_credentials_stopped_working(
    ada: User, card: str, bank: Processor, lived: bool
) -> None:
    """It was sent before, by a process that heard no answer or was killed: a 401 now says nothing about then."""
    topup = begin(ada, card=card)
    bank.faults.append("lost")
    if lived:
        topups.pay(topup)
    else:
        with pytest.raises(gateways.Unavailable):
            topups._ask(topup)
    bank.locked = True
    assert sweep_at(topup, MINUTE).status == "unknown"
    assert sweep_at(topup, 23 * HOUR).status == "unknown"
    assert "credentials" in StaffNotice.objects.get().text
    bank.locked = False
    assert sweep_at(topup, 24 * HOUR).status == "succeeded"
    assert (len(bank.payments), credits(ada)) == (1, [25])


def test_it_looks_before_it_believes_a_refusal_of_what_was_sent_before(
    ada: User, card: str, bank: Processor
) -> None:
    bank.faults.extend(["lost", "400"])
    topup = topups.pay(begin(ada, card=card))
    assert sweep_at(topup, MINUTE).status == "succeeded"
    assert (len(bank.payments), credits(ada)) == (1, [25])


def test_it_ends_what_is_refused_and_never_was_paid(ada: User, card: str, bank: Processor) -> None:
    bank.faults.extend(["500", "400"])
    topup = topups.pay(begin(ada, card=card))
    assert sweep_at(topup, MINUTE).status == "failed"
    assert (len(bank.payments), credits(ada)) == (0, [])


def test_auto_topup_pays_once_while_our_credentials_come_and_go(
    ada: User, card: str, bank: Processor
) -> None:
    bank.faults.append("lost")
    auto = turn_on(ada, card=card, now=clock())
    [topup] = TopUp.objects.all()
    bank.locked = True
    assert sweep_at(topup, MINUTE).status == "unknown"
    bank.locked = False
    for hours in (0, 1, 2, 24):
        auto_charge.attempt_due(now=clock() + hours * HOUR)
    assert sweep_at(topup, 2 * MINUTE).status == "succeeded"
    assert (len(bank.payments), credits(ada), auto.enabled) == (1, [25], True)


def test_it_asks_for_no_money_with_a_key_older_than_23_hours(ada: User, card: str, bank: Processor) -> None:
    """The processor has forgotten the key: the same request would be a second payment."""
    bank.faults.append("lost")
    topup = topups.pay(begin(ada, card=card))
    bank.forget_keys()
    assert sweep_at(topup, 23 * HOUR).status == "succeeded"
    assert (len(bank.payments), bank.charges(), credits(ada)) == (1, 1, [25])


def test_it_is_settled_by_a_processor_that_comes_and_goes(ada: User, card: str, bank: Processor) -> None:
    bank.faults.extend(["lost", "500", "html", "503", "lost"] * 4)
    topup = topups.pay(begin(ada, card=card))
    for minutes in range(1, 25):
        sweep_at(topup, minutes * MINUTE)
    assert topup.status == "succeeded"
    assert (len(bank.payments), credits(ada)) == (1, [25])


def test_it_tells_the_api_s_caller_that_it_is_on_its_way(
    ada: User, ada_key: str, card: str, bank: Processor
) -> None:
    """202, the same top-up when the caller repeats, and 201 once the sweep has found out."""
    bank.faults.append("hang")
    api, body = ApiClient(), {"amount": 25, "payment_method_id": card}
    first = api.post("/billing/v3/topup", body, key=ada_key, Idempotency_Key="order-1")
    assert (first.status_code, read(first)["status"]) == (202, "processing")
    again = api.post("/billing/v3/topup", body, key=ada_key, Idempotency_Key="order-1")
    assert (again.status_code, read(again)["id"]) == (202, read(first)["id"])
    sweep_at(TopUp.objects.get(), MINUTE)
    last = api.post("/billing/v3/topup", body, key=ada_key, Idempotency_Key="order-1")
    assert (last.status_code, read(last)["status"]) == (201, "succeeded")
    assert (len(bank.payments), credits(ada)) == (1, [25])


@pytest.mark.parametrize("fault", ["hang", "500"])
def test_its_pages_and_usage_go_on(
    ada: User, ada_key: str, card: str, bank: Processor, client: Client, fault: str
) -> None:
    """No page asks the processor to be shown; the top-up's own says what is known."""
    bank.faults.append(fault)
    topup = topups.pay(begin(ada, card=card))
    asked = len(bank.asked)
    client.force_login(ada)
    for path in ("/settings/billing/", "/settings/billing/add-funds/", "/settings/billing/payment-methods/"):
        assert client.get(path).status_code == 200
    page = client.get(f"/settings/billing/topups/{topup.public_id}/")
    assert b"Confirming your payment" in page.content
    told = ApiClient().post(
        "/billing/v3/usage", {"event_id": "e", "type": "voice", "seconds": 1}, key=ada_key
    )
    assert told.status_code == 201
    assert len(bank.asked) == asked


def test_it_says_so_where_the_processor_is_away(
    ada: User, bank: Processor, client: Client, settings: Settings
) -> None:
    """No customer there yet and nobody to ask for one: nothing was begun, and the form says so."""
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    client.force_login(ada)
    away = StripeGateway(
        secret_key="sk_test_51NotARealKey", webhook_secrets=[], mode=Mode.STRIPE_TEST,
        api_base="http://127.0.0.1:1", timeout=0.5,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as gone:
        gone.setattr(gateways, "gateway", lambda: away)
        page = client.post(
            "/settings/billing/add-funds/", {"preset": "25", "method": "new", "topup": "top_" + "0" * 26}
        )
    assert b"does not answer. Nothing was charged" in page.content
    assert not TopUp.objects.exists()
