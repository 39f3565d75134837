"""POST /billing/webhooks/stripe: stored as it arrives, acted on once, left for staff where it cannot be."""

import gzip
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from billing import gateways, ledger, payment_methods, topups, webhooks
from billing.gateways import sandbox_bank, sandbox_cards, sandbox_events, signatures
from billing.models import (
    Dispute,
    EventReceipt,
    Installation,
    LedgerEntry,
    PaymentMethod,
    SandboxEvent,
    StaffNotice,
    TopUp,
)
from tests.billing.paying import WEBHOOK, begin, clock, credits, deliver, events, save_card

pytestmark = pytest.mark.django_db
VISA = sandbox_cards.typed("4242424242424242")


def paid_elsewhere(ada: User) -> tuple[TopUp, bytes]:
    """A payment whose answer was lost, and the event that tells of it."""
    topup = begin(ada, card=save_card(ada))
    topups._ask(topup)
    return topup, events("payment_intent.succeeded")[-1]


def changed(body: bytes, **changes: Any) -> bytes:
    """The event as a processor with other facts would have written (and signed) it."""
    content = json.loads(body)
    for name, value in changes.items():
        place = content if name in content else content["object"]
        place[name] = value
    content["id"] = changes.get("id", "evt_changed")
    return json.dumps(content).encode()


def test_it_credits_and_keeps_the_receipt(ada: User) -> None:
    topup, body = paid_elsewhere(ada)
    assert deliver(body).status_code == 200
    receipt = EventReceipt.objects.get(type="payment_intent.succeeded")
    assert (receipt.state, receipt.mode, receipt.body) == ("processed", "sandbox", body.decode())
    assert (receipt.tries, receipt.next_try_at, receipt.error) == (1, None, "")
    assert credits(ada) == [Decimal(25)]
    topup.refresh_from_db()
    assert topup.status == "succeeded"


def test_it_credits_once_when_the_event_is_repeated(ada: User) -> None:
    _, body = paid_elsewhere(ada)
    assert [deliver(body).status_code for _ in range(3)] == [200, 200, 200]
    assert EventReceipt.objects.count() == 1
    assert credits(ada) == [Decimal(25)]


def test_it_refuses_what_is_not_signed(ada: User) -> None:
    """Forged, altered, old, malformed, compressed: 400, no row, no credit."""
    _, body = paid_elsewhere(ada)
    secret, now = sandbox_events.webhook_secret(), int(clock().timestamp())
    good = signatures.sign(body, secret, at=now)
    attempts = [
        (body, ""),
        (body, "rubbish"),
        (body, "t=,v1="),
        (body, f"t={now},v1={'0' * 64}"),
        (body, signatures.sign(body, "whsec_guess", at=now)),
        (body, signatures.sign(body, secret, at=now - 302)),
        (body, signatures.sign(body, secret, at=now + 320)),
        (body.replace(b"2500", b"9900"), good),
        (gzip.compress(body), good),
        (b"", good),
        (b"\xff\xfe", good),
    ]
    for content, signature in attempts:
        response = deliver(content, signature=signature)
        assert response.status_code == 400, signature
        assert json.loads(response.content)["code"] == "bad_signature"
    assert not EventReceipt.objects.exists()
    assert credits(ada) == []


def test_it_refuses_large_bodies_unread(ada: User) -> None:
    response = deliver(b"x" * (256 * 1024 + 1))
    assert (response.status_code, json.loads(response.content)["code"]) == (413, "body_too_large")
    assert not EventReceipt.objects.exists()


def test_it_takes_only_posts() -> None:
    assert Client().get(WEBHOOK).status_code == 405


def test_it_needs_no_session_and_no_csrf_token(ada: User) -> None:
    _, body = paid_elsewhere(ada)
    strict = Client(enforce_csrf_checks=True)
    response = deliver(body, client=strict)
    assert response.status_code == 200
    assert not response.cookies


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"type": "invoice.paid", "kind": "Invoice"}, "ignored"),
        ({"installation": "another"}, "ignored"),
        ({"reference": "top_00000000000000000000000000"}, "quarantined"),
        ({"currency": "eur"}, "quarantined"),
        ({"customer": "cus_other"}, "quarantined"),
    ],
)
def test_it_credits_nothing_else(ada: User, changes: dict[str, str], state: str) -> None:
    """Unknown types, other installations, unknown payments, other currencies: 200, no credit, a trace."""
    _, body = paid_elsewhere(ada)
    content = json.loads(body)
    content |= {name: value for name, value in changes.items() if name in ("type", "kind")}
    content["object"] |= {name: value for name, value in changes.items() if name in content["object"]}
    content["id"] = "evt_other"
    assert deliver(json.dumps(content).encode()).status_code == 200
    receipt = EventReceipt.objects.get(gateway_id="evt_other")
    assert receipt.state == state
    assert bool(receipt.error) is (state == "quarantined")
    assert credits(ada) == []


def test_it_asks_for_a_failed_event_again(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """500, so that the processor repeats it; the row with the traceback stays; the next delivery works."""
    _, body = paid_elsewhere(ada)
    with monkeypatch.context() as broken:
        broken.setattr(ledger, "credit_topup", lambda *_, **__: 1 / 0)
        assert deliver(body).status_code == 500
    receipt = EventReceipt.objects.get()
    assert (receipt.state, receipt.tries) == ("failed", 1)
    assert "ZeroDivisionError" in receipt.error
    assert receipt.next_try_at is not None
    assert deliver(body).status_code == 200
    receipt.refresh_from_db()
    assert (receipt.state, receipt.error) == ("processed", "")
    assert credits(ada) == [Decimal(25)]


def test_it_tries_by_itself_what_was_stored_and_not_processed(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between storing and acting: the sweep goes on, even long after the signature grew old."""
    _, body = paid_elsewhere(ada)
    with monkeypatch.context() as killed:
        killed.setattr(webhooks, "process", lambda *_, **__: 1 / 0)
        assert deliver(body).status_code == 500
    assert EventReceipt.objects.get().state == "received"
    webhooks.process_waiting_events(now=clock())
    assert credits(ada) == []
    webhooks.process_waiting_events(now=clock() + timedelta(minutes=6))
    webhooks.process_waiting_events(now=clock() + timedelta(minutes=60))
    assert credits(ada) == [Decimal(25)]
    assert EventReceipt.objects.get().state == "processed"


def test_it_gives_up_by_itself_after_ten_tries(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _, body = paid_elsewhere(ada)
    monkeypatch.setattr(ledger, "credit_topup", lambda *_, **__: 1 / 0)
    deliver(body)
    for day in range(1, 15):
        webhooks.process_waiting_events(now=clock() + timedelta(days=day))
    receipt = EventReceipt.objects.get()
    assert (receipt.state, receipt.next_try_at) == ("failed", None)
    assert receipt.tries == 11


# --- Other events ---------------------------------------------------------------------------------------------


def test_it_learns_of_cards_saved_and_removed_at_the_processor(ada: User) -> None:
    customer = payment_methods.customer_of(ada.account_id)
    card = sandbox_bank.save_by_token(customer, "pm_card_mastercard", now=clock())
    [attached] = events("payment_method.attached")
    deliver(attached)
    deliver(attached)
    row = PaymentMethod.objects.get()
    assert (row.gateway_id, row.last4, row.is_default, row.removed_at) == (card.id, "4444", True, None)
    gateways.gateway().remove_card(card.id)
    [detached] = events("payment_method.detached")
    deliver(detached)
    deliver(changed(attached, id="evt_late"))
    row.refresh_from_db()
    assert row.removed_at is not None


def test_it_keeps_no_card_whose_removal_it_heard_of_first(ada: User) -> None:
    customer = payment_methods.customer_of(ada.account_id)
    gateways.gateway().remove_card(sandbox_bank.save_by_token(customer, "pm_card_mastercard", now=clock()).id)
    for body in (*events("payment_method.detached"), *events("payment_method.attached")):
        assert deliver(body).status_code == 200
    assert not PaymentMethod.objects.exists()


def test_it_ignores_cards_of_other_customers(ada: User) -> None:
    stranger = gateways.gateway().create_customer(reference="elsewhere", email="x@example.com")
    sandbox_bank.save_by_token(stranger, "pm_card_visa", now=clock())
    deliver(events("payment_method.attached")[0])
    assert EventReceipt.objects.get().state == "ignored"
    assert not PaymentMethod.objects.exists()


def test_it_cancels_the_top_up_of_an_expired_page(ada: User) -> None:
    topup = topups.pay(begin(ada))
    gateways.gateway().close_page(topup.page_id)
    deliver(events("checkout.session.expired")[0])
    topup.refresh_from_db()
    assert topup.status == "canceled"


def test_it_keeps_a_page_s_top_up_open_after_a_decline(ada: User) -> None:
    """Another card may be tried on the same page: `payment_failed` is not final there."""
    topup = topups.pay(begin(ada))
    sandbox_bank.pay_on_page(topup.page_id, sandbox_cards.typed("4000000000009995"), now=clock())
    for body in events():
        deliver(body)
    topup.refresh_from_db()
    assert topup.status == "requires_action"
    assert topup.action_url.endswith(f"/sandbox/checkout/{topup.page_id}/")


def test_it_takes_a_disputed_payment_back_once(ada: User) -> None:
    """The dispute's event may come before the payment's own: that is settled first."""
    topup = begin(ada, card=save_card(ada, "pm_card_createDispute"))
    topups._ask(topup)
    [opened] = events("charge.dispute.created")
    for _ in range(3):
        assert deliver(opened).status_code == 200
    dispute = Dispute.objects.get()
    kinds = list(LedgerEntry.objects.order_by("seq").values_list("kind", "paid"))
    assert kinds == [("grant", 0), ("topup", Decimal(25)), ("dispute", Decimal(-25))]
    assert (dispute.topup_id, dispute.taken, dispute.status) == (topup.id, Decimal(25), "needs_response")


@pytest.mark.parametrize("won", [True, False])
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0, 1)])
def test_it_settles_a_dispute_in_any_order(ada: User, won: bool, order: tuple[int, ...]) -> None:
    topups.pay(begin(ada, card=save_card(ada, "pm_card_createDispute")))
    row = sandbox_bank.SandboxDispute.objects.get()
    sandbox_bank.close_dispute(row, won=won, now=clock())
    told = [*events("charge.dispute.created"), *events("charge.dispute.closed")]
    for number in order:
        assert deliver(told[number]).status_code == 200
    left = sum(LedgerEntry.objects.values_list("paid", flat=True))
    assert left == (Decimal(25) if won else Decimal(0))
    assert Dispute.objects.get().status == ("won" if won else "lost")


def test_it_moves_no_money_for_an_inquiry(ada: User) -> None:
    topup = topups.pay(begin(ada, card=save_card(ada)))
    payment = sandbox_bank.SandboxPayment.objects.get(pk=topup.payment_id)
    sandbox_bank.open_dispute(payment, status="warning_needs_response", now=clock())
    deliver(events("charge.dispute.created")[0])
    assert Dispute.objects.get().taken == 0
    assert credits(ada) == [Decimal(25)]


def test_it_tells_staff_of_what_is_in_quarantine_once(ada: User) -> None:
    _, body = paid_elsewhere(ada)
    odd = changed(body, currency="eur")
    for _ in range(2):
        deliver(odd)
    webhooks.process(EventReceipt.objects.get(), now=clock())
    [notice] = StaffNotice.objects.all()
    assert "evt_changed" in notice.text
    assert "is in eur" in notice.text


def test_it_tells_staff_when_it_gives_up(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _, body = paid_elsewhere(ada)
    monkeypatch.setattr(ledger, "credit_topup", lambda *_, **__: 1 / 0)
    deliver(body)
    for day in range(1, 9):
        webhooks.process_waiting_events(now=clock() + timedelta(days=day))
    assert not StaffNotice.objects.exists()
    for day in range(9, 15):
        webhooks.process_waiting_events(now=clock() + timedelta(days=day))
    assert "ZeroDivisionError" in StaffNotice.objects.get().text


# --- Modes ----------------------------------------------------------------------------------------------------


def test_it_credits_no_sandbox_dollars_beside_real_ones(ada: User) -> None:
    _, body = paid_elsewhere(ada)
    Installation.objects.update(mode="stripe_live")
    assert deliver(body).status_code == 200
    assert EventReceipt.objects.get().state == "quarantined"
    assert credits(ada) == []


# --- The sandbox delivers -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_it_is_reached_over_http_by_the_sandbox(ada: User, live_server: Any, settings: Settings) -> None:
    """Rows are the queue: what a dead worker left is delivered by the next pass, over real HTTP, once."""
    settings.SITE_URL = live_server.url
    topup = begin(ada, card=save_card(ada))
    topups._ask(topup)
    sandbox_bank.deliver_sandbox_events(now=clock())
    assert credits(ada) == [Decimal(25)]
    assert not SandboxEvent.objects.filter(delivered_at=None).exists()
    assert EventReceipt.objects.filter(state="processed").count() == SandboxEvent.objects.count()


def test_it_is_tried_again_while_nobody_listens(ada: User, settings: Settings) -> None:
    settings.SITE_URL = "http://127.0.0.1:1"
    save_card(ada)
    event = SandboxEvent.objects.get()
    for hours in range(80):
        sandbox_bank.deliver_sandbox_events(now=event.created_at + timedelta(hours=hours))
    event.refresh_from_db()
    assert (event.delivered_at, event.next_try_at) == (None, None)
    assert "refused" in event.error.lower()
    assert event.tries > 20
