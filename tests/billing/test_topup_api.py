"""POST /billing/v3/topup and GET /billing/v3/payment-methods."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse

from accounts import redis_link
from accounts.models import Scope, User
from billing import gateways, ledger, payment_methods, topups
from billing.models import LedgerEntry, SandboxPayment, TopUp
from tests import factories
from tests.api_client import ApiClient, read
from tests.billing.paying import LosesAnswers, Silent, clock, credits, in_parallel, save_card

pytestmark = pytest.mark.django_db
PATH = "/billing/v3/topup"


def top_up(api: ApiClient, key: str, card: str, amount: Any = 25.00, **headers: str) -> HttpResponse:
    return api.post(PATH, {"amount": amount, "payment_method_id": card}, key=key, **headers)


def test_it_adds_funds_with_a_saved_card(ada: User, ada_key: str, api: ApiClient) -> None:
    """S28: the seed's call, as printed. S25: usable at once. S24: by card. S1: top-ups add."""
    card = save_card(ada)
    response = api.post(PATH, f'{{"amount": 25.00, "payment_method_id": "{card}"}}', key=ada_key)
    body = read(response)
    topup = TopUp.objects.get()
    assert response.status_code == 201
    assert list(body) == ["id", "status", "amount", "balance", "created_at"]
    assert (body["id"], body["status"]) == (topup.public_id, "succeeded")
    assert (body["amount"], body["balance"]) == (Decimal("25.00"), Decimal("26.00"))
    assert body["created_at"].endswith("Z")
    assert credits(ada) == [Decimal(25)]


@pytest.mark.parametrize(
    ("amount", "status"),
    [
        ("4.99", 422), ("0", 422), ("-25", 422), ("25.005", 422), ('"25"', 422), ("true", 422), ("null", 422),
        ("1e400", 422), ("1e9", 422), ("1e-400", 422), ("1000.01", 422), ("[25]", 422), ("{}", 422),
        ("NaN", 400), ("Infinity", 400), ("1e99999999999999999999", 400), ("9" * 19, 400), ("", 400),
    ],
)  # fmt: skip
def test_it_refuses_amounts(ada: User, ada_key: str, api: ApiClient, amount: str, status: int) -> None:
    """S23: the minimum is $5. Every bad amount is named, nothing is charged, nothing is written."""
    card = save_card(ada)
    response = api.post(PATH, f'{{"amount": {amount}, "payment_method_id": "{card}"}}', key=ada_key)
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    if status == 422:
        assert [error["pointer"] for error in read(response)["errors"]] == ["/amount"]
    assert not TopUp.objects.exists()
    assert not SandboxPayment.objects.exists()


@pytest.mark.parametrize("amount", ["5", "5.00", "1000", "1000.00", "25.5", "2.5e1", "25.000"])
def test_it_takes_amounts_up_to_both_limits(ada: User, ada_key: str, api: ApiClient, amount: str) -> None:
    """S23: exactly $5 is enough."""
    card = save_card(ada)
    response = api.post(PATH, f'{{"amount": {amount}, "payment_method_id": "{card}"}}', key=ada_key)
    assert response.status_code == 201
    assert credits(ada) == [Decimal(amount)]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"amount": 25}, "/payment_method_id"),
        ({"payment_method_id": "pm_x"}, "/amount"),
        ({"amount": 25, "payment_method_id": ""}, "/payment_method_id"),
        ({"amount": 25, "payment_method_id": 7}, "/payment_method_id"),
        ({"amount": 25, "payment_method_id": "pm_x", "currency": "eur"}, "/currency"),
    ],
)
def test_it_names_the_field_that_is_wrong(
    ada_key: str, api: ApiClient, body: dict[str, Any], pointer: str
) -> None:
    response = api.post(PATH, body, key=ada_key)
    assert response.status_code == 422
    assert [error["pointer"] for error in read(response)["errors"]] == [pointer]


def test_it_answers_a_stranger_s_card_like_one_that_does_not_exist(
    ada: User, cy: User, ada_key: str, api: ApiClient
) -> None:
    foreign, removed = save_card(cy), save_card(ada)
    payment_methods.remove(ada.account_id, removed, now=clock())
    answers = [top_up(api, ada_key, card) for card in (foreign, removed, "pm_abc123", "pm_card_visa")]
    bodies = [{**read(answer), "request_id": None} for answer in answers]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 404]
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["code"] == "payment_method_not_found"
    assert not TopUp.objects.exists()


def test_it_judges_the_amount_before_the_card(ada: User, ada_key: str, api: ApiClient) -> None:
    assert top_up(api, ada_key, "pm_abc123", 4.99).status_code == 422


def test_it_needs_the_scope(ada: User, platform_key: str, api: ApiClient) -> None:
    weak = factories.key(ada.account, scopes=[Scope.USAGE_WRITE, Scope.BALANCE_READ])
    for key in (weak, platform_key):
        assert read(top_up(api, key, "pm_x"))["code"] == "missing_scope"
        assert read(api.get("/billing/v3/payment-methods", key=key))["code"] == "missing_scope"


# --- Declines, confirmations, silence -------------------------------------------------------------------------


def test_it_answers_a_decline_with_the_bank_s_reason(ada: User, ada_key: str, api: ApiClient) -> None:
    card = save_card(ada, "pm_card_chargeCustomerFail")
    response = top_up(api, ada_key, card)
    body = read(response)
    assert response.status_code == 402
    assert (body["code"], body["decline_code"]) == ("card_declined", "generic_decline")
    assert "Nothing was charged" in body["detail"]
    assert credits(ada) == []
    assert TopUp.objects.get().status == "failed"


def test_it_sends_the_card_holder_to_confirm(ada: User, ada_key: str, api: ApiClient) -> None:
    """Off session, a card that wants 3-D Secure waits; the 402 of usage says where to confirm it."""
    card = save_card(ada, "pm_card_authenticationRequired")
    response = top_up(api, ada_key, card)
    body = read(response)
    topup = TopUp.objects.get()
    page = f"http://127.0.0.1:8000/settings/billing/topups/{topup.public_id}/"
    assert response.status_code == 202
    assert (body["status"], body["action_url"]) == ("requires_action", page)
    assert body["balance"] == Decimal("1.00")
    assert topups.in_progress(ada.account_id) == (True, page)
    assert credits(ada) == []


def test_it_confirms_the_same_payment(ada: User, ada_key: str, api: ApiClient) -> None:
    top_up(api, ada_key, save_card(ada, "pm_card_authenticationRequired"))
    waiting = topups.confirm(TopUp.objects.get())
    assert waiting.action_url.endswith(f"/sandbox/3ds/{waiting.payment_id}/")
    gateways.sandbox_bank.answer_challenge(waiting.payment_id, confirmed=True, now=clock())
    assert topups.look(waiting).status == "succeeded"
    assert SandboxPayment.objects.count() == 1
    assert credits(ada) == [Decimal(25)]


def test_it_says_processing_while_the_outcome_is_unknown(
    ada: User, ada_key: str, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = save_card(ada)
    monkeypatch.setattr(gateways, "gateway", LosesAnswers)
    response = top_up(api, ada_key, card, Idempotency_Key="k-1")
    assert (response.status_code, read(response)["status"]) == (202, "processing")
    assert TopUp.objects.get().status == "unknown"
    monkeypatch.undo()
    topups.pay(TopUp.objects.get())
    again = top_up(api, ada_key, card, Idempotency_Key="k-1")
    assert (again.status_code, read(again)["status"]) == (201, "succeeded")
    assert credits(ada) == [Decimal(25)]


def test_it_works_while_frozen(ada: User, ada_key: str, api: ApiClient) -> None:
    card = save_card(ada)
    ledger.freeze(ada.account_id, by="owner", frozen=True)
    assert top_up(api, ada_key, card).status_code == 201


def test_it_works_without_redis(ada: User, ada_key: str, api: ApiClient, settings: Any) -> None:
    """Nothing about a payment is kept in Redis: its limits count rows."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    redis_link.client.cache_clear()
    try:
        assert top_up(api, ada_key, save_card(ada)).status_code == 201
    finally:
        redis_link.client.cache_clear()


# --- Repeating is safe ----------------------------------------------------------------------------------------


def test_it_replays_an_idempotency_key(ada: User, ada_key: str, api: ApiClient) -> None:
    card = save_card(ada)
    first = top_up(api, ada_key, card, Idempotency_Key="order-1")
    again = top_up(api, ada_key, card, Idempotency_Key="order-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert read(first) == read(again)
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert credits(ada) == [Decimal(25)]


def test_it_replays_a_decline(ada: User, ada_key: str, api: ApiClient) -> None:
    card = save_card(ada, "pm_card_chargeCustomerFail")
    for _ in range(2):
        response = top_up(api, ada_key, card, Idempotency_Key="order-1")
        assert (response.status_code, read(response)["code"]) == (402, "card_declined")
    assert response["Idempotent-Replayed"] == "true"
    assert TopUp.objects.count() == 1


def test_it_refuses_a_key_with_another_request(ada: User, ada_key: str, api: ApiClient) -> None:
    card, other = save_card(ada), save_card(ada, "pm_card_mastercard")
    top_up(api, ada_key, card, Idempotency_Key="order-1")
    for response in (
        top_up(api, ada_key, card, 30, Idempotency_Key="order-1"),
        top_up(api, ada_key, other, Idempotency_Key="order-1"),
    ):
        assert (response.status_code, read(response)["code"]) == (422, "idempotency_key_reused")
    assert credits(ada) == [Decimal(25)]


def test_it_keeps_the_keys_of_accounts_apart(ada: User, cy: User, ada_key: str, api: ApiClient) -> None:
    top_up(api, ada_key, save_card(ada), Idempotency_Key="order-1")
    response = top_up(api, factories.key(cy.account), save_card(cy), Idempotency_Key="order-1")
    assert (response.status_code, "Idempotent-Replayed" in response) == (201, False)


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "tab\t"])
def test_it_refuses_keys_that_are_not_printable(ada: User, ada_key: str, api: ApiClient, key: str) -> None:
    response = top_up(api, ada_key, save_card(ada), Idempotency_Key=key)
    assert response.status_code == 422
    assert [error["pointer"] for error in read(response)["errors"]] == ["/Idempotency-Key"]


def test_it_takes_the_same_request_within_ten_seconds_for_one(
    ada: User, ada_key: str, api: ApiClient
) -> None:
    card = save_card(ada)
    first = top_up(api, ada_key, card)
    again = top_up(api, ada_key, card)
    assert read(again)["id"] == read(first)["id"]
    assert again["Idempotent-Replayed"] == "true"
    assert read(top_up(api, ada_key, card, 26))["id"] != read(first)["id"]
    with time_machine.travel(clock() + timedelta(seconds=11)):
        assert read(top_up(api, ada_key, card))["id"] != read(first)["id"]
    assert credits(ada) == [Decimal(25), Decimal(26), Decimal(25)]


def test_it_lets_a_declined_request_be_sent_again_at_once(ada: User, ada_key: str, api: ApiClient) -> None:
    card = save_card(ada, "pm_card_chargeCustomerFail")
    ids = {read(top_up(api, ada_key, card))["topup"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [{"Idempotency_Key": "order-1"}, {}])
def test_it_pays_once_for_twenty_requests_at_once(ada: User, ada_key: str, headers: dict[str, str]) -> None:
    """Twenty in the same moment: one row, one payment, one credit."""
    card = save_card(ada)
    answers = in_parallel(20, lambda _: top_up(ApiClient(), ada_key, card, **headers))
    assert {answer.status_code for answer in answers} <= {201, 202}
    assert len({read(answer)["id"] for answer in answers}) == 1
    assert SandboxPayment.objects.count() == 1
    assert credits(ada) == [Decimal(25)]


# --- Limits ---------------------------------------------------------------------------------------------------


def test_it_takes_ten_top_ups_an_hour(ada: User, ada_key: str, api: ApiClient) -> None:
    card = save_card(ada)
    for number in range(10):
        assert top_up(api, ada_key, card, Idempotency_Key=f"n-{number}").status_code == 201
    refused = top_up(api, ada_key, card, Idempotency_Key="n-10")
    assert (refused.status_code, read(refused)["code"]) == (429, "rate_limited")
    assert 3500 < int(refused["Retry-After"]) <= 3600
    assert refused["RateLimit-Policy"] == '"topups";q=10;w=3600'
    assert top_up(api, ada_key, card, Idempotency_Key="n-3").status_code == 201  # a replay is no new one
    with time_machine.travel(clock() + timedelta(hours=1, seconds=5)):
        assert top_up(api, ada_key, card, Idempotency_Key="n-10").status_code == 201


def test_it_rests_a_day_after_five_declines(ada: User, ada_key: str, api: ApiClient) -> None:
    bad, good = save_card(ada, "pm_card_chargeCustomerFail"), save_card(ada)
    for _ in range(5):
        assert top_up(api, ada_key, bad).status_code == 402
    refused = top_up(api, ada_key, good)
    assert (refused.status_code, read(refused)["code"]) == (429, "card_testing")
    assert 86_000 < int(refused["Retry-After"]) <= 86_400
    with time_machine.travel(clock() + timedelta(hours=23, minutes=59)):
        assert top_up(api, ada_key, good).status_code == 429
    with time_machine.travel(clock() + timedelta(hours=24, seconds=5)):
        assert top_up(api, ada_key, good).status_code == 201


def test_it_does_not_rest_when_declines_are_spread(ada: User, ada_key: str, api: ApiClient) -> None:
    bad = save_card(ada, "pm_card_chargeCustomerFail")
    for number in range(6):
        with time_machine.travel(clock() + timedelta(minutes=16 * number)):
            assert top_up(api, ada_key, bad).status_code == 402


# --- Payment methods ------------------------------------------------------------------------------------------


def test_it_lists_the_saved_cards(ada: User, cy: User, ada_key: str, api: ApiClient) -> None:
    visa, amex = save_card(ada), save_card(ada, "pm_card_amex")
    save_card(cy)
    response = api.get("/billing/v3/payment-methods", key=ada_key)
    shown = {"exp_month": 12, "exp_year": 2034}
    assert response.status_code == 200
    assert read(response) == {
        "payment_methods": [
            {"id": visa, "brand": "visa", "last4": "4242", **shown, "default": True},
            {"id": amex, "brand": "amex", "last4": "0005", **shown, "default": False},
        ]
    }


def test_it_lists_nothing_for_a_new_account(ada_key: str, api: ApiClient) -> None:
    assert read(api.get("/billing/v3/payment-methods", key=ada_key)) == {"payment_methods": []}


def test_it_leaves_no_trace_of_a_request_that_never_arrived(
    ada: User, ada_key: str, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = save_card(ada)
    monkeypatch.setattr(gateways, "gateway", Silent)
    assert top_up(api, ada_key, card).status_code == 202
    assert not SandboxPayment.objects.exists()
    assert not LedgerEntry.objects.filter(kind="topup").exists()
