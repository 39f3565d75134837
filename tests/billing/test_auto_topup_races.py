"""Many workers, sweeps and owners at the same moment: one payment, by what the rows say under the lock."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction

from accounts import afterwards, nudges
from accounts.models import User
from billing import auto_charge, auto_due, crossings, gateways, ledger, payment_methods, topups
from billing.auto_topup import Wish
from billing.gateways import Payment
from billing.gateways.sandbox import SandboxGateway
from billing.models import AutoTopup, SandboxPayment, TopUp
from billing.tasks import attempt_auto_topup
from tests.billing.paying import LosesAnswers, Silent, clock, credits, in_parallel, save_card
from tests.billing.topping_up import (
    HOUR,
    MINUTE,
    MUST_CONFIRM,
    NOON,
    attempt,
    auto_topups,
    letters,
    row,
    run_low,
    watching,
)
from thinnest_billing.sweeping import STEPS

pytestmark = pytest.mark.django_db(transaction=True)


def test_sixteen_workers_at_one_crossing_make_one_payment(ada: User) -> None:
    watching(ada)
    run_low(ada)
    made = in_parallel(16, lambda _: auto_charge.attempt(ada.account_id))
    assert sum(topup is not None for topup in made) == 1
    assert SandboxPayment.objects.count() == 1
    assert credits(ada) == [25]
    assert letters(ada) == ["added", "on"]


def test_without_the_rule_the_index_still_lets_one_through(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The belt: workers that neither lock nor see the open row."""
    watching(ada)
    run_low(ada)
    monkeypatch.setattr(ledger, "lock", lambda _: None)
    monkeypatch.setattr(auto_due, "open_topup", lambda _: None)
    monkeypatch.setattr(gateways, "gateway", Silent)
    made = in_parallel(16, lambda _: auto_charge.attempt(ada.account_id))
    assert sum(topup is not None for topup in made) == 1
    assert TopUp.objects.count() == 1


@pytest.mark.parametrize("card", ["pm_card_visa", MUST_CONFIRM])
def test_sixty_sweeps_with_a_pending_one_make_one_payment(
    ada: User, card: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rival that did not look at pending ones charged every five minutes."""
    watching(ada, card=save_card(ada, card))
    run_low(ada)
    with monkeypatch.context() as broken:
        broken.setattr(gateways, "gateway", LosesAnswers)
        attempt(ada)
        broken.setattr(gateways, "gateway", StaysSilent)
        for minutes in range(60):
            auto_charge.attempt_due(now=clock() + 5 * minutes * MINUTE)
            attempt(ada, now=NOON + 5 * minutes * MINUTE)
    assert SandboxPayment.objects.count() == TopUp.objects.count() == 1


class StaysSilent(Silent):
    def payment(self, payment_id: str) -> Payment:
        raise gateways.Unavailable("timed out")

    def find_payment(self, **_: Any) -> Payment | None:
        raise gateways.Unavailable("timed out")


def between_crossing_and_charge(user: User, change: Callable[[], object]) -> TopUp | None:
    """A worker that comes while `change` is being made waits for the lock, and then decides by what it left."""
    made: list[TopUp | None] = []
    locked, go_on = Flag(), Flag()

    def work() -> None:
        locked.wait(10)
        go_on.set()
        made.append(auto_charge.attempt(user.account_id))
        connection.close()

    worker = Thread(target=work)
    worker.start()
    with transaction.atomic():
        ledger.lock(user.account_id)
        locked.set()
        assert go_on.wait(10)
        change()
    worker.join(30)
    return made[0]


@pytest.mark.parametrize(
    "what", ["card removed", "turned off", "frozen", "threshold lowered", "amount changed"]
)
def test_it_reads_again_under_the_lock(ada: User, what: str) -> None:
    auto = watching(ada)
    run_low(ada, Decimal(9))
    rows = AutoTopup.objects.filter(pk=ada.account_id)
    changes: dict[str, Callable[[], object]] = {
        "card removed": lambda: payment_methods.forget(auto.card, now=clock()),
        "turned off": lambda: rows.update(enabled=False),
        "frozen": lambda: ledger.freeze(ada.account_id, by="owner", frozen=True),
        "threshold lowered": lambda: rows.update(threshold=Decimal(9)),
        "amount changed": lambda: rows.update(amount=Decimal(40)),
    }
    topup = between_crossing_and_charge(ada, changes[what])
    assert credits(ada) == ([40] if what == "amount changed" else [])
    assert (topup is None) is (what != "amount changed")


def test_a_card_removed_while_it_is_charged_stops_it(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the row was committed and before the processor was asked."""
    auto = watching(ada)
    run_low(ada)

    class Removes(SandboxGateway):
        def charge(self, **wanted: Any) -> Payment:
            payment_methods.remove(ada.account_id, auto.card, now=clock())
            return super().charge(**wanted)

    monkeypatch.setattr(gateways, "gateway", Removes)
    topup = auto_charge.attempt(ada.account_id)
    assert topup is not None
    assert (topup.status, row(ada).stopped_reason, credits(ada)) == ("failed", "card_removed", [])
    assert letters(ada) == ["off", "on"]


def test_forms_charges_and_settlements_at_once_never_deadlock(ada: User) -> None:
    """Lock order: the Balance first, whoever comes."""
    auto = watching(ada, amount=Decimal(10))
    card = save_card(ada, "pm_card_amex")
    wish = Wish(True, auto.threshold, auto.amount, auto.card, auto.monthly_limit)

    def act(number: int) -> None:
        match number % 4:
            case 0:
                with transaction.atomic():
                    ledger.lock(ada.account_id)
                    run_low(ada)
            case 1:
                wanted = replace(wish, card=auto.card if number % 8 == 1 else card)
                auto_charge.save(ada.account_id, wanted, actor=ada.public_id, now=clock())
            case 2:
                auto_charge.attempt(ada.account_id)
            case 3:
                topups.record_manual(ada.account_id, Decimal(5), actor="staff", reason="Transfer")

    in_parallel(16, act)
    received = sum(topup.credited for topup in TopUp.objects.filter(account_id=ada.account_id))
    assert sum(credits(ada)) == received
    assert len([topup for topup in auto_topups(ada) if topup.is_open]) <= 1


# --- Noticing -------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was published."""
    published: list[Any] = []

    def publish(task: Any, args: tuple[str, ...], *_: object) -> None:
        if task is attempt_auto_topup:
            published.append((task.name, *args))

    monkeypatch.setattr(nudges, "_publish", publish)
    monkeypatch.setattr(nudges, "_recent", {})
    return published


def moves(user: User, balance: Decimal) -> None:
    """To this balance, and a second passes."""
    run_low(user, balance)
    afterwards.flush()


def test_a_crossing_is_noticed_right_after_its_commit(ada: User, asked: list[Any]) -> None:
    watching(ada)
    moves(ada, Decimal(10))
    assert asked == []
    moves(ada, Decimal("9.99"))
    assert asked == [("billing.tasks.attempt_auto_topup", str(ada.account_id))]


def test_nothing_is_published_while_it_is_off(ada: User, asked: list[Any]) -> None:
    moves(ada, Decimal(1))
    assert asked == []


def test_it_is_noticed_however_far_the_balance_was_a_moment_ago(ada: User, asked: list[Any]) -> None:
    """S27: nobody trusts what was so some seconds before."""
    watching(ada)
    moves(ada, Decimal(49))
    moves(ada, Decimal(9))
    assert len(asked) == 1


def test_many_accounts_are_looked_at_in_one_query(
    ada: User, cy: User, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        crossings.look({ada.account_id: "-", cy.account_id: "-"})


def test_at_a_limit_it_asks_every_five_seconds(ada: User, asked: list[Any]) -> None:
    watching(ada, monthly_limit=Decimal(25))
    for _ in range(20):
        moves(ada, Decimal(1))
        moves(ada, Decimal(2))
    assert len(asked) == 1
    nudges._recent = {key: until - crossings.QUIET for key, until in nudges._recent.items()}  # they pass
    moves(ada, Decimal(1))
    assert len(asked) == 2


def test_nothing_is_published_while_nothing_can_come_of_it(ada: User, asked: list[Any]) -> None:
    """An open one, a rest after a decline, a freeze."""
    watching(ada)
    AutoTopup.objects.update(next_attempt_at=clock() + HOUR)
    moves(ada, Decimal(1))
    AutoTopup.objects.update(next_attempt_at=None)
    ledger.freeze(ada.account_id, by="staff", frozen=True)
    afterwards.flush()
    assert asked == []
    ledger.freeze(ada.account_id, by="staff", frozen=False)
    afterwards.flush()
    assert len(asked) == 1


def test_the_sweep_takes_a_step_for_it() -> None:
    assert auto_charge.attempt_due in STEPS


def test_the_sweep_finds_a_crossing_that_nobody_noticed(ada: User, asked: list[Any]) -> None:
    watching(ada)
    run_low(ada)
    auto_charge.attempt_due(now=clock())
    assert credits(ada) == [25]
