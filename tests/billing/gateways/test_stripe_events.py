"""Stripe's events: only what Stripe signed, of our mode, in the shape that we know."""

import json
import logging
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from billing.gateways import (
    BadSignature,
    Card,
    Dispute,
    ForeignEvent,
    FraudWarning,
    Page,
    Payment,
    Refund,
    Status,
    Unavailable,
)
from billing.installation import installation_id
from billing.models import Customer, EventReceipt, Mode, TopUp
from tests.billing.gateways import openapi
from tests.billing.gateways import stripe_answers as answers
from tests.billing.gateways.conftest import Wire
from tests.billing.paying import WEBHOOK, begin, credits

pytestmark = pytest.mark.django_db
OLDER = "2024-06-20"
EXPANDED = {"latest_charge": answers.charge()}


# --- signatures ---


def test_it_takes_what_stripe_signed(wire: Wire) -> None:
    body, signature = answers.signed(answers.event("payment_intent.succeeded", answers.intent()))
    event = wire.gateway().parse_event(body, signature)
    assert (event.id, event.type) == ("evt_1", "payment_intent.succeeded")
    assert event.created_at == datetime.fromtimestamp(1_790_000_000, UTC)
    assert wire.sent == []


@pytest.mark.parametrize(
    "secrets", [[answers.SECRET, "whsec_new"], ["whsec_old", answers.SECRET]], ids=["old", "new"]
)
def test_it_takes_either_secret_while_one_is_rotated(wire: Wire, secrets: list[str]) -> None:
    body, signature = answers.signed(answers.event("account.updated", {"id": "acct_1"}))
    assert wire.gateway(webhook_secrets=secrets).parse_event(body, signature).id == "evt_1"


def test_it_refuses_what_stripe_did_not_sign(wire: Wire) -> None:
    body, signature = answers.signed(answers.event("payment_intent.succeeded", answers.intent()))
    altered = body.replace(b"2500", b"9500")
    for forged, header in [
        (body, ""), (body, "t=1,v1=" + "0" * 64), (altered, signature), (body, signature.replace("v1", "v0")),
        (body, answers.signed(json.loads(body), secret="whsec_of_another")[1]),
        (body, answers.signed(json.loads(body), at=time.time() - 301)[1]),
        (body, answers.signed(json.loads(body), at=time.time() + 301)[1]),
        (body, "t=٣,v1=é"), (b"\xff" + body, signature),
    ]:  # fmt: skip
        with pytest.raises(BadSignature):
            wire.gateway().parse_event(forged, header)
    with pytest.raises(BadSignature, match="No webhook secret"):
        wire.gateway(webhook_secrets=[]).parse_event(body, signature)


@pytest.mark.parametrize(
    "body", [b"no JSON", b"[]", b'"x"', b"{}", b'{"id": "evt_1", "type": "x", "created": "2026"}']
)
def test_it_refuses_what_is_signed_and_no_event(wire: Wire, body: bytes) -> None:
    signature = answers.signatures.sign(body, answers.SECRET, at=int(time.time()))
    with pytest.raises(BadSignature):
        wire.gateway().parse_event(body, signature)


# --- what they tell ---


def read(wire: Wire, type_: str, subject: answers.Fields, **changes: Any) -> Any:
    body = json.dumps(answers.event(type_, subject, **changes)).encode()
    return wire.gateway().read_event(body)


SUBJECTS: list[tuple[list[str], Any, Any]] = [
    (
        ["refund.created", "refund.updated", "refund.failed"],
        answers.refund, Refund("re_1", "pi_1", 1000, "succeeded", "ref_1"),
    ),
    (
        [f"charge.dispute.{what}" for what in ("created", "updated", "closed", "funds_withdrawn")],
        answers.dispute, Dispute("du_1", "pi_1", 2500, "needs_response"),
    ),
    (
        ["radar.early_fraud_warning.created", "radar.early_fraud_warning.updated"],
        answers.warning, FraudWarning("issfr_1", "pi_1", "made_with_stolen_card"),
    ),
    (
        [f"payment_method.{what}" for what in ("attached", "detached", "updated", "automatically_updated")],
        answers.method, Card("pm_1", "cus_1", "visa", "4242", 12, 2034),
    ),
    (
        [f"checkout.session.{what}" for what in
         ("completed", "expired", "async_payment_succeeded", "async_payment_failed")],
        answers.session, Page("cs_1", "https://checkout.stripe.com/c/pay/cs_1"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "subject", "told"),
    [(type_, subject, told) for types, subject, told in SUBJECTS for type_ in types],
)
def test_it_reads_what_we_act_on(wire: Wire, type_: str, subject: Any, told: Any) -> None:
    event = read(wire, type_, subject())
    assert (event.type, event.object) == (type_, told)
    assert wire.sent == []


def test_it_says_whose_it_is(wire: Wire) -> None:
    for type_, subject, reference in [
        ("refund.created", answers.refund(), "ref_1"),
        ("checkout.session.expired", answers.session(), "top_1"),
        ("payment_intent.payment_failed", answers.unpaid(), "top_1"),
    ]:
        event = read(wire, type_, subject)
        assert (event.reference, event.installation) == (reference, installation_id())
    made_at_the_dashboard = read(wire, "refund.created", answers.refund(metadata={}))
    assert (made_at_the_dashboard.reference, made_at_the_dashboard.installation) == (None, None)


@pytest.mark.parametrize(
    ("status", "told"),
    [("processing", Status.PROCESSING), ("canceled", Status.CANCELED), ("requires_action", Status.REQUIRES_ACTION),
     ("requires_payment_method", Status.FAILED)],
)  # fmt: skip
def test_it_reads_a_payment_that_has_not_succeeded(wire: Wire, status: str, told: Status) -> None:
    event = read(wire, f"payment_intent.{status}", answers.unpaid(status=status))
    assert isinstance(event.object, Payment)
    assert (event.object.status, event.object.received) == (told, 0)
    assert wire.sent == []


def test_it_asks_for_the_card_and_the_receipt_of_a_success(wire: Wire) -> None:
    wire.answer(answers.intent(**EXPANDED))
    payment = read(wire, "payment_intent.succeeded", answers.intent()).object
    assert (payment.received, payment.last4, payment.receipt_url) == (
        2500,
        "4242",
        "https://pay.stripe.com/receipts/1",
    )


def test_it_tells_of_a_success_also_while_stripe_does_not_answer(wire: Wire) -> None:
    wire.answer("<html>", 502)
    payment = read(wire, "payment_intent.succeeded", answers.intent()).object
    assert (payment.status, payment.received, payment.last4) == (Status.SUCCEEDED, 2500, "")
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    ("type_", "subject"),
    [
        ("customer.created", {"id": "cus_1", "object": "customer"}),
        ("invoice.paid", {"id": "in_1", "object": "invoice"}),
        ("something.new", {"object": "thing"}),
        ("payment_method.attached", answers.method(type="us_bank_account", card=None)),
        ("refund.created", answers.refund),
        ("charge.dispute.created", answers.dispute),
        ("radar.early_fraud_warning.created", answers.warning),
    ],
)
def test_it_has_nothing_to_say_of_the_rest(wire: Wire, type_: str, subject: Any) -> None:
    """Types that nobody acts on, ways to pay that are no cards, and charges without a payment of ours."""
    told = subject(payment_intent=None) if callable(subject) else subject
    assert read(wire, type_, told).object is None


# --- what must not be acted on ---


@pytest.mark.parametrize(
    ("mode", "livemode", "word"), [(Mode.STRIPE_TEST, True, "live"), (Mode.STRIPE_LIVE, False, "test")]
)
def test_it_refuses_an_event_of_the_other_mode(wire: Wire, mode: Mode, livemode: bool, word: str) -> None:
    body = json.dumps(answers.event("payment_intent.succeeded", answers.intent(), livemode=livemode)).encode()
    with pytest.raises(ForeignEvent, match=f"Stripe's {word} mode"):
        wire.gateway(mode=mode).read_event(body)


OF_ANOTHER_SHAPE = {"id": "pi_1", "object": "payment_intent", "status": "succeeded", "charges": {"data": []}}


def test_it_does_not_trust_the_shape_of_another_version(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """The version is compared on arrival; the object is fetched in the shape that we know, and staff can see why."""
    wire.answer(answers.intent(**EXPANDED))
    with caplog.at_level(logging.ERROR):
        event = read(wire, "payment_intent.succeeded", OF_ANOTHER_SHAPE, api_version=OLDER)
    assert (event.object.received, event.object.last4, event.reference) == (2500, "4242", "top_1")
    assert wire.sent[0].path == "/v1/payment_intents/pi_1"
    assert wire.sent[0].headers["Stripe-Version"] == answers.PINNED
    assert all(word in caplog.text for word in (OLDER, answers.PINNED, "evt_1"))


@pytest.mark.parametrize(
    ("type_", "make", "path"),
    [
        ("refund.updated", answers.refund, "/v1/refunds/re_1"),
        ("charge.dispute.closed", answers.dispute, "/v1/disputes/du_1"),
        ("radar.early_fraud_warning.created", answers.warning, "/v1/radar/early_fraud_warnings/issfr_1"),
        ("payment_method.updated", answers.method, "/v1/payment_methods/pm_1"),
        ("checkout.session.expired", answers.session, "/v1/checkout/sessions/cs_1"),
    ],
)
def test_it_fetches_each_kind_anew(wire: Wire, type_: str, make: Any, path: str) -> None:
    wire.answer(make())
    event = read(wire, type_, {"id": make()["id"], "object": "?"}, api_version=OLDER)
    assert event.object is not None
    assert [request.path for request in wire.sent] == [path]
    openapi.check("GET", path, wire.sent[0].query_string.decode())


def test_an_event_of_another_version_waits_for_an_answer(wire: Wire) -> None:
    wire.answer("", 503)
    with pytest.raises(Unavailable):
        read(wire, "payment_intent.succeeded", answers.intent(), api_version=OLDER)


# --- through the webhook ---


@pytest.fixture
def topup(wire: Wire, settings: Settings, ada: User) -> TopUp:
    """The product is configured for Stripe; ada has begun a top-up on its page."""
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_x", [answers.SECRET]
    settings.STRIPE_API_BASE = wire.server.url_for("").rstrip("/")
    Customer.objects.create(account=ada.account, mode="stripe_test", gateway_id="cus_1")
    return begin(ada)


def post(content: answers.Fields, **how: Any) -> HttpResponse:
    body, signature = answers.signed(content, **how)
    browser = Client(raise_request_exception=False)
    return browser.post(
        WEBHOOK, body, content_type="application/json", headers={"Stripe-Signature": signature}
    )


def succeeded(topup: TopUp, **changes: Any) -> answers.Fields:
    ours = {"topup": topup.public_id, "installation": installation_id()}
    return answers.intent(**{"metadata": ours, **EXPANDED, **changes})


def state() -> str:
    return EventReceipt.objects.get().state


def test_a_signed_success_is_credited_once(topup: TopUp, ada: User) -> None:
    """S24: what was received is credited, however often it is told."""
    for _ in range(3):
        assert post(answers.event("payment_intent.succeeded", succeeded(topup))).status_code == 200
    assert credits(ada) == [Decimal(25)]
    assert state() == "processed"


@pytest.mark.parametrize("how", [{"secret": "whsec_of_another"}, {"at": 1_700_000_000}])
def test_a_forged_or_stale_one_leaves_nothing(topup: TopUp, ada: User, how: dict[str, Any]) -> None:
    assert post(answers.event("payment_intent.succeeded", succeeded(topup)), **how).status_code == 400
    assert credits(ada) == []
    assert not EventReceipt.objects.exists()


def test_a_live_event_in_test_mode_is_kept_for_a_person(topup: TopUp, ada: User) -> None:
    """Real money is never credited beside test money, and never lost without a trace."""
    told = post(answers.event("payment_intent.succeeded", succeeded(topup), livemode=True))
    assert told.status_code == 200
    assert credits(ada) == []
    assert state() == "quarantined"
    assert "live mode" in EventReceipt.objects.get().error


def test_an_unknown_type_is_taken_and_ignored(topup: TopUp) -> None:
    assert post(answers.event("invoice.paid", {"id": "in_1", "object": "invoice"})).status_code == 200
    assert state() == "ignored"


def test_a_bank_debit_that_bounces_ends_the_top_up(topup: TopUp, ada: User) -> None:
    """On the page a declined card is no end, because it takes another; what the bank had and gave back is one."""
    TopUp.objects.update(status="requires_action", page_id="cs_1")
    said = answers.declined("payment_intent_payment_attempt_failed", None)
    for status, expected in [
        ("requires_payment_method", "requires_action"), ("processing", "processing"),
        ("requires_payment_method", "failed"),
    ]:  # fmt: skip
        told = answers.unpaid(said, status=status, metadata=succeeded(topup)["metadata"])
        assert post(answers.event(f"payment_intent.{status}", told, id=f"evt_{expected}")).status_code == 200
        topup.refresh_from_db()
        assert topup.status == expected
    assert credits(ada) == []


def test_a_payment_of_another_installation_is_none_of_ours(topup: TopUp, ada: User) -> None:
    theirs = {"topup": topup.public_id, "installation": "01890000-0000-7000-8000-000000000000"}
    assert (
        post(answers.event("payment_intent.succeeded", succeeded(topup, metadata=theirs))).status_code == 200
    )
    assert credits(ada) == []
    assert state() == "ignored"


def test_another_version_without_an_answer_comes_again(wire: Wire, topup: TopUp, ada: User) -> None:
    content = answers.event("payment_intent.succeeded", OF_ANOTHER_SHAPE, api_version=OLDER)
    wire.answer("", 503)
    assert post(content).status_code == 500
    assert (state(), credits(ada)) == ("failed", [])
    wire.answers[:] = []
    wire.answer(succeeded(topup))
    assert post(content).status_code == 200
    assert (state(), credits(ada)) == ("processed", [Decimal(25)])
