"""What every gateway must do: `from tests.billing.gateways.conformance import *` beside a fixture `bench`.

A bench drives one gateway and plays the other side: it saves cards of a kind, pays on hosted pages, answers
challenges and hands out the signed events.
"""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest

from billing.gateways import (
    BadSignature,
    Dispute,
    Event,
    Gateway,
    Page,
    Payment,
    ReferenceReused,
    Refund,
    Rejected,
    Status,
    signatures,
)
from billing.installation import installation_id

BACK = "http://127.0.0.1/back"


class Bench(Protocol):
    gateway: Gateway
    secret: str
    features: set[str]  # of: on_session, checkout, refund_fails, smallest_amount

    def card(self, customer: str, kind: str) -> str: ...
    def loose_card(self, kind: str) -> str: ...
    def answer_challenge(self, payment_id: str, *, confirmed: bool) -> None: ...
    def pay_on_page(self, page: Page, kind: str) -> None: ...
    def events(self) -> list[tuple[bytes, str]]: ...


@pytest.fixture
def customer(bench: Bench) -> str:
    return bench.gateway.create_customer(reference=fresh(), email="ada@example.com")


def fresh() -> str:
    return uuid.uuid4().hex


def need(bench: Bench, feature: str) -> None:
    if feature not in bench.features:
        pytest.skip(f"this server knows no {feature}")


def charge(bench: Bench, customer: str, card: str, **changes: Any) -> Payment:
    wanted = {
        "reference": fresh(), "customer": customer, "card": card, "amount": 2500, "currency": "usd",
        "description": "Account credit", "off_session": True, "return_url": BACK,
    }  # fmt: skip
    return bench.gateway.charge(**wanted | changes)


def checkout(bench: Bench, customer: str, **changes: Any) -> Page:
    wanted = {
        "reference": fresh(), "customer": customer, "amount": 2500, "currency": "usd",
        "description": "Account credit", "success_url": BACK, "cancel_url": BACK, "save_card": True,
        "expires_at": datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1),
    }  # fmt: skip
    return bench.gateway.checkout(**wanted | changes)


def parsed(bench: Bench) -> list[Event]:
    """What the events tell, each verified as it arrives and then read, as our webhook does."""
    return [arrived(bench, body, signature)[1] for body, signature in bench.events()]


def arrived(bench: Bench, body: bytes, signature: str) -> tuple[Event, Event]:
    return bench.gateway.parse_event(body, signature), bench.gateway.read_event(body)


def of_type(events: list[Event], type_: str) -> list[Event]:
    return [event for event in events if event.type == type_]


# --- customers and cards ---


def test_it_creates_a_customer_once(bench: Bench) -> None:
    same = {"reference": fresh(), "email": "ada@example.com"}
    assert bench.gateway.create_customer(**same) == bench.gateway.create_customer(**same)


def test_it_lists_and_removes_cards(bench: Bench, customer: str) -> None:
    first, second = bench.card(customer, "ok"), bench.card(customer, "fails_when_charged")
    cards = bench.gateway.cards(customer)
    assert {(card.id, card.last4, card.brand) for card in cards} == {
        (first, "4242", "visa"),
        (second, "0341", "visa"),
    }
    bench.gateway.remove_card(first)
    assert [card.id for card in bench.gateway.cards(customer)] == [second]
    assert {"payment_method.attached", "payment_method.detached"} <= {e.type for e in parsed(bench)}


def test_it_rejects_removing_an_unknown_card(bench: Bench) -> None:
    with pytest.raises(Rejected) as refusal:
        bench.gateway.remove_card("pm_nope")
    assert refusal.value.code == "resource_missing"


# --- charging a saved card ---


def test_it_charges_off_session(bench: Bench, customer: str) -> None:
    """S24: a saved card is charged."""
    card, reference = bench.card(customer, "ok"), fresh()
    payment = charge(bench, customer, card, reference=reference)
    assert (payment.status, payment.amount, payment.received) == (Status.SUCCEEDED, 2500, 2500)
    assert (payment.currency, payment.card, payment.customer) == ("usd", card, customer)
    assert (payment.reference, payment.installation) == (reference, installation_id())
    assert (payment.brand, payment.last4, payment.code) == ("visa", "4242", "")
    assert bench.gateway.payment(payment.id) == payment


def test_it_never_charges_twice_for_one_reference(bench: Bench, customer: str) -> None:
    same = {"card": bench.card(customer, "ok"), "reference": fresh()}
    assert charge(bench, customer, **same).id == charge(bench, customer, **same).id
    assert len(of_type(parsed(bench), "payment_intent.succeeded")) == 1


def test_it_refuses_another_request_under_the_same_reference(bench: Bench, customer: str) -> None:
    same = {"card": bench.card(customer, "ok"), "reference": fresh()}
    charge(bench, customer, **same)
    with pytest.raises(ReferenceReused):
        charge(bench, customer, **same, amount=9900)


@pytest.mark.parametrize(
    ("kind", "code", "decline_code", "retryable"),
    [
        ("insufficient", "card_declined", "insufficient_funds", True),
        ("lost", "card_declined", "lost_card", False),
        ("expired", "expired_card", "", False),
    ],
)
def test_it_answers_a_decline_as_a_value(
    bench: Bench, customer: str, kind: str, code: str, decline_code: str, retryable: bool
) -> None:
    reference = fresh()
    payment = charge(bench, customer, bench.loose_card(kind), reference=reference)
    assert (payment.status, payment.received) == (Status.FAILED, 0)
    assert (payment.code, payment.decline_code, payment.retryable) == (code, decline_code, retryable)
    assert payment.message
    assert bench.gateway.payment(payment.id).status is Status.FAILED
    [failed] = of_type(parsed(bench), "payment_intent.payment_failed")
    assert (failed.object.id, failed.reference) == (payment.id, reference)


def test_it_replays_a_decline(bench: Bench, customer: str) -> None:
    same = {"card": bench.card(customer, "fails_when_charged"), "reference": fresh()}
    first, again = charge(bench, customer, **same), charge(bench, customer, **same)
    assert first.status is again.status is Status.FAILED
    assert first.id == again.id
    found = bench.gateway.find_payment(customer=customer, reference=same["reference"])
    assert found is not None
    assert found.id == first.id


def test_it_rejects_somebody_elses_card(bench: Bench, customer: str) -> None:
    other = bench.gateway.create_customer(reference=fresh(), email="cy@example.net")
    with pytest.raises(Rejected):
        charge(bench, customer, bench.card(other, "ok"))


def test_it_rejects_an_unknown_card(bench: Bench, customer: str) -> None:
    with pytest.raises(Rejected) as refusal:
        charge(bench, customer, "pm_nope")
    assert refusal.value.code == "resource_missing"


def test_it_rejects_an_amount_below_fifty_cents(bench: Bench, customer: str) -> None:
    need(bench, "smallest_amount")
    with pytest.raises(Rejected) as refusal:
        charge(bench, customer, bench.card(customer, "ok"), amount=10)
    assert refusal.value.code == "amount_too_small"


def test_it_finds_a_payment_whose_answer_was_lost(bench: Bench, customer: str) -> None:
    assert bench.gateway.find_payment(customer=customer, reference="none") is None
    reference = fresh()
    payment = charge(bench, customer, bench.card(customer, "ok"), reference=reference)
    assert bench.gateway.find_payment(customer=customer, reference=reference) == payment


# --- confirming ---


def test_it_fails_off_session_when_the_holder_must_confirm(bench: Bench, customer: str) -> None:
    payment = charge(bench, customer, bench.card(customer, "needs_confirmation"))
    assert (payment.status, payment.code) == (Status.FAILED, "authentication_required")
    assert not payment.retryable


def test_it_confirms_the_same_payment_later(bench: Bench, customer: str) -> None:
    need(bench, "on_session")
    card = bench.card(customer, "needs_confirmation")
    payment = charge(bench, customer, card)
    same = {"reference": f"{fresh()}:1", "payment_id": payment.id, "card": card, "return_url": BACK}
    waiting = bench.gateway.confirm(**same)
    assert (waiting.id, waiting.status) == (payment.id, Status.REQUIRES_ACTION)
    assert waiting.action_url
    assert bench.gateway.confirm(**same).id == payment.id
    bench.answer_challenge(payment.id, confirmed=True)
    assert bench.gateway.payment(payment.id).received == 2500


def test_it_asks_the_holder_on_session(bench: Bench, customer: str) -> None:
    need(bench, "on_session")
    card = bench.card(customer, "needs_confirmation")
    payment = charge(bench, customer, card, off_session=False)
    assert (payment.status, payment.received) == (Status.REQUIRES_ACTION, 0)
    assert payment.action_url
    bench.answer_challenge(payment.id, confirmed=True)
    assert bench.gateway.payment(payment.id).status is Status.SUCCEEDED


def test_it_fails_when_the_holder_refuses(bench: Bench, customer: str) -> None:
    need(bench, "on_session")
    payment = charge(bench, customer, bench.card(customer, "needs_confirmation"), off_session=False)
    bench.answer_challenge(payment.id, confirmed=False)
    refused = bench.gateway.payment(payment.id)
    assert (refused.status, refused.code) == (Status.FAILED, "payment_intent_authentication_failure")


def test_it_cancels_what_waits_and_not_what_succeeded(bench: Bench, customer: str) -> None:
    done = charge(bench, customer, bench.card(customer, "ok"))
    assert bench.gateway.cancel(done.id).status is Status.SUCCEEDED
    waiting = charge(bench, customer, bench.card(customer, "needs_confirmation"))
    assert bench.gateway.cancel(waiting.id).status is Status.CANCELED
    assert bench.gateway.cancel(waiting.id).status is Status.CANCELED
    [canceled] = of_type(parsed(bench), "payment_intent.canceled")
    assert canceled.object.id == waiting.id


# --- pages ---


def test_it_pays_on_a_page_and_saves_the_card(bench: Bench, customer: str) -> None:
    """S24: a new card, or another method of the processor's."""
    need(bench, "checkout")
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    same = {"reference": "page-1", "expires_at": expires_at}
    page = checkout(bench, customer, **same)
    assert page.url
    assert checkout(bench, customer, **same) == page
    bench.pay_on_page(page, "ok")
    payment = bench.gateway.find_payment(customer=customer, reference="page-1")
    assert payment is not None
    assert (payment.status, payment.received, payment.last4) == (Status.SUCCEEDED, 2500, "4242")
    types = {event.type for event in parsed(bench)}
    assert {"payment_intent.succeeded", "checkout.session.completed", "payment_method.attached"} <= types
    [saved] = bench.gateway.cards(customer)
    assert charge(bench, customer, saved.id).status is Status.SUCCEEDED


def test_it_saves_no_card_unasked(bench: Bench, customer: str) -> None:
    need(bench, "checkout")
    bench.pay_on_page(checkout(bench, customer, save_card=False), "ok")
    assert bench.gateway.cards(customer) == []


def test_it_takes_another_card_after_a_decline_on_the_page(bench: Bench, customer: str) -> None:
    need(bench, "checkout")
    page = checkout(bench, customer, reference="page-2")
    bench.pay_on_page(page, "insufficient")
    declined = bench.gateway.find_payment(customer=customer, reference="page-2")
    assert declined is not None
    assert declined.status is Status.FAILED
    bench.pay_on_page(page, "ok")
    assert bench.gateway.payment(declined.id).status is Status.SUCCEEDED


def test_it_closes_a_page(bench: Bench, customer: str) -> None:
    need(bench, "checkout")
    page = checkout(bench, customer)
    bench.gateway.close_page(page.id)
    with pytest.raises(Rejected):
        bench.pay_on_page(page, "ok")
    [expired] = of_type(parsed(bench), "checkout.session.expired")
    assert isinstance(expired.object, Page)
    assert expired.object.id == page.id


# --- refunds and disputes ---


def test_it_refunds_in_parts_and_never_more_than_received(bench: Bench, customer: str) -> None:
    payment = charge(bench, customer, bench.card(customer, "ok"))
    first = {"reference": fresh(), "payment_id": payment.id, "amount": 1000}
    refund = bench.gateway.refund(**first)
    assert (refund.amount, refund.payment_id, refund.status) == (1000, payment.id, "succeeded")
    assert bench.gateway.refund(**first).id == refund.id
    with pytest.raises(Rejected):
        bench.gateway.refund(reference=fresh(), payment_id=payment.id, amount=1501)
    assert bench.gateway.refund(reference=fresh(), payment_id=payment.id, amount=1500).amount == 1500
    told = [event.object for event in of_type(parsed(bench), "refund.created")]
    assert [(r.amount, r.payment_id) for r in told] == [(1000, payment.id), (1500, payment.id)]
    assert isinstance(told[0], Refund)
    assert told[0].reference == first["reference"]


def test_it_tells_of_a_refund_that_fails_later(bench: Bench, customer: str) -> None:
    need(bench, "refund_fails")
    payment = charge(bench, customer, bench.card(customer, "refund_fails"))
    refund = bench.gateway.refund(reference=fresh(), payment_id=payment.id, amount=2500)
    assert refund.status == "succeeded"
    assert [e.object.status for e in of_type(parsed(bench), "refund.failed")] == ["failed"]


def test_it_tells_of_a_dispute(bench: Bench, customer: str) -> None:
    payment = charge(bench, customer, bench.card(customer, "disputed"))
    [event] = of_type(parsed(bench), "charge.dispute.created")
    assert isinstance(event.object, Dispute)
    assert (event.object.payment_id, event.object.amount) == (payment.id, 2500)
    assert event.object.status == "needs_response"


# --- events ---


def test_it_signs_events_that_carry_reference_and_amount(bench: Bench, customer: str) -> None:
    reference = fresh()
    payment = charge(bench, customer, bench.card(customer, "ok"), reference=reference)
    [event] = of_type(parsed(bench), "payment_intent.succeeded")
    assert isinstance(event.object, Payment)
    assert (event.reference, event.object.id, event.object.received) == (reference, payment.id, 2500)
    assert event.object.installation == installation_id()


def test_it_reads_a_stored_event_again(bench: Bench, customer: str) -> None:
    charge(bench, customer, bench.card(customer, "ok"))
    for body, signature in bench.events():
        known, read = arrived(bench, body, signature)
        assert (known.id, known.type, known.created_at) == (read.id, read.type, read.created_at)
        assert bench.gateway.read_event(body) == read


def test_it_refuses_tampered_events(bench: Bench, customer: str) -> None:
    charge(bench, customer, bench.card(customer, "ok"))
    body, signature = bench.events()[-1]
    for forged, header in [
        (body.replace(b"2500", b"9500"), signature),
        (body, ""),
        (body, "rubbish"),
        (body, "t=1,v1=" + "0" * 64),
        (body, signature.replace("v1=", "v0=")),
        (body, "t=,v1=é"),
        (body, signature.replace("t=", "t=9" * 40)),
    ]:
        with pytest.raises(BadSignature):
            bench.gateway.parse_event(forged, header)


def test_it_refuses_an_event_older_than_five_minutes(bench: Bench) -> None:
    body = json.dumps({"id": "evt_1", "object": "event"}).encode()
    sent = int(datetime.now(UTC).timestamp()) - 301
    with pytest.raises(BadSignature):
        bench.gateway.parse_event(body, signatures.sign(body, bench.secret, at=sent))
