"""What auto-topup does when its card says no: later, or never again, each told once."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from accounts.models import User
from billing import gateways, payment_methods, settling, topup_sweep, topups
from billing.gateways import Misconfigured, Payment, Rejected
from billing.gateways.sandbox import SandboxGateway
from billing.models import AutoTopup, SandboxCard, SandboxPayment, StaffNotice, TopUp
from tests.billing.paying import ForgetsKeys, LosesAnswers, Silent, begin, credits, deliver, events, save_card
from tests.billing.topping_up import (
    DAY,
    DECLINES,
    HOUR,
    MINUTE,
    NOON,
    attempt,
    auto_topups,
    letters,
    row,
    run_low,
    standing,
    turn_on,
    watching,
)

pytestmark = pytest.mark.django_db


def low_with(user: User, token: str = DECLINES) -> AutoTopup:
    """On, below the threshold, not charged yet."""
    auto = watching(user, card=save_card(user, token))
    run_low(user)
    return auto


def becomes(auto: AutoTopup, token: str) -> None:
    """The bank changes its mind about the card."""
    SandboxCard.objects.filter(pk=auto.card).update(kind=token)


def test_it_tries_again_after_one_six_and_twenty_four_hours_then_stops(ada: User) -> None:
    """Soft declines, each a row, a key and a letter of its own."""
    low_with(ada)
    now = NOON
    for number, rest in enumerate((HOUR, 6 * HOUR, 24 * HOUR), start=1):
        assert attempt(ada, now=now) is not None
        found = standing(ada, now=now)
        assert (found.kind, found.at, row(ada).failures) == ("retry", now + rest, number)
        assert attempt(ada, now=now + rest - timedelta(microseconds=1)) is None
        now += rest
    attempt(ada, now=now)
    found = standing(ada, now=now)
    assert (found.kind, row(ada).stopped_reason, found.at) == ("stopped", "declined_repeatedly", now)
    assert attempt(ada, now=now + 30 * DAY) is None
    assert letters(ada) == ["failed", "failed", "failed", "off", "on"]
    assert SandboxPayment.objects.count() == len(auto_topups(ada)) == 4
    assert credits(ada) == []


@pytest.mark.parametrize(
    "token",
    [
        "pm_card_visa_chargeDeclinedLostCard",
        "pm_card_visa_chargeDeclinedStolenCard",
        "pm_card_chargeDeclinedExpiredCard",
    ],
)
def test_it_stops_at_once_at_a_hard_decline(ada: User, token: str) -> None:
    becomes(low_with(ada, "pm_card_visa"), token)
    topup = attempt(ada)
    assert topup is not None
    assert (topup.status, row(ada).stopped_reason) == ("failed", "declined")
    assert standing(ada).topup == topup
    assert letters(ada) == ["off", "on"]


def test_it_goes_on_once_the_card_works_again(ada: User) -> None:
    auto = low_with(ada)
    attempt(ada)
    becomes(auto, "pm_card_visa")
    attempt(ada, now=NOON + HOUR)
    assert (row(ada).failures, row(ada).next_attempt_at) == (0, None)
    assert letters(ada) == ["added", "failed", "on"]


@pytest.mark.parametrize("origin", ["page", "manual"])
def test_any_topup_forgets_what_went_wrong_without_switching_on(ada: User, origin: str) -> None:
    low_with(ada)
    attempt(ada)
    AutoTopup.objects.update(enabled=False, stopped_reason="declined_repeatedly", stopped_at=NOON)
    if origin == "page":
        topups.pay(begin(ada, card=save_card(ada)))
    else:
        topups.record_manual(ada.account_id, auto_topups(ada)[0].amount, actor="staff", reason="Transfer")
    auto = row(ada)
    assert (auto.failures, auto.next_attempt_at, auto.stopped_reason, auto.stopped_at) == (0, None, "", None)
    assert not auto.enabled
    assert standing(ada).kind == "off"


def test_saving_the_form_starts_afresh(ada: User) -> None:
    """As the page offers: use this card and turn on again."""
    low_with(ada)
    attempt(ada)
    turn_on(ada, card=save_card(ada))
    assert (row(ada).failures, credits(ada)) == (0, [25])


def test_adding_a_card_elsewhere_changes_nothing(ada: User) -> None:
    low_with(ada)
    attempt(ada)
    before = row(ada)
    save_card(ada)
    assert (row(ada).card, row(ada).next_attempt_at) == (before.card, before.next_attempt_at)


def test_it_does_not_blame_the_new_card_for_the_old_one(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The news of a decline comes after its owner chose another card: told, and nothing else."""
    low_with(ada)
    with monkeypatch.context() as broken:
        broken.setattr(gateways, "gateway", LosesAnswers)
        old = attempt(ada)
    assert old is not None
    turn_on(ada, card=save_card(ada), now=NOON + MINUTE)
    with time_machine.travel(NOON + 2 * MINUTE, tick=False):
        topups.look(old)
    assert (row(ada).failures, row(ada).next_attempt_at, row(ada).enabled) == (0, None, True)
    assert letters(ada) == ["failed", "on", "on"]
    assert attempt(ada, now=NOON + 3 * MINUTE) is not None
    assert credits(ada) == [25]


def test_a_late_success_after_a_failure_still_credits(ada: User) -> None:
    auto = low_with(ada)
    topup = attempt(ada)
    assert topup is not None
    SandboxPayment.objects.update(status="succeeded", received=2500)
    topup = topups.look(topup)
    assert (topup.status, row(ada).failures, auto.enabled) == ("succeeded", 0, True)
    assert credits(ada) == [25]
    assert letters(ada) == ["added", "failed", "on"]


# --- The card is gone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["here", "at the processor"])
def test_it_stops_when_its_card_is_removed(ada: User, where: str) -> None:
    auto = low_with(ada, "pm_card_visa")
    if where == "here":
        payment_methods.remove(ada.account_id, auto.card, now=NOON)
    else:
        SandboxGateway().remove_card(auto.card)
    for event in events("payment_method.detached"):
        deliver(event)
    assert (row(ada).enabled, row(ada).stopped_reason) == (False, "card_removed")
    assert attempt(ada) is None
    assert letters(ada) == ["off", "on"]


def test_it_does_not_mind_another_card_being_removed(ada: User) -> None:
    low_with(ada, "pm_card_visa")
    payment_methods.remove(ada.account_id, save_card(ada), now=NOON)
    assert row(ada).enabled


def test_it_stops_once_when_the_processor_does_not_know_the_card(ada: User) -> None:
    """Removed between the row and the charge, and its event is still on its way."""
    auto = low_with(ada, "pm_card_visa")
    SandboxCard.objects.filter(pk=auto.card).update(customer=None)
    topup = attempt(ada)
    assert topup is not None
    assert (topup.status, row(ada).stopped_reason) == ("failed", "card_removed")
    assert not payment_methods.of_account(ada.account_id).exists()
    assert letters(ada) == ["off", "on"]


# --- Not the customer's fault ---------------------------------------------------------------------------------


class WrongKey(SandboxGateway):
    def charge(self, **_: Any) -> Payment:
        raise Misconfigured("Invalid API Key provided")


class Refuses(SandboxGateway):
    def charge(self, **_: Any) -> Payment:
        raise Rejected("Something is wrong with this request.", "parameter_invalid")


@pytest.mark.parametrize("gateway", [WrongKey, Refuses])
def test_our_own_faults_wait_ever_longer_but_never_stop_it(
    ada: User, monkeypatch: pytest.MonkeyPatch, gateway: type[SandboxGateway]
) -> None:
    low_with(ada, "pm_card_visa")
    now = NOON
    with monkeypatch.context() as broken:
        broken.setattr(gateways, "gateway", gateway)
        for rest in (HOUR, 6 * HOUR, 24 * HOUR, 24 * HOUR, 24 * HOUR):
            assert attempt(ada, now=now) is not None
            assert (row(ada).failures, row(ada).next_attempt_at) == (0, now + rest)
            assert attempt(ada, now=now + rest / 2) is None
            now += rest
    assert attempt(ada, now=now) is not None
    assert credits(ada) == [25]


def test_wrong_credentials_are_told_to_staff_once_a_day(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    low_with(ada, "pm_card_visa")
    monkeypatch.setattr(gateways, "gateway", WrongKey)
    for number in range(3):
        attempt(ada, now=NOON + number * 8 * HOUR)
    assert StaffNotice.objects.count() == 2


def test_it_tries_again_after_a_payment_that_never_arrived(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    low_with(ada, "pm_card_visa")
    with monkeypatch.context() as broken:
        broken.setattr(gateways, "gateway", Silent)
        topup = attempt(ada)
    assert topup is not None
    assert standing(ada).kind == "charging"
    later = NOON + 23 * HOUR
    with time_machine.travel(later, tick=False), monkeypatch.context() as forgetful:
        forgetful.setattr(gateways, "gateway", ForgetsKeys)
        topup = topup_sweep.pursue(topup, now=later)
    assert (topup.status, topup.failure_code) == ("failed", "never_arrived")
    assert (row(ada).failures, row(ada).next_attempt_at) == (0, later + HOUR)
    assert letters(ada) == ["failed", "on"]
    attempt(ada, now=later + HOUR)
    assert credits(ada) == [25]


def test_a_payment_canceled_by_somebody_else_counts_as_a_decline(ada: User) -> None:
    """At the processor's dashboard, say: or it would be asked for again at once, and again."""
    low_with(ada)
    with time_machine.travel(NOON, tick=False):
        topup = TopUp.objects.get(pk=insert_one(ada))
        settling.end(topup, TopUp.Status.CANCELED)
    assert (row(ada).failures, row(ada).next_attempt_at) == (1, NOON + HOUR)


def insert_one(user: User) -> object:
    """A row that was committed and never paid: its worker died."""
    order = topups.Order(row(user).amount, TopUp.Origin.AUTO, "auto-topup", row(user).card)
    card = payment_methods.find(user.account_id, order.card)
    return topups.insert(user.account_id, order, customer=card.customer, card=card, now=NOON).pk
