"""Disputes, inquiries and fraud warnings: in any order, with refunds, before our credit; never more than received."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from billing import disputes, gateways, ledger, refund_sweep, topups
from billing.errors import NotEnough
from billing.gateways import Rejected, sandbox_bank
from billing.models import (
    AutoTopup,
    Dispute,
    EventReceipt,
    LedgerEntry,
    Refund,
    SandboxDispute,
    SandboxPayment,
    SandboxRefund,
    StaffNotice,
    TopUp,
)
from billing.refund_rules import NotRefundable
from tests import factories
from tests.billing.paying import begin, clock, deliver, events, in_parallel, save_card
from tests.billing.returning import (
    LosesRefunds,
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

D = Decimal
HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db


def told(topup: TopUp, status: str, *, dispute: str = "du_1", amount: int = 2500) -> None:
    """The processor says this of a dispute."""
    disputes.record(gateways.Dispute(dispute, topup.payment_id or "", amount, status), topup, now=clock())


def notices() -> list[str]:
    return list(StaffNotice.objects.order_by("pk").values_list("key", flat=True))


# --- One dispute ----------------------------------------------------------------------------------------------


def test_it_turns_auto_topup_off_and_tells_staff(ada: User) -> None:
    topup = paid(ada)
    turn_on_auto_topup(ada)
    row = sandbox_bank.open_dispute(payment_of(topup), now=clock())
    deliver_all()
    auto = AutoTopup.objects.get()
    assert (auto.enabled, auto.stopped_reason) == (False, "disputed")
    notice = StaffNotice.objects.get()
    assert notice.key == f"dispute:{row.pk}:opened"
    assert notice.topup == topup
    assert "$25.00" in notice.text
    AutoTopup.objects.update(enabled=True, stopped_reason="", stopped_at=None)
    deliver(events("charge.dispute.created")[0])
    sandbox_bank.close_dispute(row, won=False, now=clock())
    deliver_all()
    assert AutoTopup.objects.get().enabled, "a dispute stops it once"


@pytest.mark.parametrize(("won", "word"), [(True, "won"), (False, "lost")])
def test_it_tells_staff_how_it_was_decided(ada: User, won: bool, word: str) -> None:
    topup = paid(ada)
    row = sandbox_bank.open_dispute(payment_of(topup), now=clock())
    sandbox_bank.close_dispute(row, won=won, now=clock())
    deliver_all()
    assert notices() == [f"dispute:{row.pk}:opened", f"dispute:{row.pk}:{word}"]
    assert paid_funds(ada) == (D(25) if won else 0)
    assert breaches(ada) == []


def test_it_takes_nothing_for_an_inquiry_until_it_is_a_dispute(ada: User) -> None:
    topup = paid(ada)
    turn_on_auto_topup(ada)
    told(topup, "warning_needs_response")
    told(topup, "warning_under_review")
    assert (moves(ada), notices()) == ([], ["dispute:du_1:inquiry"])
    assert AutoTopup.objects.get().enabled
    told(topup, "needs_response")
    assert moves(ada) == [("dispute", D(-25))]
    assert not AutoTopup.objects.get().enabled
    told(topup, "warning_needs_response")
    assert Dispute.objects.get().status == "needs_response", "late news never lead back"


def test_it_gives_back_a_loss_that_is_revoked(ada: User) -> None:
    """Funds reinstated after the dispute was closed: the last word, in either order."""
    topup, other = paid(ada), paid(ada, amount=D(30))
    for word in ("needs_response", "lost", "won", "won", "lost"):
        told(topup, word)
    for word in ("won", "lost"):
        told(other, word, dispute="du_2", amount=3000)
    assert moves(ada) == [("dispute", D(-25)), ("dispute_won", D(25))]
    assert notices() == ["dispute:du_1:opened", "dispute:du_1:lost", "dispute:du_1:won", "dispute:du_2:won"]
    assert breaches(ada) == []


WORDS = ("warning_needs_response", "needs_response", "under_review")


@pytest.mark.parametrize("last", ["won", "lost"])
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_it_ends_the_same_in_every_order_of_news(ada: User, order: tuple[int, ...], last: str) -> None:
    topup = paid(ada)
    turn_on_auto_topup(ada)
    for number in order:
        told(topup, [*WORDS, last][number])
    assert Dispute.objects.get().status == last
    assert paid_funds(ada) == (D(25) if last == "won" else 0)
    assert not AutoTopup.objects.get().enabled
    assert breaches(ada) == []


def test_it_settles_the_payment_before_its_dispute(ada: User) -> None:
    """A dispute before our credit: first what came in, then what is taken back."""
    topup = begin(ada, card=save_card(ada, "pm_card_createDispute"))
    topups._ask(topup)
    deliver(events("charge.dispute.created")[0])
    deliver_all()
    kinds = list(LedgerEntry.objects.exclude(kind="grant").order_by("seq").values_list("kind", "paid"))
    assert kinds == [("topup", D(25)), ("dispute", D(-25))]


def test_it_waits_for_a_payment_that_has_not_succeeded(ada: User) -> None:
    """Nothing came in yet, says the processor: the event fails, is kept, and comes again."""
    topup = topups.pay(begin(ada))
    payment = sandbox_bank.pay_on_page(
        topup.page_id, sandbox_bank.sandbox_cards.typed("000123456789"), now=clock()
    )
    early = gateways.Dispute("du_1", payment.pk, 2500, "needs_response")
    sandbox_bank.tell("charge.dispute.created", early, now=clock())
    [body] = events("charge.dispute.created")
    assert deliver(body).status_code == 500
    assert "TooEarly" in EventReceipt.objects.get().error
    sandbox_bank.bring_in_debits(now=clock() + HOUR)
    assert deliver(body).status_code == 200
    assert moves(ada) == [("dispute", D(-25))]


# --- Warnings and strangers -----------------------------------------------------------------------------------


def test_it_only_tells_staff_of_a_fraud_warning(ada: User) -> None:
    topup = paid(ada)
    turn_on_auto_topup(ada)
    sandbox_bank.warn_of_fraud(payment_of(topup), now=clock())
    for _ in range(2):
        deliver(events("radar.early_fraud_warning.created")[0])
    notice = StaffNotice.objects.get()
    assert (notice.topup, notice.account_id) == (topup, ada.account_id)
    assert "made_with_stolen_card" in notice.text
    assert (moves(ada), AutoTopup.objects.get().enabled) == ([], True)


@pytest.mark.parametrize("kind", ["dispute", "warning", "refund"])
def test_it_keeps_what_the_processor_itself_does_not_know(ada: User, kind: str) -> None:
    """200 and no money, but a trace: it is signed, and yet about nothing."""
    subject = {
        "dispute": gateways.Dispute("du_x", "pi_nope", 500, "needs_response"),
        "warning": gateways.FraudWarning("issfr_x", "pi_nope", "misc"),
        "refund": gateways.Refund("re_x", "pi_nope", 500, "succeeded", None),
    }[kind]
    sandbox_bank.tell("charge.dispute.created", subject, now=clock())
    deliver_all()
    assert EventReceipt.objects.get().state == "quarantined"
    assert "pi_nope" in StaffNotice.objects.get().text
    assert moves(ada) == []


def test_it_ignores_disputes_of_other_installations(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    topup = begin(ada, card=save_card(ada))
    topups._ask(topup)
    payment = SandboxPayment.objects.get()
    sandbox_bank.open_dispute(payment, now=clock())
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sandbox_bank, "installation", lambda: "another")
        deliver(events("charge.dispute.created")[0])
    assert EventReceipt.objects.get().state == "ignored"
    assert not Dispute.objects.exists()


# --- With refunds ---------------------------------------------------------------------------------------------


def test_it_takes_what_a_refund_has_left(ada: User) -> None:
    topup = paid(ada)
    refund(topup, "10")
    told(topup, "needs_response")
    assert moves(ada) == [("refund", D(-10)), ("dispute", D(-15))]
    told(topup, "won")
    assert paid_funds(ada) == D(15)
    assert breaches(ada) == []


def test_it_refunds_after_a_lost_part_only_the_rest(ada: User) -> None:
    topup = paid(ada)
    told(topup, "lost", amount=1000)
    with pytest.raises(NotRefundable, match=r"At most \$15\.00"):
        refund(topup, "25")
    refund(topup, "15")
    assert paid_funds(ada) == 0


def test_it_takes_for_a_refund_what_a_won_dispute_gives_back(ada: User) -> None:
    """The refund came first at the processor, its event last: the customer has $10 on the card, so $15 here."""
    topup = paid(ada)
    made = sandbox_bank.refund_by_hand(topup.payment_id, 1000, now=clock())
    told(topup, "needs_response", amount=2000)
    deliver_all()
    assert moves(ada) == [("dispute", D(-20)), ("refund", D(-5))]
    told(topup, "won", amount=2000)
    assert moves(ada)[2:] == [("dispute_won", D(20)), ("refund", D(-5))]
    keys = LedgerEntry.objects.filter(kind="refund").order_by("seq").values_list("key", flat=True)
    assert list(keys) == [made.pk, f"{made.pk}:500"]
    assert (Refund.objects.get().taken, paid_funds(ada)) == (D(10), D(15))
    assert breaches(ada) == []


# --- All sequences --------------------------------------------------------------------------------------------

CHAPTERS: dict[str, list[tuple[str, object]]] = {
    "part refunded": [
        ("refund.created", gateways.Refund("re_1", "", 1000, "pending", None)),
        ("refund.updated", gateways.Refund("re_1", "", 1000, "succeeded", None)),
    ],
    "rest refunded, and failed": [
        ("refund.created", gateways.Refund("re_2", "", 1500, "succeeded", None)),
        ("refund.failed", gateways.Refund("re_2", "", 1500, "failed", None)),
    ],
    "refund canceled": [
        ("refund.updated", gateways.Refund("re_3", "", 700, "canceled", None)),
        ("refund.created", gateways.Refund("re_3", "", 700, "pending", None)),
    ],
    "disputed and won": [
        ("charge.dispute.created", gateways.Dispute("du_1", "", 2500, "needs_response")),
        ("charge.dispute.closed", gateways.Dispute("du_1", "", 2500, "won")),
    ],
    "disputed and lost": [
        ("charge.dispute.created", gateways.Dispute("du_2", "", 2000, "needs_response")),
        ("charge.dispute.closed", gateways.Dispute("du_2", "", 2000, "lost")),
    ],
    "asked about": [
        ("charge.dispute.created", gateways.Dispute("du_3", "", 2500, "warning_needs_response")),
        ("charge.dispute.closed", gateways.Dispute("du_3", "", 2500, "warning_closed")),
    ],
    "suspected": [("radar.early_fraud_warning.created", gateways.FraudWarning("issfr_1", "", "misc"))],
}
STANDING = {"part refunded": 10, "disputed and lost": 20}  # dollars that are gone for good


def undone(test: Callable[[User], None]) -> None:
    """Each example finds the world as if no other had been. (A savepoint: the product's transactions are durable.)"""
    savepoint = transaction.savepoint()
    try:
        test(factories.owner("example@example.com"))
    finally:
        transaction.set_rollback(False)
        transaction.savepoint_rollback(savepoint)
        connection.run_on_commit.clear()


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, object]]]:
    chapters = draw(st.lists(st.sampled_from(sorted(CHAPTERS)), unique=True, min_size=1, max_size=5))
    news = [item for chapter in chapters for item in CHAPTERS[chapter]]
    again = draw(st.lists(st.sampled_from(news), max_size=2))
    return chapters, draw(st.permutations([*news, *again]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories(), credit_last=st.booleans())
def test_it_ends_the_same_in_every_order_of_events(
    db: None, story: tuple[list[str], list[tuple[str, object]]], credit_last: bool
) -> None:
    """Signed events of refunds and disputes, shuffled and repeated, before or after the payment's own."""
    chapters, news = story

    def tell(user: User) -> None:
        topup = begin(user, card=save_card(user))
        payment = topups._ask(topup)
        assert isinstance(payment, gateways.Payment)
        own = events("payment_intent.succeeded")[0]
        for body in [] if credit_last else [own]:
            deliver(body)
        for type_, subject in news:
            fields = {name: getattr(subject, name) for name in subject.__slots__} | {"payment_id": payment.id}
            sandbox_bank.tell(type_, type(subject)(**fields), now=clock())
            assert deliver(events()[-1]).status_code == 200
            assert D(0) <= paid_funds(user) <= D(25)
        deliver(own)
        gone = sum(STANDING.get(chapter, 0) for chapter in chapters)
        assert paid_funds(user) == max(D(0), D(25) - gone)
        assert breaches(user) == []

    undone(tell)


class TwoBooks:
    """Random doings on both sides of one payment; in the end the balance says what the processor's books say."""

    def __init__(self, user: User, patch: pytest.MonkeyPatch) -> None:
        self.user, self.patch = user, patch
        self.topup = topups.pay(begin(user, card=save_card(user)))
        self.payment = payment_of(self.topup)

    def ours(self, cents: int) -> None:
        with suppress(NotRefundable):
            refund(self.topup, str(D(cents) / 100))

    def ours_unheard(self, cents: int) -> None:
        with self.patch.context() as broken:
            broken.setattr(gateways, "gateway", LosesRefunds)
            self.ours(cents)

    def ours_lost(self, cents: int) -> None:
        with self.patch.context() as broken:
            broken.setattr(gateways, "gateway", RefundsSilently)
            self.ours(cents)

    def theirs(self, cents: int) -> None:
        with suppress(Rejected):
            sandbox_bank.refund_by_hand(self.payment.pk, cents, now=clock())

    def bank_fails_one(self, cents: int) -> None:
        row = SandboxRefund.objects.exclude(status="failed").order_by("pk").first()
        if row:
            sandbox_bank.end_refund(row, "failed", now=clock())

    def disputed(self, cents: int) -> None:
        sandbox_bank.open_dispute(self.payment, now=clock())

    def asked(self, cents: int) -> None:
        sandbox_bank.open_dispute(self.payment, status="warning_needs_response", now=clock())

    def decided(self, cents: int) -> None:
        row = SandboxDispute.objects.filter(status="needs_response").order_by("pk").first()
        if row:
            sandbox_bank.close_dispute(row, won=bool(cents % 2), now=clock())

    def used(self, cents: int) -> None:
        with suppress(NotEnough):
            ledger.adjust(self.user.account_id, -D(cents) / 100, key=f"u{clock()}", actor="t", reason="use")

    def told_one(self, cents: int) -> None:
        bodies = events()
        assert deliver(bodies[cents % len(bodies)]).status_code == 200

    def swept(self, cents: int) -> None:
        refund_sweep.pursue_open_refunds(now=clock() + HOUR)

    def never_more_than_received(self) -> None:
        entries = LedgerEntry.objects.filter(account_id=self.user.account_id)
        back = sum(
            entry.paid for entry in entries if entry.kind in ("refund", "dispute", "dispute_won", "reversal")
        )
        assert -D(25) <= back <= 0

    def ends(self) -> None:
        deliver_all()
        refund_sweep.pursue_open_refunds(now=clock() + HOUR)
        deliver_all()
        entries = LedgerEntry.objects.filter(account_id=self.user.account_id)
        back = sum(
            entry.paid for entry in entries if entry.kind in ("refund", "dispute", "dispute_won", "reversal")
        )
        refunded = sandbox_bank.refunded(self.payment)
        standing = SandboxDispute.objects.filter(payment=self.payment, status__in=["needs_response", "lost"])
        gone = refunded + sum(row.amount for row in standing)
        assert back == -min(D(2500), D(gone)) / 100
        assert breaches(self.user) == []


DOINGS = (
    "ours", "ours", "ours_unheard", "ours_lost", "theirs", "bank_fails_one", "disputed", "asked", "decided",
    "used", "told_one", "told_one", "swept",
)  # fmt: skip
AMOUNTS = st.integers(1, 2600) | st.sampled_from([2500, 2499, 2501, 1000, 1500])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(doings=st.lists(st.tuples(st.sampled_from(DOINGS), AMOUNTS), min_size=1, max_size=10))
def test_both_books_agree_after_any_doings(
    db: None, monkeypatch: pytest.MonkeyPatch, doings: list[tuple[str, int]]
) -> None:
    """Refunds by us and there, lost answers, banks that fail them, disputes, usage, old events, sweeps."""

    def walk(user: User) -> None:
        books = TwoBooks(user, monkeypatch)
        for name, cents in doings:
            getattr(books, name)(cents)
            books.never_more_than_received()
        books.ends()

    undone(walk)


# --- All at once, and the proofs ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_it_takes_and_gives_back_once_for_deliveries_at_once(ada: User) -> None:
    topup = paid(ada)
    row = sandbox_bank.open_dispute(payment_of(topup), now=clock())
    sandbox_bank.close_dispute(row, won=True, now=clock())
    bodies = events("charge.dispute.")
    answers = in_parallel(16, lambda number: deliver(bodies[number % 2]).status_code)
    assert answers == [200] * 16
    assert paid_funds(ada) == D(25)
    assert breaches(ada) == []


DAMAGE = {
    "a refund or dispute took what its entries took": [
        "UPDATE billing_refund SET taken = taken - 1",
        "UPDATE billing_dispute SET taken = taken - 1",
        "UPDATE billing_ledgerentry SET paid = paid - 1 WHERE kind = 'refund'",
    ],
    "a failed refund or won dispute gave it back, no other did": [
        "UPDATE billing_refund SET status = 'failed'",
        "UPDATE billing_dispute SET status = 'won'",
        "UPDATE billing_ledgerentry SET kind = 'dispute_won', paid = 1 WHERE kind = 'dispute'",
    ],
    "an entry of a refund or dispute has its row": [
        "DELETE FROM billing_refund",
        "DELETE FROM billing_dispute",
    ],
    "no top-up gives back more than it brought in": [
        "UPDATE billing_topup SET received = 20",
        "UPDATE billing_dispute SET taken = 25",
    ],
}
CASES = [(rule, damage) for rule, damages in DAMAGE.items() for damage in damages]


@pytest.mark.parametrize(("rule", "damage"), CASES, ids=[damage for _, damage in CASES])
def test_each_proof_bites(ada: User, rule: str, damage: str) -> None:
    """What no code of ours can do: triggers and checks asleep."""
    topup = paid(ada)
    refund(topup, "10")
    told(topup, "needs_response")
    assert breaches(ada) == []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("ALTER TABLE billing_ledgerentry DROP CONSTRAINT entry_fits")
        cursor.execute(damage)
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert rule in {breach.rule for breach in breaches(ada)}
