"""Phone numbers: rented with the first 30 days at once, in trouble for seven days, then out of service, never gone."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import Invalid
from accounts.models import User
from billing import holds, ledger, selectors
from billing.errors import InsufficientBalance, PaidBalanceRequired, SpendingFrozen
from billing.models import LedgerEntry
from billing.selectors import Funds
from tests import factories
from tests.usage import events, spending
from tests.usage.renting import DAY, HOUR, PERIOD, leave, on, paid_until, rent, rents, state, top_up
from usage import agents, metering, phone_numbers, rate_card, rent_history, reports, reversals
from usage.models import Agent, Charge, PhoneNumber
from usage.periods import month_of
from usage.phone_numbers import NumberAlreadySet, NumberNotFound
from usage.running import RunState

D = Decimal
NEW_YEAR = on("2 January")
pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db: None) -> User:
    """The owner, since 2 January, with $1.00 of trial and $25.00 paid."""
    user = factories.owner(now=NEW_YEAR)
    top_up(user, "25.00", at=NEW_YEAR + HOUR)
    return user


def balance(user: User) -> Decimal:
    return selectors.balance_of(user.account_id).balance


def sweep(day: str) -> None:
    phone_numbers.renew_due(now=on(day))


# --- Renting --------------------------------------------------------------------------------------------------


def test_it_charges_the_first_thirty_days_at_once(ada: User) -> None:
    """S15: numbers are billed by the month, as voice, and under their agent."""
    number = rent(ada, at=on("30 January"), agent=spending.agent("Sales Assistant"))
    assert balance(ada) == D("24.00")
    assert rents(ada) == [(on("30 January"), D("2.00"))]
    assert (number.rented_by, number.number) == (ada.public_id, "")
    assert paid_until(number) == on("1 March")
    spent = reports.spending(ada.account_id, month_of(on("30 January").date()))
    assert spent.by_category == {"voice": D("2.00")}
    assert spent.by_agent == {"Sales Assistant": D("2.00")}
    assert spent.by_model == {"Phone numbers": D("2.00")}


def test_it_counts_rent_without_an_agent_as_unassigned(ada: User) -> None:
    rent(ada, at=on("30 January"))
    assert reports.spending(ada.account_id, month_of(on("30 January").date())).by_agent == {
        "Unassigned": D("2.00")
    }


def test_it_rents_nothing_when_the_first_rent_does_not_fit(ada: User) -> None:
    """S15: all or nothing. $1.99 is no rent, and no refused request of the agents either."""
    leave(ada, "1.99", at=on("29 January"))
    with pytest.raises(
        InsufficientBalance, match=r"cost \$2.00, and \$1.99 is available. No number was rented"
    ):
        rent(ada, at=on("30 January"), agent=spending.agent("New agent"))
    assert not PhoneNumber.objects.exists()
    assert not Agent.objects.exists()
    assert rents(ada) == []
    assert selectors.balance_of(ada.account_id).refused_at is None


def test_it_rents_no_number_to_a_trial() -> None:
    """S9: renting needs a paid balance; the trial's credit is not one."""
    trial = factories.owner("new@example.com", now=NEW_YEAR)
    ledger.grant(trial.account_id, D(20), key="gift", actor="staff", reason="A gift", now=NEW_YEAR)
    with pytest.raises(PaidBalanceRequired):
        rent(trial, at=on("30 January"))
    top_up(trial, "5.00", at=on("30 January"))
    assert rent(trial, at=on("30 January")).paid_until == on("1 March")


def test_it_rents_nothing_while_spending_is_frozen(ada: User) -> None:
    ledger.freeze(ada.account_id, by="owner", frozen=True, now=on("29 January"))
    with pytest.raises(SpendingFrozen):
        rent(ada, at=on("30 January"))
    assert not PhoneNumber.objects.exists()


def test_it_does_not_touch_what_is_reserved(ada: User) -> None:
    leave(ada, "2.50", at=on("29 January"))
    holds.hold(
        ada.account_id, key="call", request_hash=b"x" * 32, amount=D("0.60"), purpose="voice", terms={},
        lifetime=timedelta(hours=2), now=on("30 January"),
    )  # fmt: skip
    with pytest.raises(InsufficientBalance):
        rent(ada, at=on("30 January") + HOUR)
    rent(ada, at=on("30 January") + 3 * HOUR)  # the hold is overdue
    assert balance(ada) == D("0.50")


def test_it_rents_one_number_for_a_form_that_is_sent_twice(ada: User) -> None:
    form = {"agent": agents.NOBODY, "actor": ada.public_id, "number_id": PhoneNumber().id}
    first = phone_numbers.rent(ada.account_id, now=on("30 January"), **form)
    again = phone_numbers.rent(ada.account_id, now=on("30 January") + HOUR, **form)
    assert first == again
    assert len(rents(ada)) == 1


# --- Renewal --------------------------------------------------------------------------------------------------


def test_it_renews_every_thirty_days_through_february(ada: User) -> None:
    """S15: 30 days, whatever the month: 30 January, 1 March, 31 March, 30 April."""
    number = rent(ada, at=on("30 January"))
    phone_numbers.renew_due(now=on("1 March") - timedelta(seconds=1))
    assert len(rents(ada)) == 1
    for day in ("1 March", "31 March", "30 April"):
        sweep(day)
        sweep(day)
    assert rents(ada) == [(on(day), D("2.00")) for day in ("30 January", "1 March", "31 March", "30 April")]
    assert paid_until(number) == on("30 May")
    assert balance(ada) == D("18.00")


def test_it_makes_up_for_days_on_which_nothing_ran(ada: User) -> None:
    """The sweep was down from 1 to 4 March: the new period follows the old one, without a gap."""
    number = rent(ada, at=on("30 January"))
    sweep("4 March")
    assert rents(ada)[1:] == [(on("1 March"), D("2.00"))]
    assert paid_until(number) == on("31 March")


def test_it_charges_no_gap_after_a_long_outage_of_ours(ada: User) -> None:
    number = rent(ada, at=on("30 January"))
    sweep("20 May")
    assert rents(ada)[1:] == [(on("20 May"), D("2.00"))]
    assert paid_until(number) == on("20 May") + PERIOD


def test_it_charges_the_price_in_force_when_the_period_begins(ada: User) -> None:
    number = rent(ada, at=on("30 January"))
    rate_card.set_price(
        "number.period", rate=D("3.00"), effective_from=on("3 March"), actor="tests", now=on("1 February")
    )
    sweep("4 March")
    sweep("31 March")
    assert rents(ada)[1:] == [(on("1 March"), D("2.00")), (on("31 March"), D("3.00"))]
    assert paid_until(number) == on("30 April")


def test_it_never_counts_a_rent_that_does_not_fit_as_a_refused_request(ada: User) -> None:
    rent(ada, at=on("30 January"))
    leave(ada, "1.50", at=on("20 February"))
    sweep("1 March")
    assert selectors.balance_of(ada.account_id).refused_at is None
    assert phone_numbers.renew_account(ada.account_id, now=on("2 March")) == 0
    assert selectors.balance_of(ada.account_id).refused_at is None
    assert len(rents(ada)) == 1


def test_it_pays_the_longest_unpaid_first(ada: User) -> None:
    later, first = rent(ada, at=on("2 February")), rent(ada, at=on("30 January"))
    third = rent(ada, at=on("3 February"))
    leave(ada, "0.00", at=on("10 February") + HOUR)
    ledger.grant(
        ada.account_id, D("4.10"), key="gift", actor="staff", reason="A gift", now=on("5 March") + HOUR
    )
    assert phone_numbers.renew_account(ada.account_id, now=on("5 March") + 2 * HOUR) == 2
    assert paid_until(first) > on("6 March")
    assert paid_until(later) > on("6 March")
    assert paid_until(third) == on("5 March")


def test_it_does_not_let_a_caller_take_the_event_id_of_a_rent(ada: User) -> None:
    """The ids of rent end in a sign that is not ASCII, and callers' ids are."""
    number = rent(ada, at=on("30 January"))
    guess = f"rent:{number.id}:{number.paid_until.isoformat()}"
    assert metering.record(ada.account_id, events.chat(guess), now=on("10 February")).status == "recorded"
    sweep("1 March")
    assert paid_until(number) == on("31 March")
    key = Charge.objects.filter(type="number").values_list("event_id", flat=True)[0]
    assert key.startswith("rent:")
    assert not key.isascii()


def test_it_goes_on_with_the_others_when_one_account_fails(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    rent(ada, at=on("30 January"))
    cy = factories.owner("cy@example.net", now=NEW_YEAR)
    top_up(cy, "25.00", at=NEW_YEAR + HOUR)
    rent(cy, at=on("31 January"))
    real = phone_numbers.rents.renew_account

    def fail_for_ada(account_id: object, **when: object) -> int:
        if account_id == ada.account_id:
            raise RuntimeError("broken")
        return real(account_id, **when)

    monkeypatch.setattr(phone_numbers.rents, "renew_account", fail_for_ada)
    sweep("3 March")
    assert (len(rents(ada)), len(rents(cy))) == (1, 2)


# --- Trouble --------------------------------------------------------------------------------------------------


def test_it_gives_seven_days_of_grace_when_the_rent_is_not_paid(ada: User) -> None:
    """S46: grace from 1 to 8 March, then suspended, without rent, until the owner pays or releases it."""
    number = rent(ada, at=on("30 January"))
    leave(ada, "1.50", at=on("20 February"))
    assert state(number, at=on("28 February")).state == RunState.ACTIVE
    for day in ("1 March", "4 March", "7 March"):
        sweep(day)
        run = state(number, at=on(day))
        assert (run.state, run.since, run.until) == ("grace", on("1 March"), on("8 March"))
        assert run.reason == "Its rent is not paid."
    assert state(number, at=on("8 March") - timedelta(seconds=1)).state == "grace"
    for day in ("8 March", "31 December"):
        sweep(day)
        run = state(number, at=on(day))
        assert (run.state, run.since, run.until) == ("suspended", on("8 March"), None)
    assert len(rents(ada)) == 1


def test_it_gives_seven_days_of_grace_when_the_balance_runs_out(ada: User) -> None:
    """S46: although its rent is paid until 1 March. A top-up brings it back, and costs no second rent."""
    number = rent(ada, at=on("30 January"))
    leave(ada, "0.00", at=on("10 February"))
    run = state(number, at=on("16 February"))
    assert (run.state, run.reason, run.since, run.until) == (
        "grace", "The balance ran out.", on("10 February"), on("17 February"),
    )  # fmt: skip
    assert state(number, at=on("17 February")).state == "suspended"
    top_up(ada, "5.00", at=on("20 February"))
    assert phone_numbers.renew_account(ada.account_id, now=on("20 February")) == 0
    assert state(number, at=on("20 February")).state == "active"
    assert (paid_until(number), balance(ada)) == (on("1 March"), D("5.00"))


def test_it_begins_the_grace_with_whichever_came_first(ada: User) -> None:
    number = rent(ada, at=on("30 January"))
    leave(ada, "0.00", at=on("26 February"))
    assert state(number, at=on("2 March")).until == on("5 March")
    other = rent_of_somebody(short_since="20 February", empty_since="4 March")
    assert state(other, at=on("5 March")).until == on("8 March")


def rent_of_somebody(*, short_since: str, empty_since: str) -> PhoneNumber:
    user = factories.owner("cy@example.net", now=NEW_YEAR)
    top_up(user, "25.00", at=NEW_YEAR + HOUR)
    number = rent(user, at=on("30 January"))
    leave(user, "1.50", at=on(short_since))
    leave(user, "0.00", at=on(empty_since))
    return number


def test_it_continues_the_old_period_when_paid_in_grace(ada: User) -> None:
    """Due on 1 March, paid on 5 March: the next 30 days end on 31 March, as if it had been paid in time."""
    number = rent(ada, at=on("30 January"))
    leave(ada, "0.50", at=on("20 February"))
    top_up(ada, "5.00", at=on("5 March"))
    assert phone_numbers.renew_account(ada.account_id, now=on("5 March")) == 1
    assert state(number, at=on("5 March")).state == "active"
    assert (paid_until(number), balance(ada)) == (on("31 March"), D("3.50"))


def test_it_begins_anew_when_paid_after_a_suspension(ada: User) -> None:
    """Due on 1 March, suspended on 8 March, paid on 20 May: 30 days from then on, and the gap costs nothing."""
    number = rent(ada, at=on("30 January"))
    leave(ada, "0.50", at=on("20 February"))
    top_up(ada, "5.00", at=on("20 May"))
    assert phone_numbers.renew_account(ada.account_id, now=on("20 May")) == 1
    assert state(number, at=on("20 May")).state == "active"
    assert (paid_until(number), balance(ada)) == (on("20 May") + PERIOD, D("3.50"))


def test_it_begins_anew_when_the_balance_had_suspended_it_before_its_rent_was_due(ada: User) -> None:
    """Empty since 18 February, suspended on 25 February, due on 1 March, paid on 3 March: from then on."""
    number = rent(ada, at=on("30 January"))
    leave(ada, "0.00", at=on("18 February"))
    assert state(number, at=on("3 March")).state == "suspended"
    top_up(ada, "5.00", at=on("3 March"))
    phone_numbers.renew_account(ada.account_id, now=on("3 March") + HOUR)
    assert paid_until(number) == on("3 March") + HOUR + PERIOD


def test_it_begins_anew_when_a_small_credit_came_before_the_one_that_pays(ada: User) -> None:
    """Suspended until 3 March by an empty balance; $1.00 brings it back in grace; the rent is paid on 4 March."""
    number = rent(ada, at=on("30 January"))
    leave(ada, "0.00", at=on("18 February"))
    ledger.grant(ada.account_id, D(1), key="small", actor="staff", reason="Help", now=on("3 March"))
    assert phone_numbers.renew_account(ada.account_id, now=on("3 March")) == 0
    assert state(number, at=on("3 March")).until == on("8 March")
    ledger.grant(ada.account_id, D(4), key="more", actor="staff", reason="Help", now=on("4 March"))
    phone_numbers.renew_account(ada.account_id, now=on("4 March"))
    assert paid_until(number) == on("4 March") + PERIOD


def test_it_continues_the_old_period_when_the_balance_was_empty_for_less_than_seven_days(ada: User) -> None:
    number = rent(ada, at=on("30 January"))
    leave(ada, "0.00", at=on("26 February"))
    top_up(ada, "5.00", at=on("4 March"))
    phone_numbers.renew_account(ada.account_id, now=on("4 March"))
    assert paid_until(number) == on("31 March")


def test_it_deletes_nothing_for_a_low_balance(ada: User) -> None:
    """S48: years without money leave the number as it is, and a top-up changes nothing but `paid_until`."""
    number = rent(ada, at=on("30 January"), agent=spending.agent("Sales Assistant"))
    phone_numbers.provision(number, "+12025550123")
    before = PhoneNumber.objects.values().get()
    leave(ada, "0.00", at=on("20 February"))
    for day in ("1 March", "8 March", "31 December"):
        sweep(day)
        assert PhoneNumber.objects.values().get() == before
    much_later = on("31 December") + 1000 * DAY
    assert state(number, at=much_later).state == "suspended"
    top_up(ada, "5.00", at=much_later)
    phone_numbers.renew_due(now=much_later)
    assert PhoneNumber.objects.values().get() == before | {"paid_until": much_later + PERIOD}
    assert state(number, at=much_later).state == "active"


# --- Freeze ---------------------------------------------------------------------------------------------------


def test_it_postpones_rent_during_a_freeze_without_grace(ada: User) -> None:
    """Due on 1 March, frozen from 20 February to 20 April: active all the time, then 30 days from 20 April on."""
    number = rent(ada, at=on("30 January"))
    ledger.freeze(ada.account_id, by="owner", frozen=True, now=on("20 February"))
    sweep("15 March")
    assert len(rents(ada)) == 1
    assert state(number, at=on("15 March")).state == "active"
    ledger.freeze(ada.account_id, by="owner", frozen=False, now=on("20 April"))
    sweep("20 April")
    assert rents(ada)[1:] == [(on("20 April"), D("2.00"))]
    assert paid_until(number) == on("20 April") + PERIOD


def test_it_begins_the_grace_anew_when_a_freeze_ends(ada: User) -> None:
    number = rent(ada, at=on("30 January"))
    leave(ada, "0.50", at=on("20 February"))
    ledger.freeze(ada.account_id, by="staff", frozen=True, now=on("4 March"))
    assert state(number, at=on("20 March")).state == "active"
    ledger.freeze(ada.account_id, by="staff", frozen=False, now=on("1 April"))
    run = state(number, at=on("3 April"))
    assert (run.state, run.since, run.until) == ("grace", on("1 April"), on("8 April"))
    top_up(ada, "5.00", at=on("3 April"))
    phone_numbers.renew_account(ada.account_id, now=on("3 April"))
    assert paid_until(number) == on("3 April") + PERIOD


def test_it_forgets_a_freeze_that_ended_before_the_rent_was_due(ada: User) -> None:
    number = rent(ada, at=on("30 January"))
    ledger.freeze(ada.account_id, by="owner", frozen=True, now=on("10 February"))
    ledger.freeze(ada.account_id, by="owner", frozen=False, now=on("12 February"))
    sweep("2 March")
    assert paid_until(number) == on("31 March")


# --- The rule itself ------------------------------------------------------------------------------------------

times = st.none() | st.integers(-20, 20).map(lambda days: on("1 March") + days * DAY)


@given(times, times, st.integers(-20, 20), st.booleans())
def test_it_derives_the_state_from_four_moments(
    depleted: object, unfrozen: object, left: int, frozen: bool
) -> None:
    """The words of the specification, written a second time: trouble begins at the later of unfrozen_at and (the
    earlier of depleted_at and an unpaid paid_until)."""
    now = on("1 March")
    frozen_at = now if frozen else None
    funds = Funds(D(0), D(0), D(0), depleted, None, None, frozen_at, None, None, unfrozen)
    number = PhoneNumber(paid_until=now + left * DAY, rented_at=now)
    run = phone_numbers.state_of(number, funds, now=now)
    earlier = sorted([at for at in (depleted, number.paid_until if left <= 0 else None) if at is not None])
    if frozen or not earlier:
        assert (run.state, run.since, run.until) == ("active", None, None)
        return
    began = earlier[0] if unfrozen is None or unfrozen < earlier[0] else unfrozen
    if (now - began).days < 7:
        assert (run.state, run.since, run.until) == ("grace", began, began + 7 * DAY)
    else:
        assert (run.state, run.since, run.until) == ("suspended", began + 7 * DAY, None)


# --- Releasing and setting up ---------------------------------------------------------------------------------


def test_it_charges_nothing_after_a_release(ada: User) -> None:
    number = rent(ada, at=on("30 January"))
    released = phone_numbers.release(ada.account_id, number.id, actor=ada.public_id, now=on("10 February"))
    again = phone_numbers.release(ada.account_id, number.id, actor="usr_later", now=on("11 February"))
    assert (released.released_at, released.released_by) == (again.released_at, again.released_by)
    assert state(number, at=on("12 February")).state == "finished"
    sweep("1 March")
    assert phone_numbers.renew_account(ada.account_id, now=on("1 March")) == 0
    assert len(rents(ada)) == 1
    assert not phone_numbers.rented(ada.account_id).exists()


def test_it_releases_no_number_of_somebody_else(ada: User, cy: User) -> None:
    number = rent(ada, at=on("30 January"))
    with pytest.raises(NumberNotFound):
        phone_numbers.release(cy.account_id, number.id, actor=cy.public_id, now=on("10 February"))
    assert state(number, at=on("10 February")).state == "active"


def test_it_takes_the_digits_from_the_platform_once(ada: User) -> None:
    number = rent(ada, at=on("30 January"))
    assert str(number) == "Being set up"
    for _ in range(2):
        assert phone_numbers.provision(number, "+12025550123").number == "+12025550123"
    with pytest.raises(NumberAlreadySet):
        phone_numbers.provision(number, "+12025550124")
    assert str(PhoneNumber.objects.get()) == "+12025550123"


@pytest.mark.parametrize(
    "digits",
    [
        "",
        "+",
        "12025550123",
        "+0202555012",
        "+1 202 555 0123",
        "+1234567890123456",
        "+12025٥٥0123",
        "+123456",
    ],
)
def test_it_takes_only_digits_of_the_international_form(ada: User, digits: str) -> None:
    number = rent(ada, at=on("30 January"))
    with pytest.raises(Invalid):
        phone_numbers.provision(number, digits)
    assert not PhoneNumber.objects.get().number


def test_it_sets_up_no_released_number(ada: User) -> None:
    number = rent(ada, at=on("30 January"))
    phone_numbers.release(ada.account_id, number.id, actor=ada.public_id, now=on("10 February"))
    with pytest.raises(NumberAlreadySet, match="released"):
        phone_numbers.provision(number, "+12025550123")


# --- Telling --------------------------------------------------------------------------------------------------


def test_it_announces_the_rent_of_the_next_three_days(ada: User) -> None:
    rent(ada, at=on("30 January"))
    rent(ada, at=on("31 January"))
    rent(ada, at=on("20 February"))
    funds = selectors.balance_of(ada.account_id)
    rented = list(phone_numbers.rented(ada.account_id))
    announce = rent_history.coming
    assert announce(rented, funds, now=on("26 February") - HOUR) is None
    one = announce(rented, funds, now=on("26 February"))
    assert one is not None
    assert (one.numbers, one.total, one.by) == (1, D("2.00"), on("1 March"))
    two = announce(rented, funds, now=on("27 February"))
    assert two is not None
    assert (two.numbers, two.total, two.by) == (2, D("4.00"), on("2 March"))
    ledger.freeze(ada.account_id, by="owner", frozen=True, now=on("27 February"))
    assert announce(rented, selectors.balance_of(ada.account_id), now=on("27 February")) is None


def test_it_announces_no_rent_of_a_suspended_number(ada: User) -> None:
    rent(ada, at=on("30 January"))
    leave(ada, "0.00", at=on("10 February"))
    funds = selectors.balance_of(ada.account_id)
    assert rent_history.coming(phone_numbers.rented(ada.account_id), funds, now=on("27 February")) is None


def test_it_lists_what_a_number_has_cost(ada: User) -> None:
    number, _ = rent(ada, at=on("30 January")), rent(ada, at=on("31 January"))
    phone_numbers.provision(number, "+12025550123")
    sweep("1 March")
    newest, first = rent_history.history(number)
    reversals.reverse(ada.account_id, first.id, actor="staff", reason="A gift", now=on("3 March"))
    assert [charge.cost for charge in rent_history.history(number)] == [D(-2), D(2), D(2)]
    assert LedgerEntry.objects.filter(account_id=ada.account_id, kind="charge").count() == 3
    assert newest.occurred_at == on("1 March")
    march = month_of(on("3 March").date())
    assert (
        rent_history.spent(ada.account_id, march)[number.id] == 0
    )  # the newest rent, and the first given back
