"""Every request that we send is one that Stripe's own OpenAPI document allows, under the key of our row."""

import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs
import pytest
import stripe
from stripe.params import (
    CustomerCreateParams,
    PaymentIntentCancelParams,
    PaymentIntentConfirmParams,
    PaymentIntentCreateParams,
    PaymentIntentListParams,
    RefundCreateParams,
    RefundListParams,
)
from stripe.params.checkout import SessionCreateParams

from billing.gateways import Card, Page, Status, stripe_events
from billing.gateways.stripe import RETRIES, TIMEOUT
from billing.installation import installation_id
from tests.billing.gateways import openapi
from tests.billing.gateways import stripe_answers as answers
from tests.billing.gateways.conftest import Wire

pytestmark = pytest.mark.django_db
EXPIRES = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
PAGE = {
    "reference": "top_1", "customer": "cus_1", "amount": 2500, "currency": "usd",
    "description": "Account credit", "success_url": "https://x/ok", "cancel_url": "https://x/no",
    "save_card": True, "expires_at": EXPIRES,
}  # fmt: skip
SETUP = {
    "reference": "acct_1", "customer": "cus_1", "currency": "usd",
    "success_url": "https://x/ok", "cancel_url": "https://x/no",
}  # fmt: skip
CHARGE = {
    "reference": "top_1", "customer": "cus_1", "card": "pm_1", "amount": 2500, "currency": "usd",
    "description": "Account credit", "off_session": True, "return_url": "https://x/back",
}  # fmt: skip
CONFIRM = {"reference": "top_1:1", "payment_id": "pi_1", "card": "pm_1", "return_url": "https://x/back"}
REFUND = {"reference": "ref_1", "payment_id": "pi_1", "amount": 1000}
SPAN = {"since": datetime(2026, 11, 20, tzinfo=UTC), "until": datetime(2026, 11, 23, tzinfo=UTC)}

CALLS: dict[str, tuple[str, dict[str, Any], list[str]]] = {  # method, arguments, what Stripe is asked
    "customer": (
        "create_customer", {"reference": "acct_1:1", "email": "ada@example.com"}, ["POST /v1/customers"],
    ),
    "checkout": ("checkout", PAGE, ["POST /v1/checkout/sessions"]),
    "checkout, card not saved": ("checkout", PAGE | {"save_card": False}, ["POST /v1/checkout/sessions"]),
    "card setup": ("card_setup", SETUP, ["POST /v1/checkout/sessions"]),
    "charge off session": ("charge", CHARGE, ["POST /v1/payment_intents"]),
    "charge on session": ("charge", CHARGE | {"off_session": False}, ["POST /v1/payment_intents"]),
    "confirm": ("confirm", CONFIRM, ["POST /v1/payment_intents/{intent}/confirm"]),
    "payment": ("payment", {"payment_id": "pi_1"}, ["GET /v1/payment_intents/{intent}"]),
    "find payment": ("find_payment", {"customer": "cus_1", "reference": "no"}, ["GET /v1/payment_intents"]),
    "payments": ("payments", SPAN, ["GET /v1/payment_intents"]),
    "cancel": ("cancel", {"payment_id": "pi_1"}, ["POST /v1/payment_intents/{intent}/cancel"]),
    "close page": (
        "close_page", {"page_id": "cs_1"},
        ["GET /v1/checkout/sessions/{session}", "POST /v1/checkout/sessions/{session}/expire"],
    ),
    "cards": ("cards", {"customer": "cus_1"}, ["GET /v1/customers/{customer}/payment_methods"]),
    "remove card": ("remove_card", {"card": "pm_1"}, ["POST /v1/payment_methods/{payment_method}/detach"]),
    "refund": ("refund", REFUND, ["POST /v1/refunds"]),
    "refunds": ("refunds", {"payment_id": "pi_1"}, ["GET /v1/refunds"]),
}  # fmt: skip
PINNED_PARAMETERS = {  # of the pinned version, which is younger than the document
    "POST /v1/checkout/sessions": SessionCreateParams,
    "POST /v1/customers": CustomerCreateParams,
    "POST /v1/payment_intents": PaymentIntentCreateParams,
    "POST /v1/payment_intents/{intent}/confirm": PaymentIntentConfirmParams,
    "POST /v1/payment_intents/{intent}/cancel": PaymentIntentCancelParams,
    "POST /v1/refunds": RefundCreateParams,
    "GET /v1/payment_intents": PaymentIntentListParams,
    "GET /v1/refunds": RefundListParams,
}
KEYS = {
    "customer": "customer:acct_1:1", "checkout": "checkout:top_1", "checkout, card not saved": "checkout:top_1",
    "charge off session": "charge:top_1", "charge on session": "charge:top_1", "confirm": "confirm:top_1:1",
    "refund": "refund:ref_1",
}  # fmt: skip
ANSWER = {
    "create_customer": lambda: {"id": "cus_1", "object": "customer"},
    "checkout": answers.session, "card_setup": answers.session, "close_page": answers.session,
    "charge": answers.intent, "confirm": answers.intent, "payment": answers.intent, "cancel": answers.intent,
    "find_payment": lambda: answers.listed(answers.intent()), "payments": lambda: answers.listed(answers.intent()),
    "cards": lambda: answers.listed(answers.method()), "remove_card": answers.method,
    "refund": answers.refund, "refunds": lambda: answers.listed(answers.refund()),
}  # fmt: skip


def call(wire: Wire, name: str) -> list[dict[str, str]]:
    """Make a call of the list; the forms of its requests, each checked against Stripe's document."""
    method, arguments, _ = CALLS[name]
    wire.answer(ANSWER[method]())
    positional = method in ("payment", "cancel", "close_page", "cards", "remove_card", "refunds")
    asked = getattr(wire.gateway(), method)
    found = asked(*arguments.values()) if positional else asked(**arguments)
    if method == "payments":
        assert [payment.id for payment in found] == ["pi_1"]
    return [checked(request) for request in wire.sent]


def checked(request: Any) -> dict[str, str]:
    form = request.get_data(as_text=True) or request.query_string.decode()
    openapi.check(request.method, request.path, form)
    return dict(parse_qsl(form))


@pytest.mark.parametrize("name", CALLS)
def test_it_sends_what_stripe_s_document_allows(wire: Wire, name: str) -> None:
    call(wire, name)
    asked = [openapi.operation(request.method, request.path) for request in wire.sent]
    assert asked == CALLS[name][2]


@pytest.mark.parametrize("name", CALLS)
def test_it_names_the_pinned_version_and_never_the_way_to_pay(wire: Wire, name: str) -> None:
    for form in call(wire, name):
        assert not [field for field in form if "payment_method_types" in field]
    for request in wire.sent:
        assert request.headers["Stripe-Version"] == "2026-10-28.endive" == stripe_events.PINNED
        assert request.headers["Authorization"] == "Bearer sk_test_x"


@pytest.mark.parametrize("name", CALLS)
def test_it_sends_what_the_pinned_version_knows(wire: Wire, name: str) -> None:
    for form, request in zip(call(wire, name), wire.sent, strict=True):
        known = PINNED_PARAMETERS.get(openapi.operation(request.method, request.path))
        if known:
            assert {field.partition("[")[0] for field in form} <= set(known.__annotations__)
    assert "payment_method_types" not in PaymentIntentCreateParams.__annotations__


@pytest.mark.parametrize("name", [name for name in CALLS if CALLS[name][2][-1].startswith("POST")])
def test_a_key_comes_from_our_row_wherever_money_could_move_twice(wire: Wire, name: str) -> None:
    call(wire, name)
    if name in KEYS:
        assert wire.keys() == [KEYS[name]]
    else:  # harmless twice: one of the package's own
        assert uuid.UUID(wire.keys()[-1])


@pytest.mark.parametrize("name", ["customer", "checkout", "card setup", "charge off session", "refund"])
def test_metadata_lead_back_to_our_row_and_installation(wire: Wire, name: str) -> None:
    [form] = call(wire, name)
    row = {"customer": "account", "refund": "refund", "card setup": "account"}.get(name, "topup")
    ours = {"account": "acct_1", "refund": "ref_1", "topup": "top_1"}[row]
    assert (form[f"metadata[{row}]"], form["metadata[installation]"]) == (ours, installation_id())
    if name in ("checkout", "card setup"):
        inner = "payment_intent_data" if name == "checkout" else "setup_intent_data"
        assert form[f"{inner}[metadata][{row}]"] == ours
        assert form[f"{inner}[metadata][installation]"] == installation_id()


def test_the_page_asks_for_what_the_row_says(wire: Wire) -> None:
    """S24: a new card, on Stripe's own page, saved only where the customer ticked the box."""
    [form] = call(wire, "checkout")
    assert (form["mode"], form["customer"], form["expires_at"]) == ("payment", "cus_1", "1795449600")
    assert form["line_items[0][price_data][unit_amount]"] == "2500"
    assert form["payment_intent_data[description]"] == "Account credit"
    assert form["payment_intent_data[setup_future_usage]"] == "off_session"


def test_the_page_saves_no_card_unasked(wire: Wire) -> None:
    [form] = call(wire, "checkout, card not saved")
    assert "payment_intent_data[setup_future_usage]" not in form


def test_a_saved_card_is_charged_at_once(wire: Wire) -> None:
    """S24: a saved card. Off session nobody can be sent anywhere; on session the bank may want the holder."""
    [off] = call(wire, "charge off session")
    assert (off["confirm"], off["off_session"], off["payment_method"]) == ("true", "true", "pm_1")
    assert "return_url" not in off
    wire.sent.clear()
    [on] = call(wire, "charge on session")
    assert on["return_url"] == "https://x/back"
    assert "off_session" not in on


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ("amount=2500&currency=usd&bogus=1", "bogus"),
        ("amount=2500&currency=usd&payment_method_types[0]=card", "payment_method_types"),
        ("amount=2500&currency=usd&metadata=x", "metadata"),
        ("amount=25.00&currency=usd", "amount"),
        ("amount=2500&currency=usd&confirm=maybe", "confirm"),
        ("amount=2500&currency=usd&shipping[name]=Ada&shipping[address][planet]=Mars", "planet"),
        ("currency=usd", "amount"),
    ],
)
def test_the_check_bites(form: str, why: str) -> None:
    with pytest.raises(jsonschema_rs.ValidationError) as refusal:
        openapi.check("POST", "/v1/payment_intents", form)
    assert why in f"{refusal.value.message} {refusal.value.instance_path} {refusal.value}"


def test_the_check_knows_no_other_operation() -> None:
    with pytest.raises(AssertionError):
        openapi.check("POST", "/v1/charges", "amount=2500")


# --- what is read from the answers ---


def test_it_reads_the_card_the_receipt_and_what_went_back(wire: Wire) -> None:
    gone = answers.charge(amount_refunded=1000, refunded=False)
    payment = wire.answer(answers.intent(latest_charge=gone)).gateway().payment("pi_1")
    assert (payment.status, payment.received, payment.customer) == (Status.SUCCEEDED, 2500, "cus_1")
    assert (payment.brand, payment.last4, payment.card) == ("visa", "4242", "pm_1")
    assert (payment.receipt_url, payment.refunded) == ("https://pay.stripe.com/receipts/1", 1000)
    assert (payment.reference, payment.installation) == ("top_1", installation_id())
    assert dict(parse_qsl(wire.sent[0].query_string.decode())) == {"expand[0]": "latest_charge"}


@pytest.mark.parametrize(
    ("details", "shown"),
    [
        ({"type": "us_bank_account", "us_bank_account": {"last4": "6789"}}, ("us_bank_account", "6789")),
        ({"type": "link", "link": {"country": "US"}}, ("link", "")),
        ({"type": "cashapp"}, ("cashapp", "")),
        ({"type": "card", "card": answers.VISA | {"brand": "amex", "last4": "0005", "wallet": None}}, ("amex", "0005")),
    ],
)  # fmt: skip
def test_it_names_other_ways_to_pay(wire: Wire, details: dict[str, Any], shown: tuple[str, str]) -> None:
    paid = answers.intent(latest_charge=answers.charge(payment_method_details=details))
    payment = wire.answer(paid).gateway().payment("pi_1")
    assert (payment.brand, payment.last4) == shown


def test_it_reads_an_answer_with_hardly_anything_in_it(wire: Wire) -> None:
    """Since package 15 an absent field raises; the smallest intent that Stripe could send does not."""
    bare = {
        "id": "pi_1", "object": "payment_intent", "amount": 5, "amount_received": 0,
        "currency": "usd", "status": "requires_capture",
    }  # fmt: skip
    payment = wire.answer(bare).gateway().payment("pi_1")
    assert (payment.status, payment.reference, payment.customer) == (Status.OPEN, None, None)


def test_it_says_where_the_holder_confirms(wire: Wire) -> None:
    to = {
        "type": "redirect_to_url",
        "redirect_to_url": {"url": "https://hooks.stripe.com/3ds", "return_url": "x"},
    }
    waiting = answers.intent(status="requires_action", amount_received=0, next_action=to, latest_charge=None)
    payment = wire.answer(waiting).gateway().charge(**CHARGE | {"off_session": False})
    assert (payment.status, payment.action_url) == (Status.REQUIRES_ACTION, "https://hooks.stripe.com/3ds")


def test_it_finds_a_payment_on_a_later_page(wire: Wire) -> None:
    others = [answers.intent(id=f"pi_{n}", metadata={"topup": f"top_{n}"}) for n in (3, 2)]
    wire.answer(answers.listed(*others, more=True)).answer(answers.listed(answers.intent()))
    found = wire.gateway().find_payment(customer="cus_1", reference="top_1")
    assert found is not None
    assert found.id == "pi_1"
    assert [request.args.get("starting_after") for request in wire.sent] == [None, "pi_2"]
    for request in wire.sent:
        checked(request)


def test_it_reads_cards_and_pages(wire: Wire) -> None:
    wire.answer(answers.listed(answers.method(), url="/v1/customers/cus_1/payment_methods"))
    assert wire.gateway().cards("cus_1") == [Card("pm_1", "cus_1", "visa", "4242", 12, 2034)]
    wire.answers.clear()
    page = wire.answer(answers.session()).gateway().checkout(**PAGE)
    assert page == Page("cs_1", "https://checkout.stripe.com/c/pay/cs_1")


def test_it_leaves_a_page_that_is_closed(wire: Wire) -> None:
    wire.answer(answers.session(status="complete")).gateway().close_page("cs_1")
    assert [request.method for request in wire.sent] == ["GET"]


def test_it_waits_at_most_twenty_seconds_for_a_try(wire: Wire) -> None:
    wire.gateway()
    assert TIMEOUT <= 20
    assert RETRIES <= 2
    assert stripe.enable_telemetry is False
