"""Rent under fire: at the same moment, killed half-way, and proved against the ledger. Needs a committed database."""

from decimal import Decimal
from unittest.mock import patch

import pytest

from accounts import afterwards
from accounts.models import User
from billing import ledger, selectors
from billing.errors import InsufficientBalance
from tests import factories
from tests.billing.paying import in_parallel
from tests.usage.renting import HOUR, leave, on, paid_until, rent, rents, top_up
from usage import phone_numbers, rent_notices, reversals
from usage.agents import NOBODY
from usage.models import Charge, PhoneNumber
from usage.verify import verify_ledger

D = Decimal
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada(db: None) -> User:
    user = factories.owner(now=on("2 January"))
    top_up(user, "25.00", at=on("2 January") + HOUR)
    return user


def test_it_charges_a_period_once_however_many_try(ada: User) -> None:
    number = rent(ada, at=on("30 January"))
    paid = in_parallel(6, lambda _: phone_numbers.renew_account(ada.account_id, now=on("1 March")))
    assert sorted(paid) == [0, 0, 0, 0, 0, 1]
    assert len(rents(ada)) == 2
    assert paid_until(number) == on("31 March")


def test_it_rents_no_more_than_the_balance_covers(ada: User) -> None:
    """S15: $5.00 are two numbers, whoever asks at the same moment."""
    leave(ada, "5.00", at=on("20 January"))

    def try_to_rent(_: int) -> bool:
        try:
            rent(ada, at=on("30 January"))
        except InsufficientBalance:
            return False
        return True

    assert sum(in_parallel(6, try_to_rent)) == 2
    assert PhoneNumber.objects.count() == 2
    assert selectors.balance_of(ada.account_id).balance == D("1.00")


def test_it_rents_one_number_for_a_button_that_is_pressed_many_times(ada: User) -> None:
    form = {"agent": NOBODY, "actor": ada.public_id, "number_id": PhoneNumber().id, "now": on("30 January")}
    made = in_parallel(6, lambda _: phone_numbers.rent(ada.account_id, **form))
    assert len(set(made)) == 1
    assert len(rents(ada)) == 1


def test_it_pays_either_before_or_after_a_release_but_never_for_a_released_number(ada: User) -> None:
    number = rent(ada, at=on("30 January"))

    def act(place: int) -> None:
        if place:
            phone_numbers.renew_account(ada.account_id, now=on("1 March"))
        else:
            phone_numbers.release(ada.account_id, number.id, actor=ada.public_id, now=on("1 March"))

    in_parallel(4, act)
    assert len(rents(ada)) == (2 if paid_until(number) == on("31 March") else 1)
    assert PhoneNumber.objects.get().released_at == on("1 March")


@pytest.mark.parametrize("place", ["save", "record"])
def test_it_leaves_no_half_of_a_rent_behind(ada: User, place: str) -> None:
    """Killed after the charge and before the row, or before both: nothing is charged, and the next pass does it."""
    number = rent(ada, at=on("30 January"))
    target = {"save": "usage.models.PhoneNumber.save", "record": "usage.metering.record"}[place]
    with patch(target, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        phone_numbers.renew_account(ada.account_id, now=on("1 March"))
    assert (len(rents(ada)), paid_until(number)) == (1, on("1 March"))
    phone_numbers.renew_due(now=on("1 March"))
    assert (len(rents(ada)), paid_until(number)) == (2, on("31 March"))


def test_its_rents_are_proved_by_the_ledger(ada: User) -> None:
    number, other = rent(ada, at=on("30 January")), rent(ada, at=on("3 February"))
    phone_numbers.provision(number, "+12025550123")
    phone_numbers.renew_due(now=on("1 March"))
    reversals.reverse(
        ada.account_id, Charge.objects.first().id, actor="staff", reason="A gift", now=on("2 March")
    )
    leave(ada, "0.00", at=on("3 March"))
    phone_numbers.renew_due(now=on("6 March"))
    top_up(ada, "25.00", at=on("20 May"))
    phone_numbers.renew_due(now=on("20 May"))
    assert paid_until(number) == paid_until(other) > on("20 May")
    assert verify_ledger(full=True, now=on("20 May")).breaches == []


def test_it_asks_for_unpaid_rents_right_after_a_credit(ada: User) -> None:
    """S46: a top-up restores without waiting for the sweep; and usage hardly ever asks."""
    rent(ada, at=on("30 January"))
    leave(ada, "0.50", at=on("20 February"))
    with patch("usage.rent_notices.nudge") as nudge:
        ledger.grant(ada.account_id, D(1), key="small", actor="staff", reason="Help", now=on("5 March"))
        afterwards.flush()
        assert not nudge.called
        top_up(ada, "5.00", at=on("5 March"))
        afterwards.flush()
        assert [call.args[1] for call in nudge.call_args_list] == [str(ada.account_id)]


def test_it_asks_the_database_once_about_all_that_moved(ada: User, django_assert_num_queries: object) -> None:
    others = [factories.account_without_trial().id for _ in range(5)]
    with django_assert_num_queries(1):
        rent_notices.look(dict.fromkeys([ada.account_id, *others], "-"))
