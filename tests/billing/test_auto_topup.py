"""When auto-topup charges, to the cent and the second, and what its page says next."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.conf import settings

from accounts.models import User
from billing import auto_charge, auto_topup, holds, ledger, selectors
from billing.auto_charge import WishRefused
from billing.auto_topup import Wish
from billing.models import AutoTopup, TopUp
from tests.billing.paying import clock, credits, save_card
from tests.billing.topping_up import (
    NOON,
    SECOND,
    attempt,
    auto_topups,
    letters,
    row,
    run_low,
    set_balance,
    standing,
    turn_on,
    watching,
)

pytestmark = pytest.mark.django_db


def test_it_charges_and_credits_exactly_the_amount_below_the_threshold(ada: User) -> None:
    """S27: below the threshold, exactly the amount is charged and credited."""
    watching(ada, threshold=Decimal("10.00"), amount=Decimal("25.00"))
    run_low(ada, Decimal("9.99"))
    topup = attempt(ada)
    assert topup is not None
    assert (topup.status, topup.amount, topup.received) == ("succeeded", Decimal(25), Decimal(25))
    assert (topup.origin, topup.off_session, topup.actor) == ("auto", True, "auto-topup")
    assert credits(ada) == [Decimal(25)]
    assert selectors.balance_of(ada.account_id).balance == Decimal("34.99")
    assert letters(ada) == ["added", "on"]


def test_it_is_what_the_form_says(ada: User) -> None:
    """S26: toggle, threshold, amount, Save; with the consent of whoever saved it, told by a letter."""
    auto = watching(ada, threshold=Decimal("7.50"), amount=Decimal("60.00"), monthly_limit=Decimal(300))
    assert (auto.enabled, auto.threshold, auto.amount) == (True, Decimal("7.50"), Decimal(60))
    assert (auto.monthly_limit, auto.consented_at, auto.consented_by) == (Decimal(300), NOON, ada.public_id)
    assert letters(ada) == ["on"]
    run_low(ada, Decimal("7.49"))
    assert attempt(ada) is not None
    assert credits(ada) == [Decimal(60)]


def test_it_tops_up_at_once_when_saved_below_the_threshold(ada: User) -> None:
    """S45: a balance that ran out is replenished."""
    run_low(ada, Decimal(0))
    turn_on(ada)
    assert credits(ada) == [Decimal(25)]
    assert selectors.balance_of(ada.account_id).depleted_at is None


@pytest.mark.parametrize(
    ("balance", "charged"), [("9.99", True), ("10.00", False), ("10.01", False), ("0.00", True)]
)
def test_it_fires_strictly_below(ada: User, balance: str, charged: bool) -> None:
    watching(ada, threshold=Decimal("10.00"))
    run_low(ada, Decimal(balance))
    assert standing(ada).kind == ("due" if charged else "watching")
    assert (attempt(ada) is not None) is charged


def test_it_looks_at_what_is_available(ada: User) -> None:
    """$50 of which $45 are held: $5 is available."""
    watching(ada, threshold=Decimal(10))
    hold(ada, Decimal(45))
    assert standing(ada).available == Decimal(5)
    assert attempt(ada) is not None


def test_it_does_not_count_holds_that_are_overdue(ada: User) -> None:
    """Wherever the worker may be that releases them."""
    watching(ada, threshold=Decimal(10))
    hold(ada, Decimal(45), now=clock() - timedelta(hours=3))
    assert standing(ada).kind == "watching"
    assert attempt(ada) is None


def hold(user: User, amount: Decimal, *, now: datetime | None = None) -> None:
    outcome = holds.hold(
        user.account_id, key="call-1", request_hash=b"1", amount=amount, purpose="voice", terms={},
        lifetime=timedelta(hours=1), api_key_id=None, now=now,
    )  # fmt: skip
    assert outcome.status == "held"


def test_it_does_nothing_before_its_owner_saved_it(ada: User) -> None:
    assert auto_topup.of(ada.account_id) is None
    assert attempt(ada) is None
    found = standing(ada)
    assert (found.kind, found.is_on, found.auto) == ("off", False, None)
    assert (found.monthly_limit, found.used_this_month) == (Decimal(500), Decimal(0))


def test_it_does_nothing_while_it_is_off(ada: User) -> None:
    auto = watching(ada)
    turn_on(ada, enabled=False, card=auto.card)
    run_low(ada)
    assert standing(ada).kind == "off"
    assert attempt(ada) is None


@pytest.mark.parametrize("by", ["owner", "staff"])
def test_it_rests_while_spending_is_frozen_by_anybody(ada: User, by: str) -> None:
    watching(ada)
    run_low(ada)
    ledger.freeze(ada.account_id, by=by, frozen=True)
    assert standing(ada).kind == "frozen"
    assert attempt(ada) is None
    ledger.freeze(ada.account_id, by=by, frozen=False)
    assert attempt(ada) is not None


def test_it_rests_while_paid_is_below_zero(ada: User) -> None:
    """After a refund or a dispute that took more than was left."""
    watching(ada, balance=Decimal(1))
    take(ada, Decimal("30.00"))
    assert selectors.balance_of(ada.account_id).paid < 0
    assert standing(ada).kind == "below_zero"
    assert attempt(ada) is None


def take(user: User, amount: Decimal) -> None:
    ledger.take_back(user.account_id, ledger.Kind.DISPUTE, amount, key="du_1", actor="bank")


@pytest.mark.parametrize(("early", "kind"), [(SECOND, "retry"), (timedelta(0), "due")])
def test_it_waits_for_the_next_attempt(ada: User, early: timedelta, kind: str) -> None:
    watching(ada)
    run_low(ada)
    AutoTopup.objects.update(next_attempt_at=NOON + early, failures=1)
    found = standing(ada)
    assert (found.kind, found.at) == (kind, NOON + early if kind == "retry" else None)
    assert (attempt(ada) is None) is (kind == "retry")


def test_it_stops_when_its_card_is_gone_without_a_word(ada: User) -> None:
    """Whatever removed it: what counts is what the rows say under the lock."""
    watching(ada)
    run_low(ada)
    AutoTopup.objects.update(card="pm_of_somebody_else")
    assert standing(ada).kind == "no_card"
    assert attempt(ada) is None
    found = standing(ada)
    assert (found.kind, row(ada).stopped_reason, found.at) == ("stopped", "card_removed", NOON)
    assert letters(ada) == ["off", "on"]


def test_it_says_what_it_will_do(ada: User) -> None:
    auto = watching(ada)
    found = standing(ada)
    assert (found.kind, found.is_on, found.is_below) == ("watching", True, False)
    assert (found.auto, found.topup, found.monthly_limit) == (auto, None, Decimal(500))
    assert found.card is not None
    assert found.card.gateway_id == auto.card
    run_low(ada)
    attempt(ada)
    found = standing(ada)
    assert (found.kind, found.used_this_month) == ("watching", Decimal(25))
    assert found.topup == auto_topups(ada)[0]


# --- What may be saved ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"amount": Decimal("4.99")}, "amount", "The smallest amount is $5.00."),
        ({"amount": Decimal("1000.01")}, "amount", "The largest amount is $1,000.00."),
        ({"amount": Decimal("25.005")}, "amount", "Use dollars and whole cents, such as 25.00."),
        ({"amount": Decimal("NaN")}, "amount", "The smallest amount is $5.00."),
        ({"amount": Decimal("1E400")}, "amount", "The largest amount is $1,000.00."),
        ({"threshold": Decimal("25.01")}, "amount", "Add at least $25.01"),
        ({"threshold": Decimal(0)}, "threshold", "Type an amount above zero, such as 10.00."),
        ({"threshold": Decimal(-5)}, "threshold", "Type an amount above zero, such as 10.00."),
        ({"threshold": Decimal("Infinity")}, "threshold", "Type an amount above zero, such as 10.00."),
        ({"threshold": Decimal("1E400")}, "threshold", "The largest amount is $1,000.00."),
        ({"monthly_limit": Decimal("1E400")}, "monthly_limit", "The largest amount is $1,000,000.00."),
        ({"threshold": Decimal("0.009")}, "threshold", "Type an amount above zero, such as 10.00."),
        ({"threshold": Decimal("9.999")}, "threshold", "Use dollars and whole cents, such as 10.00."),
        ({"monthly_limit": Decimal("24.99")}, "monthly_limit", "Allow at least one top-up a month: $25.00."),
        (
            {"monthly_limit": Decimal("500.001")},
            "monthly_limit",
            "Use dollars and whole cents, such as 10.00.",
        ),
        ({"monthly_limit": Decimal("1E9")}, "monthly_limit", "The largest amount is $1,000,000.00."),
        ({"card": "pm_unknown"}, "card", "This card is no longer saved. Choose another card."),
        ({"card": "pm\0"}, "card", "This card is no longer saved. Choose another card."),
    ],
)
def test_it_refuses_what_makes_no_sense(
    ada: User, changes: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(WishRefused) as refused:
        turn_on(ada, **changes)
    assert refused.value.fields[field].startswith(sentence)
    assert auto_topup.of(ada.account_id) is None
    assert auto_topups(ada) == []


def test_it_accepts_the_bounds(ada: User) -> None:
    set_balance(ada.account_id, Decimal(2000))
    turn_on(ada, threshold=Decimal("5.00"), amount=settings.TOPUP_MIN, monthly_limit=Decimal("5.00"))
    turn_on(ada, threshold=Decimal(1000), amount=settings.TOPUP_MAX, monthly_limit=Decimal(1000))
    assert row(ada).amount == Decimal(1000)


def test_it_refuses_the_card_of_somebody_else(ada: User, cy: User) -> None:
    with pytest.raises(WishRefused, match="This card is no longer saved"):
        turn_on(ada, card=save_card(cy))


def test_it_can_always_be_turned_off(ada: User) -> None:
    """With a card that is gone and an amount that makes no sense: the numbers stay, and it is off."""
    watching(ada)
    turn_on(ada, enabled=False, card="pm_gone", amount=Decimal(1))
    assert (row(ada).enabled, row(ada).amount) == (False, Decimal(25))


def test_it_is_told_when_terms_change_and_not_otherwise(ada: User) -> None:
    auto = watching(ada)
    turn_on(ada, card=auto.card)
    assert letters(ada) == ["on"]
    turn_on(ada, card=auto.card, amount=Decimal(30))
    assert letters(ada) == ["on", "on"]


def test_it_reads_the_form_under_the_lock(ada: User) -> None:
    """What was saved between the crossing and the charge is what is charged."""
    auto = watching(ada)
    run_low(ada)
    AutoTopup.objects.update(amount=Decimal(40))
    assert auto.amount == Decimal(25)
    attempt(ada)
    assert credits(ada) == [Decimal(40)]


def test_it_is_swept(ada: User, cy: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """One account that cannot be decided does not stop the others."""
    for user in (ada, cy):
        watching(user)
        run_low(user)
    pay = auto_charge.topups.pay

    def poisoned(topup: TopUp, **options: Any) -> TopUp:
        if topup.account_id == min(ada.account_id, cy.account_id):
            raise RuntimeError("poison")
        return pay(topup, **options)

    monkeypatch.setattr(auto_charge.topups, "pay", poisoned)
    with time_machine.travel(NOON, tick=False):
        auto_charge.attempt_due(now=NOON)
    assert sorted(credits(ada) + credits(cy)) == [Decimal(25)]


def test_it_takes_a_wish_as_it_is(ada: User) -> None:
    wish = Wish(True, Decimal(10), Decimal(25), save_card(ada), Decimal(500))
    assert auto_topup.refusals(ada.account_id, wish) == {}
