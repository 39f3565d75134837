"""Every open top-up comes to an end, whoever died and whatever was lost."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import User
from billing import gateways, tasks, topups
from billing.gateways import sandbox_bank, sandbox_cards
from billing.gateways.sandbox import SandboxGateway
from billing.models import SandboxKey, SandboxPayment, StaffNotice, TopUp
from billing.topup_sweep import pursue_open_topups, stuck
from tests.billing.paying import (
    ForgetsKeys,
    LosesAnswers,
    Silent,
    begin,
    clock,
    credits,
    in_parallel,
    save_card,
)

pytestmark = pytest.mark.django_db
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def sweep_after(topup: TopUp, span: timedelta) -> TopUp:
    """One pass of the sweep so long after the top-up began."""
    TopUp.objects.filter(pk=topup.pk, next_look_at__isnull=False).update(next_look_at=topup.created_at)
    pursue_open_topups(now=topup.created_at + span)
    topup.refresh_from_db()
    return topup


def silent(monkeypatch: pytest.MonkeyPatch, topup: TopUp, gateway: type[SandboxGateway] = Silent) -> TopUp:
    with monkeypatch.context() as broken:
        broken.setattr(gateways, "gateway", gateway)
        return topups.pay(topup)


def test_it_asks_for_what_was_never_asked(ada: User) -> None:
    topup = begin(ada, card=save_card(ada))
    assert sweep_after(topup, MINUTE).status == "succeeded"


def test_it_leaves_what_is_not_due(ada: User) -> None:
    topup = begin(ada, card=save_card(ada))
    pursue_open_topups(now=topup.created_at + MINUTE / 2)
    topup.refresh_from_db()
    assert topup.status == "created"


def test_it_repeats_an_unknown_one_with_the_same_key(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    topup = silent(monkeypatch, begin(ada, card=save_card(ada)), LosesAnswers)
    assert topup.status == "unknown"
    assert sweep_after(topup, 22 * HOUR).status == "succeeded"
    assert SandboxPayment.objects.count() == 1
    assert credits(ada) == [Decimal(25)]


def test_it_only_looks_after_twenty_three_hours(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key may be forgotten by then: asking again could pay twice."""
    topup = silent(monkeypatch, begin(ada, card=save_card(ada)), LosesAnswers)
    SandboxKey.objects.all().delete()
    monkeypatch.setattr(gateways, "gateway", ForgetsKeys)
    assert sweep_after(topup, 23 * HOUR).status == "succeeded"
    assert credits(ada) == [Decimal(25)]


def test_it_fails_what_never_arrived(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    topup = silent(monkeypatch, begin(ada, card=save_card(ada)))
    monkeypatch.setattr(gateways, "gateway", ForgetsKeys)
    topup = sweep_after(topup, 23 * HOUR)
    assert (topup.status, topup.failure_code, topup.declined_at) == ("failed", "never_arrived", None)


def test_it_goes_on_while_the_processor_is_silent(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ever more rarely, hourly at last; one that cannot be pursued does not stop the next."""
    first, second = begin(ada, card=save_card(ada)), begin(ada, card=save_card(ada, "pm_card_amex"))
    monkeypatch.setattr(gateways, "gateway", Silent)
    pursue_open_topups(now=first.created_at + 3 * MINUTE)
    for topup in (first, second):
        topup.refresh_from_db()
        assert topup.status == "unknown"
        assert topup.next_look_at > topup.created_at + MINUTE
    monkeypatch.undo()
    later = clock() + 2 * HOUR
    pursue_open_topups(now=later)
    assert credits(ada) == [Decimal(25), Decimal(25)]


def test_it_finds_a_payment_made_on_a_page_that_nobody_returned_from(ada: User) -> None:
    topup = topups.pay(begin(ada))
    sandbox_bank.pay_on_page(topup.page_id, sandbox_cards.typed("4242424242424242"), now=clock())
    assert sweep_after(topup, 2 * MINUTE).status == "succeeded"


def test_it_cancels_an_unpaid_page_after_an_hour(ada: User) -> None:
    topup = topups.pay(begin(ada))
    assert topup.status == "requires_action"
    assert sweep_after(topup, timedelta(minutes=64)).status == "requires_action"
    assert sweep_after(topup, timedelta(minutes=65)).status == "canceled"
    with pytest.raises(gateways.Rejected):
        sandbox_bank.pay_on_page(topup.page_id, sandbox_cards.typed("4242424242424242"), now=clock())


def test_it_opens_no_page_long_after_it_was_wanted(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    topup = silent(monkeypatch, begin(ada))
    assert topup.status == "unknown"
    assert sweep_after(topup, timedelta(minutes=26)).status == "canceled"


def test_it_cancels_an_unconfirmed_payment_after_a_day(ada: User) -> None:
    topup = topups.pay(begin(ada, card=save_card(ada, "pm_card_authenticationRequired")))
    assert sweep_after(topup, timedelta(hours=22, minutes=59)).status == "requires_action"
    assert sweep_after(topup, 23 * HOUR).status == "canceled"
    assert SandboxGateway().payment(topup.payment_id).status == "canceled"


def test_it_credits_a_confirmation_at_the_last_moment(ada: User) -> None:
    topup = topups.pay(begin(ada, card=save_card(ada, "pm_card_authenticationRequired")))
    sandbox_bank.answer_challenge(topup.payment_id, confirmed=True, now=clock())
    assert sweep_after(topup, 23 * HOUR).status == "succeeded"
    assert credits(ada) == [Decimal(25)]


def test_it_follows_a_slow_payment(ada: User) -> None:
    topup = topups.pay(begin(ada))
    debit = sandbox_cards.by_token("pm_usBankAccount_success")
    sandbox_bank.pay_on_page(topup.page_id, debit, now=clock())
    assert sweep_after(topup, MINUTE).status == "processing"
    sandbox_bank.bring_in_debits(now=clock() + 2 * MINUTE)
    assert sweep_after(topup, 2 * HOUR).status == "succeeded"


def test_it_tells_staff_of_what_processes_for_ten_days(ada: User) -> None:
    """Told once, and looked up all the while."""
    topup = topups.pay(begin(ada))
    debit = sandbox_cards.by_token("pm_usBankAccount_success")
    sandbox_bank.pay_on_page(topup.page_id, debit, now=clock())
    days = timedelta(days=1)
    assert sweep_after(topup, 9 * days).status == "processing"
    assert not StaffNotice.objects.exists()
    for _ in range(2):
        assert sweep_after(topup, 10 * days).status == "processing"
    assert StaffNotice.objects.get().topup == topup


def test_it_counts_what_is_stuck(ada: User) -> None:
    begin(ada, card=save_card(ada))
    topups.pay(begin(ada))  # waits for its holder: not stuck
    assert stuck(now=clock()) == 0
    assert stuck(now=clock() + timedelta(minutes=11)) == 1


@pytest.mark.django_db(transaction=True)
def test_it_pursues_each_once_in_eight_sweeps_at_once(ada: User) -> None:
    topup = begin(ada, card=save_card(ada))
    in_parallel(8, lambda _: pursue_open_topups(now=topup.created_at + MINUTE))
    assert SandboxPayment.objects.count() == 1
    assert credits(ada) == [Decimal(25)]


def test_it_is_hastened_by_tasks(ada: User) -> None:
    """A nudge does what the sweep would do; for what has ended, or never was, it does nothing."""
    topup = begin(ada, card=save_card(ada))
    tasks.pursue_topup(str(topup.id))
    tasks.pursue_topup(str(topup.id))
    tasks.pursue_topup("00000000-0000-0000-0000-000000000000")
    assert credits(ada) == [Decimal(25)]
