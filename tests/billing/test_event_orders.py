"""The processor's events as they really come: fifty at once, in every order, before the answer, before the row."""

import json
import urllib.error
import urllib.request
from itertools import permutations
from typing import Any

import pytest
from django.db import transaction
from pytest_django.live_server_helper import LiveServer

from accounts.models import Mail, User
from billing import gateways, settling, topup_sweep, topups, webhooks
from billing.gateways import Payment, sandbox_bank, sandbox_cards, sandbox_events, signatures
from billing.gateways.sandbox import SandboxGateway
from billing.models import EventReceipt, SandboxPayment, TopUp
from tests.billing.paying import WEBHOOK, begin, clock, credits, deliver, events, in_parallel, save_card
from usage.verify import verify_ledger

pytestmark = pytest.mark.django_db


def post(url: str, body: bytes) -> int:
    """One delivery over HTTP, as the processor makes it: again where the test server's short queue was full."""
    signature = signatures.sign(body, sandbox_events.webhook_secret(), at=int(clock().timestamp()))
    headers = {"Content-Type": "application/json", "Stripe-Signature": signature}
    try:
        with urllib.request.urlopen(urllib.request.Request(url + WEBHOOK, body, headers), timeout=30) as told:
            return int(told.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except ConnectionResetError:
        return post(url, body)


def received(body: bytes) -> bool:
    """What the webhook's view does with a delivery, without the HTTP around it."""
    signature = signatures.sign(body, sandbox_events.webhook_secret(), at=int(clock().timestamp()))
    return webhooks.receive(body, signature, now=clock())


def paid_there(user: User) -> tuple[TopUp, bytes]:
    """A payment whose answer never reached us, and the event that tells of it."""
    topup = begin(user, card=save_card(user))
    topups._ask(topup)
    return topup, events("payment_intent.succeeded")[-1]


def five_events(user: User) -> tuple[TopUp, list[bytes]]:
    """One payment on the processor's page: a bank that asks, a refusal, a slow debit, and at last the money."""
    topup = topups.pay(begin(user))
    payment = sandbox_bank.pay_on_page(topup.page_id, sandbox_cards.typed("4000002760003184"), now=clock())
    sandbox_bank.answer_challenge(payment.id, confirmed=False, now=clock())
    debit = sandbox_cards.by_token("pm_usBankAccount_success")
    assert debit is not None
    sandbox_bank.pay_on_page(topup.page_id, debit, now=clock())
    sandbox_bank.bring_in_debits(now=clock() + 2 * debit.arrives_after)
    assert SandboxPayment.objects.get().received == 2500
    told = ("requires_action", "payment_failed", "processing", "succeeded")
    return topup, [
        *(events(f"payment_intent.{word}")[0] for word in told),
        events("checkout.session.completed")[0],
    ]


@pytest.mark.django_db(transaction=True)
def test_it_credits_once_for_fifty_deliveries_over_http(ada: User, live_server: LiveServer) -> None:
    """No 500, no deadlock: one credit, one receipt, one letter."""
    topup, body = paid_there(ada)
    assert in_parallel(50, lambda _: post(live_server.url, body)) == [200] * 50
    assert credits(ada) == [25]
    [receipt] = EventReceipt.objects.filter(type="payment_intent.succeeded")
    assert receipt.state == "processed"
    assert [topup.public_id in letter.text for letter in Mail.objects.all()] == [True]
    topup.refresh_from_db()
    assert topup.status == "succeeded"


@pytest.mark.django_db(transaction=True)
def test_it_credits_once_for_five_different_events_ten_times_at_once(
    ada: User, live_server: LiveServer
) -> None:
    topup, told = five_events(ada)
    answers = in_parallel(50, lambda number: post(live_server.url, told[number % 5]))
    assert answers == [200] * 50
    assert credits(ada) == [25]
    topup.refresh_from_db()
    assert topup.status == "succeeded"
    assert EventReceipt.objects.filter(gateway_id__in=[json.loads(body)["id"] for body in told]).count() == 5
    assert verify_ledger(full=True, now=clock()).breaches == []


def test_it_ends_succeeded_in_all_120_orders_of_five_events(ada: User) -> None:
    """Each once, and then all again: succeeded, one credit, nothing left to look at."""
    topup, told = five_events(ada)
    for order in permutations(told):
        with transaction.atomic():
            answers = [received(body) for body in (*order, *order)]
            topup.refresh_from_db()
            assert (answers, topup.status, topup.next_look_at) == ([True] * 10, "succeeded", None)
            assert (topup.action_url, topup.failure_code) == ("", "")
            assert credits(ada) == [25]
            transaction.set_rollback(True)
    assert credits(ada) == []


# --- Before the answer ----------------------------------------------------------------------------------------


def test_it_takes_the_event_that_overtakes_the_answer(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    class TellsFirst(SandboxGateway):
        def charge(self, **wanted: Any) -> Payment:
            payment = super().charge(**wanted)
            told.extend(deliver(body).status_code for body in events("payment_intent"))
            return payment

    told: list[int] = []
    card = save_card(ada)
    monkeypatch.setattr(gateways, "gateway", TellsFirst)
    topup = topups.pay(begin(ada, card=card))
    assert told == [200]
    assert topup.status == "succeeded"
    assert credits(ada) == [25]


def test_it_is_not_told_back_by_an_answer_older_than_the_event(ada: User) -> None:
    """Our own request was answered `requires_action`; that answer is read after the success was told."""
    topup = begin(ada, card=save_card(ada, "pm_card_authenticationRequired"))
    answer = topups._ask(topup)
    assert isinstance(answer, Payment)
    assert answer.status is gateways.Status.REQUIRES_ACTION
    sandbox_bank.answer_challenge(answer.id, confirmed=True, now=clock())
    deliver(events("payment_intent.succeeded")[0])
    settling.settle(answer)
    topup.refresh_from_db()
    assert topup.status == "succeeded"
    assert credits(ada) == [25]


# --- Before the row -------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_it_has_committed_the_row_when_the_processor_first_hears_of_it(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So an event cannot come before the row: another connection sees it while the processor is being asked."""

    class Looks(SandboxGateway):
        def charge(self, **wanted: Any) -> Payment:
            seen.extend(in_parallel(1, lambda _: list(TopUp.objects.values_list("status", flat=True))))
            return super().charge(**wanted)

    seen: list[list[str]] = []
    card = save_card(ada)
    monkeypatch.setattr(gateways, "gateway", Looks)
    assert topups.pay(begin(ada, card=card)).status == "succeeded"
    assert seen == [["created"]]


@pytest.mark.django_db(transaction=True)
def test_it_refuses_to_begin_where_the_row_would_not_be_committed(ada: User) -> None:
    """Inside somebody's transaction the processor would be asked for a row that may yet vanish."""
    card = save_card(ada)
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        begin(ada, card=card)
    assert not TopUp.objects.exists()


@pytest.mark.parametrize("rescue", ["staff process it again", "the sweep looks"])
def test_it_credits_once_when_the_row_comes_after_its_event(ada: User, rescue: str) -> None:
    """A row that a restored backup had lost: the event waits in quarantine, found by staff; the money is not lost."""
    topup, body = paid_there(ada)
    TopUp.objects.filter(pk=topup.pk).delete()
    assert deliver(body).status_code == 200
    receipt = EventReceipt.objects.get()
    assert (receipt.state, credits(ada)) == ("quarantined", [])
    assert topup.public_id in receipt.error
    topup.save(force_insert=True)
    if rescue == "the sweep looks":
        topup_sweep.pursue_open_topups(now=topup.created_at + 2 * settling.FIRST_LOOK)
    for _ in range(2):
        webhooks.process(receipt, now=clock())
    receipt.refresh_from_db()
    assert (receipt.state, credits(ada)) == ("processed", [25])
    assert SandboxPayment.objects.count() == 1
