"""Money comes in once, whatever is repeated, reordered or lost."""

from dataclasses import replace
from decimal import Decimal
from itertools import permutations

import pytest

from accounts.models import User
from billing import gateways, ledger, selectors, settling, topup_sweep, topups
from billing.gateways import Payment, Status, sandbox_bank
from billing.installation import installation_id
from billing.models import EventReceipt, LedgerEntry, TopUp
from tests.billing.paying import (
    LosesAnswers,
    Silent,
    begin,
    clock,
    credits,
    deliver,
    events,
    in_parallel,
    save_card,
)

pytestmark = pytest.mark.django_db


def paid(topup: TopUp, **changes: object) -> Payment:
    """The payment of a top-up, as the processor would describe it."""
    payment = Payment(
        id="pi_1", status=Status.SUCCEEDED, amount=2500, received=2500, currency="usd",
        customer=topup.customer, card=topup.card, reference=topup.public_id, installation=installation_id(),
    )  # fmt: skip
    return replace(payment, **changes)


def test_it_credits_what_was_received_and_says_so(ada: User) -> None:
    """S1, S25: the ledger has one entry of the amount that arrived, not of what was asked for."""
    topup = begin(ada, card=save_card(ada))
    settled = settling.settle(paid(topup, received=2400))
    entry = LedgerEntry.objects.get(kind="topup")
    assert settled is not None
    assert (settled.status, settled.received, settled.payment_id) == ("succeeded", Decimal("24.00"), "pi_1")
    assert (entry.paid, entry.key, entry.actor) == (Decimal(24), str(topup.id), ada.public_id)
    assert selectors.balance_of(ada.account_id).balance == Decimal(25)


def test_it_credits_once_however_often_it_is_told(ada: User) -> None:
    topup = begin(ada, card=save_card(ada))
    for _ in range(5):
        settling.settle(paid(topup))
    assert credits(ada) == [Decimal(25)]


# Five words about one payment, and what is true after them in any order.
TOLD = {
    "requires_action": {"status": Status.REQUIRES_ACTION, "received": 0, "action_url": "http://bank/"},
    "processing": {"status": Status.PROCESSING, "received": 0},
    "failed": {"status": Status.FAILED, "received": 0, "code": "card_declined", "message": "No."},
    "canceled": {"status": Status.CANCELED, "received": 0},
    "succeeded": {"status": Status.SUCCEEDED},
}


@pytest.mark.parametrize("order", list(permutations(TOLD)), ids="-".join)
def test_it_ends_succeeded_in_every_order(ada: User, order: tuple[str, ...]) -> None:
    """Succeeded beats every other word, whenever it comes."""
    topup = begin(ada, card=save_card(ada))
    for word in order:
        settling.settle(paid(topup, **TOLD[word]))
    topup.refresh_from_db()
    assert (topup.status, topup.failure_code, topup.action_url) == ("succeeded", "", "")
    assert credits(ada) == [Decimal(25)]


@pytest.mark.parametrize("order", list(permutations(["requires_action", "processing", "failed"])))
def test_it_never_reopens_what_failed(ada: User, order: tuple[str, ...]) -> None:
    topup = begin(ada, card=save_card(ada))
    for word in order:
        settling.settle(paid(topup, **TOLD[word]))
    topup.refresh_from_db()
    assert (topup.status, topup.next_look_at) == ("failed", None)
    assert topup.declined_at is not None
    assert credits(ada) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "eur"},
        {"customer": "cus_of_somebody_else"},
        {"installation": "another"},
        {"installation": None},
        {"received": 0},
    ],
)
def test_it_credits_nothing_that_does_not_fit(ada: User, changes: dict[str, object]) -> None:
    topup = begin(ada, card=save_card(ada))
    with pytest.raises(settling.NotOurs):
        settling.settle(paid(topup, **changes))
    topup.refresh_from_db()
    assert topup.status == "created"
    assert credits(ada) == []


def test_it_credits_no_second_payment_for_one_top_up(ada: User) -> None:
    topup = begin(ada, card=save_card(ada))
    settling.settle(paid(topup))
    with pytest.raises(settling.NotOurs, match="pi_2 is another payment"):
        settling.settle(paid(topup, id="pi_2"))
    assert credits(ada) == [Decimal(25)]


@pytest.mark.parametrize("reference", [None, "", "top_nonsense", "top_00000000000000000000000000", "ref'--"])
def test_it_knows_no_such_top_up(ada: User, reference: str | None) -> None:
    topup = begin(ada, card=save_card(ada))
    assert settling.settle(paid(topup, reference=reference)) is None


def test_it_never_credits_a_manual_top_up_again(ada: User) -> None:
    topup = topups.record_manual(ada.account_id, Decimal(50), actor="staff", reason="Bank transfer")
    with pytest.raises(settling.NotOurs):
        settling.settle(paid(topup))
    assert credits(ada) == [Decimal(50)]


def test_it_records_a_manual_top_up_settled(ada: User) -> None:
    now = clock()
    topup = topups.record_manual(ada.account_id, Decimal("7.50"), actor="staff", reason="Transfer", now=now)
    entry = LedgerEntry.objects.get(kind="topup")
    assert (topup.mode, topup.status, topup.received) == ("manual", "succeeded", Decimal("7.50"))
    assert (entry.paid, entry.key, entry.recorded_at) == (Decimal("7.5"), str(topup.id), now)


# --- Six places to die between the click and the credit -------------------------------------------------------


@pytest.mark.parametrize(
    "dies",
    ["before asking", "while asking", "with the answer lost", "before settling", "while settling", "after"],
)
def test_it_credits_once_wherever_the_process_dies(
    ada: User, dies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step is called alone, as a killed process leaves it; then the sweep and the events come, twice."""
    topup = begin(ada, card=save_card(ada))
    if dies == "while asking":
        monkeypatch.setattr(gateways, "gateway", Silent)
        topups.pay(topup)
    elif dies == "with the answer lost":
        monkeypatch.setattr(gateways, "gateway", LosesAnswers)
        topups.pay(topup)
    elif dies == "before settling":
        topups._ask(topup)
    elif dies == "while settling":
        payment = topups._ask(topup)
        with monkeypatch.context() as broken:
            broken.setattr(ledger, "credit_topup", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                settling.settle(payment)
    elif dies == "after":
        topups.pay(topup)
    monkeypatch.undo()
    for _ in range(2):
        topup_sweep.pursue_open_topups(now=topup.created_at + 2 * settling.FIRST_LOOK)
        for body in events():
            assert deliver(body).status_code == 200
    topup.refresh_from_db()
    assert topup.status == "succeeded"
    assert credits(ada) == [Decimal(25)]


# --- All at once ----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_it_credits_once_for_fifty_deliveries_at_once(ada: User) -> None:
    topup = begin(ada, card=save_card(ada))
    topups._ask(topup)  # paid there; our answer was lost
    [body] = events("payment_intent.succeeded")
    answers = in_parallel(50, lambda _: deliver(body).status_code)
    assert answers == [200] * 50
    assert credits(ada) == [Decimal(25)]
    assert EventReceipt.objects.get(type="payment_intent.succeeded").state == "processed"


@pytest.mark.django_db(transaction=True)
def test_it_credits_once_for_answer_webhook_page_and_sweep_at_once(ada: User) -> None:
    """Four roads to one credit, and charges on the same balance beside them: no deadlock, one entry."""
    topup = begin(ada, card=save_card(ada))
    payment = topups._ask(topup)
    assert isinstance(payment, Payment)
    [body] = events("payment_intent.succeeded")
    roads = [
        lambda: settling.settle(payment),
        lambda: deliver(body),
        lambda: topups.look(TopUp.objects.get(pk=topup.pk)),
        lambda: topups.pay(TopUp.objects.get(pk=topup.pk)),
        lambda: ledger.adjust(ada.account_id, Decimal("-0.01"), key=str(clock()), actor="t", reason="t"),
    ]
    in_parallel(20, lambda number: roads[number % 5]())
    assert credits(ada) == [Decimal(25)]
    assert selectors.balance_of(ada.account_id).balance == Decimal("25.96")


def test_it_settles_a_late_success_after_the_page_expired(ada: User) -> None:
    topup = topups.pay(begin(ada))
    sandbox_bank.pay_on_page(topup.page_id, sandbox_bank.sandbox_cards.typed("4242424242424242"), now=clock())
    settling.end(topup, TopUp.Status.CANCELED)
    for body in events():
        deliver(body)
    topup.refresh_from_db()
    assert topup.status == "succeeded"
    assert credits(ada) == [Decimal(25)]
