"""A top-up paid back: once, never more than it brought in, and to the cent what left the balance."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts import ids
from accounts.models import Mail, User
from billing import gateways, holds, ledger, refund_sweep, refunds, topups
from billing.errors import FormReused
from billing.gateways import Misconfigured, Rejected, sandbox_bank
from billing.gateways.sandbox import SandboxGateway
from billing.models import AutoTopup, LedgerEntry, Refund, SandboxRefund, StaffNotice, TopUp
from billing.refund_rules import NotRefundable
from tests.billing.paying import begin, clock, deliver, events, in_parallel, save_card
from tests.billing.returning import (
    LosesRefunds,
    NeverAskedAgain,
    RefundsSilently,
    breaches,
    deliver_all,
    moves,
    paid,
    paid_funds,
    payment_of,
    refund,
    turn_on_auto_topup,
)
from tests.usage.events import chat
from usage import metering

D = Decimal
pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def proved(request: pytest.FixtureRequest) -> None:
    """Whatever a test did, the ledger verifies clean after it."""
    ada = request.getfixturevalue("ada")
    yield
    assert breaches(ada) == []


# --- How much -------------------------------------------------------------------------------------------------


def test_it_refunds_what_was_received_and_nothing_more(ada: User) -> None:
    topup = paid(ada)
    assert refunds.refundable(topup) == D("25.00")
    row = refund(topup, "10")
    assert (row.status, row.taken, row.origin, row.reason) == ("succeeded", D(10), "staff", "Ticket 7")
    assert refunds.refundable(topup) == D("15.00")
    with pytest.raises(NotRefundable, match=r"At most \$15\.00 .* Nothing was refunded\."):
        refund(topup, "15.01")
    refund(topup, "15")
    assert refunds.refundable(topup) == 0
    assert moves(ada) == [("refund", D(-10)), ("refund", D(-15))]
    entry = LedgerEntry.objects.get(key=str(row.pk))
    assert (entry.actor, entry.reason) == ("usr_staff", "Ticket 7")
    assert list(SandboxRefund.objects.order_by("amount").values_list("amount", flat=True)) == [1000, 1500]


def test_it_never_refunds_granted_credit_nor_what_is_spent_or_held(ada: User) -> None:
    """$1 granted is spent first; $24.50 paid stay, of which $4 are held."""
    topup = paid(ada)
    ledger.adjust(ada.account_id, D("-1.50"), key="use", actor="t", reason="t")
    assert refunds.refundable(topup) == D("24.50")
    holds.hold(
        ada.account_id, key="h", request_hash=b"h", amount=D(4), purpose="call", terms={}, lifetime=HOUR
    )  # fmt: skip
    assert refunds.refundable(topup) == D("20.50")
    ledger.grant(ada.account_id, D(3), key="g", actor="t", reason="t")
    assert refunds.refundable(topup) == D("23.50"), "a hold is covered by granted credit first"


def test_it_cuts_down_to_whole_cents(ada: User) -> None:
    topup = paid(ada)
    ledger.adjust(ada.account_id, D(-1), key="trial", actor="t", reason="t")
    metering.record(ada.account_id, chat("e1"))
    assert paid_funds(ada) == D("24.9996085")
    assert refunds.refundable(topup) == D("24.99")
    with pytest.raises(NotRefundable, match="whole cents"):
        refund(topup, "24.999")


@pytest.mark.parametrize("amount", ["0", "-5", "0.001", "NaN", "Infinity", "1e12"])
def test_it_refuses_amounts(ada: User, amount: str) -> None:
    topup = paid(ada)
    with pytest.raises(NotRefundable, match="Nothing was refunded"):
        refund(topup, amount)
    assert moves(ada) == []


def test_it_refunds_nothing_of_what_was_not_paid(ada: User) -> None:
    declined = topups.pay(begin(ada, card=save_card(ada, "pm_card_chargeCustomerFail")))
    with pytest.raises(NotRefundable, match="brought in nothing"):
        refund(declined)


def test_it_refuses_a_top_up_of_another_mode(ada: User) -> None:
    topup = paid(ada)
    TopUp.objects.update(mode="stripe_live")
    with pytest.raises(
        NotRefundable, match="paid in mode Stripe, and this installation runs in mode Sandbox"
    ):
        refund(topup)
    TopUp.objects.update(mode="sandbox")


def test_it_refunds_a_bank_transfer_without_asking_a_processor(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    topup = topups.record_manual(ada.account_id, D(50), actor="staff", reason="Transfer")
    monkeypatch.setattr(gateways, "gateway", NeverAskedAgain)
    row = refund(topup, "20")
    assert (row.status, row.mode, row.gateway_id, row.next_look_at) == ("succeeded", "manual", None, None)
    assert paid_funds(ada) == D(30)


# --- Once -----------------------------------------------------------------------------------------------------


def test_it_refunds_once_for_a_form_sent_twice(ada: User) -> None:
    topup, own = paid(ada), ids.uuid7()
    first, again = (refund(topup, "10", refund_id=own) for _ in range(2))
    assert first.pk == again.pk == own
    assert moves(ada) == [("refund", D(-10))]
    with pytest.raises(FormReused, match="Nothing more was refunded"):
        refund(topup, "12", refund_id=own)
    assert SandboxRefund.objects.count() == 1


def test_it_changes_nothing_when_its_own_events_come_again(ada: User) -> None:
    topup = paid(ada)
    refund(topup, "10")
    for body in [*events("refund."), *events("refund.")]:
        assert deliver(body).status_code == 200
    assert moves(ada) == [("refund", D(-10))]
    assert Refund.objects.get().gateway_id == SandboxRefund.objects.get().pk


@pytest.mark.parametrize(
    "dies", ["before asking", "while asking", "with the answer lost", "before recording"]
)
def test_it_ends_well_wherever_the_process_dies(
    ada: User, dies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The amount has left the balance before the processor is asked; the sweep does the rest, twice."""
    topup = paid(ada)
    wanted = {"origin": Refund.Origin.STAFF, "actor": "t", "reason": "t", "now": clock()}
    if dies in ("while asking", "with the answer lost"):
        answers = {"while asking": RefundsSilently, "with the answer lost": LosesRefunds}
        monkeypatch.setattr(gateways, "gateway", answers[dies])
        refunds.refund(topup, D(10), **wanted)
        monkeypatch.undo()
    else:
        row, _ = refunds.begin(topup, D(10), **wanted)
        if dies == "before recording":
            gateways.gateway().refund(reference=row.public_id, payment_id=topup.payment_id or "", amount=1000)
    assert (Refund.objects.get().status, paid_funds(ada)) == ("created", D(15))
    for minutes in (2, 4):
        refund_sweep.pursue_open_refunds(now=clock() + timedelta(minutes=minutes))
        deliver_all()
    row = Refund.objects.get()
    assert (row.status, row.next_look_at) == ("succeeded", None)
    assert moves(ada) == [("refund", D(-10))]
    assert SandboxRefund.objects.count() == 1


def test_it_only_looks_once_the_key_may_be_forgotten(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 23 hours: what arrived counts, what did not returns to the balance."""
    topup = paid(ada)
    monkeypatch.setattr(gateways, "gateway", LosesRefunds)
    arrived = refund(topup, "10")
    monkeypatch.setattr(gateways, "gateway", RefundsSilently)
    lost = refund(topup, "5")
    monkeypatch.setattr(gateways, "gateway", NeverAskedAgain)
    refund_sweep.pursue_open_refunds(now=clock() + 23 * HOUR + HOUR)
    for row in (arrived, lost):
        row.refresh_from_db()
    assert (arrived.status, lost.status, lost.error) == (
        "succeeded", "failed", "It never arrived at the processor.",
    )  # fmt: skip
    assert moves(ada) == [("refund", D(-10)), ("refund", D(-5)), ("reversal", D(5))]


def test_it_takes_back_what_was_given_up_and_happened_all_the_same(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    topup = paid(ada)
    monkeypatch.setattr(gateways, "gateway", RefundsSilently)
    row = refund(topup, "10")
    monkeypatch.undo()
    refunds.reject(row, "given up", now=clock())
    late = gateways.gateway().refund(reference=row.public_id, payment_id=topup.payment_id or "", amount=1000)
    for _ in range(2):
        deliver_all()
        refunds.record(late, topup, now=clock())
    assert moves(ada) == [("refund", D(-10)), ("reversal", D(10)), ("refund", D(-10))]
    assert paid_funds(ada) == D(15)


# --- What fails -----------------------------------------------------------------------------------------------


class Refuses(SandboxGateway):
    def refund(self, **_: object) -> gateways.Refund:
        raise Rejected("This payment is disputed.", "charge_disputed")


def test_it_gives_back_what_the_processor_refuses(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    topup = paid(ada)
    monkeypatch.setattr(gateways, "gateway", Refuses)
    row = refund(topup)
    assert (row.status, row.error, row.next_look_at) == ("failed", "This payment is disputed.", None)
    assert moves(ada) == [("refund", D(-25)), ("reversal", D(25))]
    assert refunds.refundable(topup) == D("25.00")
    assert "This payment is disputed." in StaffNotice.objects.get(key=f"refund-failed:{row.pk}").text
    assert Mail.objects.filter(to=ada.email, subject__icontains="refund").count() == 2


def test_it_waits_while_our_credentials_do_not_work(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    class Locked(SandboxGateway):
        def refund(self, **_: object) -> gateways.Refund:
            raise Misconfigured("Invalid API key")

    topup = paid(ada)
    monkeypatch.setattr(gateways, "gateway", Locked)
    row = refund(topup)
    refund_sweep.pursue_open_refunds(now=clock() + 2 * HOUR)
    assert "has no answer" in StaffNotice.objects.get().text
    monkeypatch.undo()
    refund_sweep.pursue_open_refunds(now=clock() + 4 * HOUR)
    row.refresh_from_db()
    assert (row.status, moves(ada)) == ("succeeded", [("refund", D(-25))])


def test_it_gives_back_once_what_fails_later(ada: User) -> None:
    """The bank returns it days later: the event comes, twice."""
    topup = paid(ada, "pm_card_refundFail")
    row = refund(topup)
    assert row.status == "succeeded"
    for body in [*events("refund."), *events("refund.")]:
        deliver(body)
    row.refresh_from_db()
    assert (row.status, row.taken, row.next_look_at) == ("failed", D(25), None)
    assert moves(ada) == [("refund", D(-25)), ("reversal", D(25))]


def test_it_looks_at_a_pending_refund_until_it_ends(ada: User) -> None:
    topup = paid(ada, "pm_card_pendingRefund")
    row = refund(topup)
    assert (row.status, row.ended_at) == ("pending", None)
    SandboxRefund.objects.update(status="pending")
    refund_sweep.pursue_open_refunds(now=clock() + timedelta(days=11))
    assert "still on its way" in StaffNotice.objects.get().text
    SandboxRefund.objects.update(status="succeeded")
    refund_sweep.pursue_open_refunds(now=clock() + timedelta(days=12))
    row.refresh_from_db()
    assert (row.status, row.next_look_at) == ("succeeded", None)


def test_it_goes_on_when_one_refund_cannot_be_pursued(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [refunds.begin(paid(ada, amount=D(amount)), D(amount), origin=Refund.Origin.STAFF, actor="t",
                          reason="t", now=clock())[0] for amount in (5, 6)]  # fmt: skip
    real = refunds.ask
    monkeypatch.setattr(refunds, "ask", lambda row, **w: 1 / 0 if row.pk == rows[0].pk else real(row, **w))
    refund_sweep.pursue_open_refunds(now=clock() + HOUR)
    assert [Refund.objects.get(pk=row.pk).status for row in rows] == ["created", "succeeded"]


# --- At the processor's own dashboard -------------------------------------------------------------------------


def test_it_learns_of_a_refund_made_at_the_dashboard(ada: User) -> None:
    topup = paid(ada)
    made = sandbox_bank.refund_by_hand(topup.payment_id, 500, now=clock())
    for _ in range(3):
        deliver(events("refund.created")[0])
    row = Refund.objects.get()
    assert (row.origin, row.gateway_id, row.taken, row.status) == ("gateway", made.pk, D(5), "succeeded")
    assert LedgerEntry.objects.get(kind="refund").key == made.pk
    sandbox_bank.refund_by_hand(topup.payment_id, now=clock())
    deliver_all()
    assert moves(ada) == [("refund", D(-5)), ("refund", D(-20))]


def test_it_pushes_paid_below_zero_only_so(ada: User) -> None:
    """The money was spent, and the dashboard does not know: only a refund or a dispute may do that."""
    topup = paid(ada)
    ledger.adjust(ada.account_id, D(-20), key="use", actor="t", reason="t")
    assert refunds.refundable(topup) == D("6.00")
    sandbox_bank.refund_by_hand(topup.payment_id, now=clock())
    deliver_all()
    assert paid_funds(ada) == D(-19)
    assert refunds.refundable(topup) == 0


def test_it_takes_for_the_dashboard_what_our_failed_refund_gives_back(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours of $10 hangs while somebody refunds all at the dashboard: in the end the card has $25, and we have 0."""
    topup = paid(ada)
    monkeypatch.setattr(gateways, "gateway", RefundsSilently)
    ours = refund(topup, "10")
    monkeypatch.undo()
    made = sandbox_bank.refund_by_hand(topup.payment_id, now=clock())
    deliver_all()
    assert moves(ada) == [("refund", D(-10)), ("refund", D(-15))]
    refund_sweep.pursue_open_refunds(now=clock() + HOUR)
    ours.refresh_from_db()
    assert (ours.status, "larger than what is left" in ours.error) == ("failed", True)
    assert moves(ada)[2:] == [("reversal", D(10)), ("refund", D(-10))]
    assert Refund.objects.get(gateway_id=made.pk).taken == D(25)
    assert paid_funds(ada) == 0


def test_it_settles_the_payment_before_its_refund(ada: User) -> None:
    """Our credit comes last: the refund's event is there before the payment's."""
    topup = begin(ada, card=save_card(ada))
    topups._ask(topup)
    sandbox_bank.refund_by_hand(payment_of_reference(topup), now=clock())
    deliver(events("refund.created")[0])
    deliver_all()
    assert moves(ada) == [("refund", D(-25))]
    assert TopUp.objects.get().status == "succeeded"
    assert paid_funds(ada) == 0


def payment_of_reference(topup: TopUp) -> str:
    return sandbox_bank.SandboxPayment.objects.get(reference=topup.public_id).pk


def test_it_ignores_refunds_of_other_installations(ada: User) -> None:
    topup = paid(ada)
    stranger = payment_of(topup)
    stranger.pk, stranger.reference = "pi_foreign", "top_foreign"
    stranger.save(force_insert=True)
    refund_of_it = gateways.Refund("re_1", "pi_foreign", 500, "succeeded", None)
    sandbox_bank.tell("refund.created", refund_of_it, now=clock())
    nameless = gateways.Refund("re_2", "", 500, "succeeded", None)
    sandbox_bank.tell("refund.created", nameless, now=clock())
    deliver_all()
    assert not Refund.objects.exists()


def test_it_quarantines_a_refund_that_names_another_top_up_s(ada: User) -> None:
    first, other = paid(ada), paid(ada, amount=D(30))
    row = refunds.begin(first, D(5), origin=Refund.Origin.STAFF, actor="t", reason="t", now=clock())[0]
    lie = gateways.Refund("re_x", other.payment_id or "", 500, "succeeded", row.public_id)
    sandbox_bank.tell("refund.created", lie, reference=row.public_id, now=clock())
    deliver_all()
    assert "which is of another top-up" in StaffNotice.objects.get().text
    assert moves(ada) == [("refund", D(-5))]
    refunds.ask(row, now=clock())


# --- Auto-topup -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["staff", "gateway"])
def test_it_turns_auto_topup_off(ada: User, origin: str) -> None:
    """Else it would charge the card again at once."""
    topup = paid(ada)
    turn_on_auto_topup(ada)
    if origin == "staff":
        refund(topup, "5")
    else:
        sandbox_bank.refund_by_hand(topup.payment_id, 500, now=clock())
        deliver_all()
    row = AutoTopup.objects.get()
    assert (row.enabled, row.stopped_reason) == (False, "refunded")
    AutoTopup.objects.update(enabled=True, stopped_reason="", stopped_at=None)
    for body in events("refund."):
        deliver(body)
    assert AutoTopup.objects.get().enabled, "its owner turned it on again: old news do not stop it twice"


# --- All at once ----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_it_refunds_once_for_twenty_clicks_at_once(ada: User) -> None:
    topup, own = paid(ada), ids.uuid7()
    rows = in_parallel(20, lambda _: refund(topup, refund_id=own).pk)
    assert set(rows) == {own}
    assert moves(ada) == [("refund", D(-25))]
    assert SandboxRefund.objects.count() == 1


def attempt(topup: TopUp, amount: str) -> bool:
    try:
        refund(topup, amount)
    except NotRefundable:
        return False
    return True


@pytest.mark.django_db(transaction=True)
def test_it_never_refunds_more_than_received_by_many_at_once(ada: User) -> None:
    """Sixteen clerks want $10 each of $25: two get it."""
    topup = paid(ada)
    assert sum(in_parallel(16, lambda _: attempt(topup, "10"))) == 2
    assert paid_funds(ada) == D(5)


@pytest.mark.django_db(transaction=True)
def test_it_never_refunds_what_usage_takes_at_the_same_moment(ada: User) -> None:
    """$26 in all, $6 a turn: whoever comes first has it, and nothing falls below zero."""
    topup = paid(ada)

    def turn(number: int) -> bool:
        if number % 2:
            return attempt(topup, "6")
        try:
            ledger.adjust(ada.account_id, D(-6), key=f"use-{number}", actor="t", reason="t")
        except ledger.NotEnough:
            return False
        return True

    assert sum(in_parallel(16, turn)) == 4
    assert 0 <= paid_funds(ada) < 6


@pytest.mark.django_db(transaction=True)
def test_it_takes_no_more_than_received_by_refund_and_dispute_at_once(ada: User) -> None:
    topup = paid(ada)
    sandbox_bank.open_dispute(payment_of(topup), now=clock())
    sandbox_bank.refund_by_hand(topup.payment_id, 700, now=clock())
    bodies = [*events("charge.dispute."), *events("refund.")]
    acts = [lambda: deliver(bodies[0]), lambda: deliver(bodies[1]), lambda: attempt(topup, "9")]
    in_parallel(12, lambda number: acts[number % 3]())
    deliver_all()
    assert paid_funds(ada) == 0
