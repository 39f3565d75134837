"""Flags on charges: one open question a charge, answered once, by words or by the money."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction

from accounts.errors import Invalid
from accounts.models import Mail, StaffAct, User
from billing.models import LedgerEntry, StaffNotice
from billing.selectors import balance_of
from billing.staff import NotYourOwn
from tests.billing.paying import in_parallel
from tests.usage import events
from tests.usage.flagging import a_charge, asked, staff
from tests.usage.spending import NOW, use
from usage import flags, reversals
from usage.models import Charge, Flag

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=5)


def may(person: User, *codenames: str) -> User:
    person.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return User.objects.get(pk=person.pk)


@pytest.fixture
def eve(db: None) -> User:
    return may(staff(), "change_flag", "change_charge")


def test_a_charge_has_one_open_flag(ada: User, bo: User) -> None:
    charge = a_charge(ada)
    first = asked(ada, charge)
    again = asked(bo, charge, "Me too")
    assert again == first
    assert (again.text, again.flagged_by, again.outcome) == ("We sent this message once", ada, "open")
    with pytest.raises(IntegrityError), transaction.atomic():
        Flag.objects.create(account_id=ada.account_id, charge_id=charge.pk, text="x", created_at=NOW)


@pytest.mark.django_db(transaction=True)
def test_ten_members_who_flag_at_once_open_one_flag(ada: User) -> None:
    charge = a_charge(ada)
    made = in_parallel(10, lambda _: asked(ada, charge).pk)
    assert len(set(made)) == 1
    assert StaffNotice.objects.count() == 1


def test_staff_hear_of_it_by_email_and_never_read_the_customers_words_there(ada: User) -> None:
    eve, sue = staff("billing"), staff("support", "sue@example.com")
    staff("pricing", "pat@example.com")
    charge = a_charge(ada)
    asked(ada, charge, "Call from Mrs Miller")
    notice = StaffNotice.objects.get()
    assert charge.public_id in notice.text
    assert "Miller" not in notice.text
    assert notice.account_id == ada.account_id
    written = Mail.objects.filter(user__is_staff=True)
    assert {mail.to for mail in written} == {eve.email, sue.email}


def test_an_explained_flag_moves_no_money(ada: User, eve: User) -> None:
    charge = a_charge(ada)
    before = balance_of(ada.account_id).balance
    answered = flags.answer(
        asked(ada, charge), staff=eve, outcome="explained", text="It had 1,250 tokens.", now=LATER
    )
    assert (answered.outcome, answered.answer, answered.answered_by) == (
        "explained",
        "It had 1,250 tokens.",
        eve,
    )
    assert answered.answered_at == LATER
    assert balance_of(ada.account_id).balance == before
    assert StaffNotice.objects.get().done_by == eve.public_id
    act = StaffAct.objects.get()
    assert (act.act, act.target, act.staff) == ("answer flag", answered.public_id, eve)
    assert act.details == {"charge": charge.public_id, "outcome": "explained"}


def test_a_reversed_flag_gives_the_charge_back_with_the_answer(ada: User, eve: User) -> None:
    charge = a_charge(ada)
    answered = flags.answer(
        asked(ada, charge), staff=eve, outcome="reversed", text="Sorry, twice.", now=LATER
    )
    assert answered.outcome == "reversed"
    back = Charge.objects.get(reverses=charge.pk)
    assert back.cost == Decimal("-0.000391500")
    assert balance_of(ada.account_id).balance == Decimal("1.00")
    entry = LedgerEntry.objects.get(pk=back.pk)
    assert entry.actor == eve.public_id
    assert entry.reason == f"After a question about it ({answered.public_id})"


def test_a_flag_is_answered_once(ada: User, eve: User) -> None:
    flag = asked(ada, a_charge(ada))
    flags.answer(flag, staff=eve, outcome="explained", text="It is right.", now=LATER)
    for outcome in ("explained", "reversed"):
        with pytest.raises(flags.FlagAnswered):
            flags.answer(flag, staff=eve, outcome=outcome, text="Another answer", now=LATER)
    flag.refresh_from_db()
    assert flag.answer == "It is right."
    assert not Charge.objects.filter(reverses=flag.charge_id).exists()


@pytest.mark.django_db(transaction=True)
def test_two_colleagues_who_answer_at_once_give_back_once_and_say_one_thing(ada: User) -> None:
    eve = may(staff(), "change_flag", "change_charge")
    flag = asked(ada, a_charge(ada))

    def answer(number: int) -> str:
        outcome = ("reversed", "explained")[number % 2]
        try:
            return flags.answer(flag, staff=eve, outcome=outcome, text=outcome, now=LATER).outcome
        except flags.FlagAnswered:
            return "late"

    said = in_parallel(6, answer)
    assert sorted(said)[0] in ("explained", "late")
    assert said.count("late") == 5
    flag.refresh_from_db()
    assert flag.answer == flag.outcome
    assert Charge.objects.filter(reverses=flag.charge_id).count() == (flag.outcome == "reversed")


def test_the_money_goes_back_only_with_the_right_to_reverse(ada: User) -> None:
    flag, sue = asked(ada, a_charge(ada)), may(staff("pricing"), "change_flag")
    with pytest.raises(flags.MayNotAnswer):
        flags.answer(flag, staff=sue, outcome="reversed", text="Yes", now=LATER)
    assert flags.open_flags().get() == flag
    assert not Charge.objects.filter(reverses__isnull=False).exists()
    assert flags.answer(flag, staff=sue, outcome="explained", text="No", now=LATER).outcome == "explained"


def test_nobody_answers_for_an_account_of_their_own_nor_a_customer(ada: User, bo: User) -> None:
    flag = asked(ada, a_charge(ada))
    own = may(staff(), "change_flag", "change_charge")
    own.account_id = ada.account_id
    with pytest.raises(NotYourOwn):
        flags.answer(flag, staff=own, outcome="explained", text="Yes", now=LATER)
    stranger = User.objects.create_user("cy@example.org", "x")
    with pytest.raises(flags.MayNotAnswer):
        flags.answer(flag, staff=may(stranger, "change_flag"), outcome="explained", text="Yes", now=LATER)


def test_a_reversal_and_somebody_elses_charge_cannot_be_flagged(ada: User, cy: User) -> None:
    charge = a_charge(ada)
    reversed_ = reversals.reverse(ada.account_id, charge.pk, actor="tests", reason="x", now=LATER)
    with pytest.raises(reversals.ChargeNotFound):
        asked(ada, Charge.objects.get(pk=reversed_.charge_id))
    with pytest.raises(flags.ChargeReversed):
        asked(ada, charge)
    other = use(cy.account_id, events.chat("theirs"), at=NOW)
    with pytest.raises(reversals.ChargeNotFound):
        flags.flag(ada.account_id, other, by=ada, text="Mine?", now=NOW)
    assert not Flag.objects.exists()


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u2060", "a\0b", "x" * 501])
def test_a_flag_has_words_that_can_be_read(ada: User, text: str) -> None:
    charge = a_charge(ada)
    with pytest.raises(Invalid):
        asked(ada, charge, text)
    assert not Flag.objects.exists()


def test_a_flag_is_taken_back_while_it_is_open(ada: User, bo: User, eve: User) -> None:
    charge = a_charge(ada)
    flags.withdraw(asked(ada, charge), by=bo, now=LATER)
    assert not Flag.objects.exists()
    assert StaffNotice.objects.get().done_by == bo.public_id
    flag = asked(ada, charge, "It is wrong after all")
    flags.answer(flag, staff=eve, outcome="explained", text="It is right.", now=LATER)
    with pytest.raises(flags.FlagAnswered):
        flags.withdraw(flag, by=ada, now=LATER)
    assert Flag.objects.get() == flag


def test_after_an_explanation_it_can_be_asked_again(ada: User, eve: User) -> None:
    charge = a_charge(ada)
    flags.answer(asked(ada, charge), staff=eve, outcome="explained", text="It is right.", now=LATER)
    second = asked(ada, charge, "It is not", at=LATER)
    assert second.outcome == "open"
    assert [flag.text for flag in flags.of_charge(charge)] == ["It is not", "We sent this message once"]
    assert StaffNotice.objects.filter(done_at=None).count() == 1


def test_the_longest_waiting_flag_comes_first(ada: User, cy: User) -> None:
    late = asked(cy, a_charge(cy), at=LATER)
    early = asked(ada, a_charge(ada))
    assert list(flags.open_flags()) == [early, late]
