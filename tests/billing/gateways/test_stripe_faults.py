"""What the official package makes of a Stripe that fails, and what billing makes of that: never a second payment."""

import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from billing import gateways, payment_methods, topup_sweep, topups
from billing.gateways import (
    Card,
    Gateway,
    Misconfigured,
    Payment,
    ReferenceReused,
    Rejected,
    Status,
    Unavailable,
)
from billing.gateways.stripe import RETRIES
from billing.gateways.stripe_line import CALLS, PATIENCE
from billing.models import Customer, TopUp
from tests.billing.gateways import stripe_answers as answers
from tests.billing.gateways.conftest import Wire
from tests.billing.gateways.test_stripe_wire import CHARGE, CONFIRM, REFUND
from tests.billing.paying import begin, clock, credits

pytestmark = pytest.mark.django_db
API_ERROR = {"error": {"type": "api_error", "message": "An unknown error occurred"}}


def charge(wire: Wire, **changes: Any) -> Payment:
    return wire.gateway(**changes).charge(**CHARGE)


@pytest.mark.parametrize(
    ("status", "body", "raised", "tries"),
    [
        (500, API_ERROR, Unavailable, 1 + RETRIES),
        (503, API_ERROR, Unavailable, 1 + RETRIES),
        (502, "<html><h1>Bad gateway</h1></html>", Unavailable, 1 + RETRIES),
        (504, "", Unavailable, 1 + RETRIES),
        (409, answers.error(type="idempotency_error", code="idempotency_key_in_use"), Unavailable, 1 + RETRIES),
        (429, answers.error(code="rate_limit"), Unavailable, 1),
        (400, answers.error(code="rate_limit"), Unavailable, 1),
        (200, "<html>Please sign in to our hotel's network</html>", Unavailable, 1),
        (200, {"hello": "world"}, Unavailable, 1),
        (200, [], Unavailable, 1),
        (400, answers.error(type="idempotency_error"), ReferenceReused, 1),
        (401, answers.error(), Misconfigured, 1),
        (403, answers.error(), Misconfigured, 1),
        (400, answers.error(code="amount_too_small", param="amount"), Rejected, 1),
        (404, answers.error(code="resource_missing", param="payment_method"), Rejected, 1),
    ],
)  # fmt: skip
def test_it_says_what_may_have_happened(
    wire: Wire, status: int, body: Any, raised: type[Exception], tries: int
) -> None:
    """Unknown is repeated under the same key; refused is not; our own mistakes are called that."""
    wire.answer(body, status)
    with pytest.raises(raised):
        charge(wire)
    assert wire.keys() == ["charge:top_1"] * tries


def test_it_repeats_nothing_that_stripe_asks_not_to(wire: Wire) -> None:
    wire.answer(API_ERROR, 500, **{"Stripe-Should-Retry": "false"})
    with pytest.raises(Unavailable):
        charge(wire)
    assert wire.keys() == ["charge:top_1"]


def test_a_lost_answer_is_asked_for_again_under_the_same_key(wire: Wire) -> None:
    wire.answer(API_ERROR, 500).answer(answers.intent(latest_charge=answers.charge()))
    assert charge(wire).status is Status.SUCCEEDED
    assert wire.keys() == ["charge:top_1", "charge:top_1"]
    first, again = (request.get_data() for request in wire.sent)
    assert first == again


def test_a_refusal_says_what_it_is_about(wire: Wire) -> None:
    wire.answer(answers.error(code="resource_missing", param="customer", message="No such customer"), 400)
    with pytest.raises(Rejected, match="No such customer") as refusal:
        charge(wire)
    assert (refusal.value.code, refusal.value.param) == ("resource_missing", "customer")


# --- declines ---


def test_a_decline_is_a_value(wire: Wire) -> None:
    """The payment that Stripe made of it is named, and the card of which it was."""
    said = answers.declined()
    wire.answer({"error": said | {"payment_intent": answers.unpaid(said, id="pi_7")}}, 402)
    payment = charge(wire)
    assert (payment.id, payment.status, payment.received) == ("pi_7", Status.FAILED, 0)
    assert (payment.code, payment.decline_code) == ("card_declined", "insufficient_funds")
    assert (payment.message, payment.retryable) == ("Your card has insufficient funds.", True)
    assert (payment.brand, payment.last4, payment.reference) == ("visa", "4242", "top_1")
    assert wire.keys() == ["charge:top_1"]


def test_a_decline_without_a_payment_is_a_value_too(wire: Wire) -> None:
    wire.answer({"error": answers.declined("expired_card", None)}, 402)
    payment = charge(wire)
    assert (payment.id, payment.status, payment.code) == ("", Status.FAILED, "expired_card")
    assert (payment.amount, payment.customer, payment.reference) == (2500, "cus_1", "top_1")
    assert not payment.retryable


def test_a_decline_while_confirming_is_of_the_same_payment(wire: Wire) -> None:
    said = answers.declined("payment_intent_authentication_failure", None)
    wire.answer({"error": said}, 402).answer(answers.unpaid(said))
    payment = wire.gateway().confirm(**CONFIRM)
    assert (payment.id, payment.status) == ("pi_1", Status.FAILED)
    assert payment.code == "payment_intent_authentication_failure"


def test_a_decline_while_another_window_paid_is_a_success(wire: Wire) -> None:
    wire.answer({"error": answers.declined()}, 402).answer(answers.intent())
    assert wire.gateway().confirm(**CONFIRM).status is Status.SUCCEEDED


def test_an_off_session_payment_that_wants_its_holder_fails_and_can_be_confirmed(wire: Wire) -> None:
    said = answers.declined("authentication_required", "authentication_required")
    wire.answer({"error": said | {"payment_intent": answers.unpaid(said)}}, 402)
    payment = charge(wire)
    assert (payment.id, payment.code, payment.retryable) == ("pi_1", "authentication_required", False)


def test_canceling_too_late_answers_what_it_is(wire: Wire) -> None:
    wire.answer(answers.error(code="payment_intent_unexpected_state"), 400).answer(answers.intent())
    assert wire.gateway().cancel("pi_1").status is Status.SUCCEEDED


def test_a_refund_that_stripe_refuses(wire: Wire) -> None:
    wire.answer(answers.error(code="charge_already_refunded"), 400)
    with pytest.raises(Rejected) as refusal:
        wire.gateway().refund(**REFUND)
    assert refusal.value.code == "charge_already_refunded"


@pytest.mark.parametrize(("owner", "code"), [(None, "resource_missing"), ("cus_1", "")])
def test_a_card_that_is_detached_already_counts_as_gone(wire: Wire, owner: str | None, code: str) -> None:
    """Stripe says without a code that "detachment is impossible"; whoever wants it gone must not be stopped."""
    wire.answer(answers.error(), 400).answer(answers.method(customer=owner))
    with pytest.raises(Rejected) as refusal:
        wire.gateway().remove_card("pm_1")
    assert refusal.value.code == code


# --- the network ---


@pytest.fixture
def silent() -> Iterator[str]:
    """Accepts, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def cut_off() -> Iterator[str]:
    """Answers half of what it announces, then hangs up."""

    def serve(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + b'{"id": "pi_1", "ob')

    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=[server], daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def test_a_refused_connection_is_unknown(wire: Wire) -> None:
    with pytest.raises(Unavailable):
        charge(wire, api_base="http://127.0.0.1:1")


def test_it_does_not_wait_for_ever(wire: Wire, silent: str) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable):
        charge(wire, api_base=silent, timeout=0.3)
    assert time.monotonic() - began < 0.3 * (1 + RETRIES) + 2


def test_a_hanging_stripe_holds_a_few_threads_and_no_more(wire: Wire, silent: str) -> None:
    """Else eight people who pay would stop all usage for half a minute."""
    gateway = wire.gateway(api_base=silent, timeout=2)
    waiting = [threading.Thread(target=ask_in_vain, args=[gateway]) for _ in range(CALLS)]
    for thread in waiting:
        thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="wait for Stripe already"):
        gateway.payment("pi_1")
    assert time.monotonic() - began < PATIENCE + 1
    assert all(thread.is_alive() for thread in waiting)
    for thread in waiting:
        thread.join()


def ask_in_vain(gateway: Gateway) -> None:
    with pytest.raises(Unavailable):
        gateway.payment("pi_1")


def test_half_an_answer_is_unknown(wire: Wire, cut_off: str) -> None:
    with pytest.raises(Unavailable):
        charge(wire, api_base=cut_off)


# --- and through the product ---


@pytest.fixture
def stripe_is(wire: Wire, settings: Settings, ada: User) -> Wire:
    """The product is configured for Stripe, and ada has a saved card there."""
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_x", [answers.SECRET]
    settings.STRIPE_API_BASE = wire.server.url_for("").rstrip("/")
    Customer.objects.create(account=ada.account, mode="stripe_test", gateway_id="cus_1")
    payment_methods.remember(Card("pm_1", "cus_1", "visa", "4242", 12, 2034), now=clock())
    return wire


def paid(topup: TopUp) -> dict[str, Any]:
    ours = answers.intent()["metadata"] | {"topup": topup.public_id}
    return answers.intent(metadata=ours, latest_charge=answers.charge())


def sweep(*, after: timedelta) -> None:
    topup_sweep.pursue_open_topups(now=clock() + after)


def test_an_unknown_outcome_is_asked_for_under_its_key_and_credited_once(stripe_is: Wire, ada: User) -> None:
    """S27: a payment whose answer is lost is neither lost nor made twice."""
    topup = begin(ada, card="pm_1")
    assert topups.pay(lost(stripe_is, topup)).status == "unknown"
    assert credits(ada) == []
    stripe_is.answers[:] = []
    stripe_is.answer(paid(topup))
    for _ in range(3):
        sweep(after=timedelta(minutes=2))
    assert credits(ada) == [Decimal(25)]
    topup.refresh_from_db()
    assert (topup.status, topup.payment_id, topup.last4) == ("succeeded", "pi_1", "4242")
    assert topup.receipt_url == "https://pay.stripe.com/receipts/1"
    posts = [request for request in stripe_is.sent if request.method == "POST"]
    assert {request.headers["Idempotency-Key"] for request in posts} == {f"charge:{topup.public_id}"}
    assert len({request.get_data() for request in posts}) == 1


def lost(wire: Wire, topup: TopUp) -> TopUp:
    wire.answer(API_ERROR, 500)
    return topup


def test_after_a_day_it_only_looks(stripe_is: Wire, ada: User) -> None:
    """Stripe may have forgotten the key, so a repeated request could pay again."""
    topup = begin(ada, card="pm_1")
    topups.pay(lost(stripe_is, topup))
    stripe_is.sent.clear()
    stripe_is.answers[:] = []
    stripe_is.answer(answers.listed(paid(topup)))
    sweep(after=timedelta(hours=24))
    assert {request.method for request in stripe_is.sent} == {"GET"}
    assert credits(ada) == [Decimal(25)]


def test_a_decline_ends_the_top_up(stripe_is: Wire, ada: User) -> None:
    topup = begin(ada, card="pm_1")
    stripe_is.answer({"error": answers.declined()}, 402)
    assert topups.pay(topup).status == "failed"
    assert (topup.failure_code, topup.decline_code) == ("card_declined", "insufficient_funds")
    assert credits(ada) == []


@pytest.mark.parametrize("param", ["customer", "payment_method"])
def test_a_deleted_customer_is_made_anew_and_a_deleted_card_forgotten(
    stripe_is: Wire, ada: User, param: str
) -> None:
    topup = begin(ada, card="pm_1")
    stripe_is.answer(answers.error(code="resource_missing", param=param, message="No such thing: x"), 400)
    assert topups.pay(topup).status == "failed"
    assert "No such" not in topup.failure_message
    assert not payment_methods.of_account(ada.account_id).exists()
    customer = Customer.objects.get(account=ada.account_id)
    if param == "payment_method":
        assert (customer.gateway_id, customer.number) == ("cus_1", 1)
        return
    assert (customer.gateway_id, customer.number) == (None, 2)
    stripe_is.sent.clear()
    stripe_is.answers[:] = []
    stripe_is.answer({"id": "cus_2", "object": "customer"})
    assert begin(ada, amount=Decimal(30)).customer == "cus_2"
    assert stripe_is.keys() == [f"customer:{ada.account.public_id}:2"]


def test_a_deleted_customer_can_still_add_a_card(stripe_is: Wire, ada: User) -> None:
    gone = answers.error(code="resource_missing", param="customer", message="No such customer: 'cus_1'")
    stripe_is.answer(gone, 400).answer({"id": "cus_2", "object": "customer"})
    stripe_is.answer(answers.session())
    assert payment_methods.setup_page(ada.account_id, now=clock()).id == "cs_1"
    assert [request.path for request in stripe_is.sent] == [
        "/v1/checkout/sessions", "/v1/customers", "/v1/checkout/sessions",
    ]  # fmt: skip
    assert stripe_is.sent[2].form["customer"] == "cus_2"


def test_one_client_serves_the_whole_process(stripe_is: Wire) -> None:
    assert gateways.gateway() is gateways.gateway()
    assert gateways.gateway().mode == "stripe_test"
