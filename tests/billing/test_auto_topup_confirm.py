"""A bank that wants the card holder: one payment waits, is confirmed, expires, or is not wanted any more."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine

from accounts.models import Mail, User
from billing import gateways, payment_methods, topup_sweep, topups
from billing.gateways import Payment, Unavailable, sandbox_bank
from billing.gateways.sandbox import SandboxGateway
from billing.models import SandboxPayment, TopUp
from tests.billing.paying import begin, credits, deliver, events, save_card
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
    standing,
    turn_on,
    watching,
)

pytestmark = pytest.mark.django_db
PATIENCE = 23 * HOUR


@pytest.fixture
def waiting(ada: User) -> TopUp:
    """An auto-topup of ada's that waits for her."""
    watching(ada, card=save_card(ada, MUST_CONFIRM))
    run_low(ada)
    topup = attempt(ada)
    assert topup is not None
    assert topup.status == "requires_action"
    return topup


def pursue(topup: TopUp, *, after: timedelta) -> TopUp:
    """What the sweep does with it so long after it began."""
    at = topup.created_at + after
    topup.refresh_from_db()
    with time_machine.travel(at, tick=False):
        return topup_sweep.pursue(topup, now=at)


def test_it_asks_once_and_does_not_try_again_meanwhile(ada: User, waiting: TopUp) -> None:
    found = standing(ada, now=NOON + HOUR)
    assert (found.kind, found.topup, found.at) == ("confirm", waiting, NOON + PATIENCE)
    for minutes in (1, 60, 600):
        assert pursue(waiting, after=minutes * MINUTE).status == "requires_action"
        assert attempt(ada, now=NOON + minutes * MINUTE) is None
    for event in events("payment_intent."):
        deliver(event)
    assert SandboxPayment.objects.count() == 1
    assert credits(ada) == []
    assert letters(ada) == ["confirm", "on"]


def test_its_letter_leads_to_its_page(ada: User, waiting: TopUp) -> None:
    mail = Mail.objects.get(subject__contains="Confirm")
    assert topups.page_url(waiting) in mail.text
    assert topups.in_progress(ada.account_id) == (True, topups.page_url(waiting))


def test_it_confirms_the_same_payment(ada: User, waiting: TopUp) -> None:
    confirmed = topups.confirm(waiting)
    assert confirmed.action_url.startswith("http")
    sandbox_bank.answer_challenge(waiting.payment_id or "", confirmed=True, now=NOON)
    assert topups.look(waiting).status == "succeeded"
    assert SandboxPayment.objects.count() == 1
    assert credits(ada) == [25]
    assert letters(ada) == ["added", "confirm", "on"]


def test_it_counts_a_refused_confirmation_as_a_decline(ada: User, waiting: TopUp) -> None:
    topups.confirm(waiting)
    sandbox_bank.answer_challenge(waiting.payment_id or "", confirmed=False, now=NOON)
    with time_machine.travel(NOON + MINUTE, tick=False):
        assert topups.look(waiting).status == "failed"
    assert (row(ada).failures, row(ada).next_attempt_at) == (1, NOON + MINUTE + HOUR)
    assert letters(ada) == ["confirm", "failed", "on"]


# --- Until it expires -----------------------------------------------------------------------------------------


def test_it_expires_after_twenty_three_hours(ada: User, waiting: TopUp) -> None:
    """At the processor first; then it has failed, and auto-topup is off and says why."""
    assert pursue(waiting, after=PATIENCE - MINUTE).status == "requires_action"
    expired = pursue(waiting, after=PATIENCE)
    assert (expired.status, expired.failure_code) == ("failed", "confirmation_expired")
    assert SandboxGateway().payment(expired.payment_id or "").status == "canceled"
    found = standing(ada, now=NOON + PATIENCE)
    assert (found.kind, row(ada).stopped_reason, found.at) == (
        "stopped",
        "confirmation_expired",
        NOON + PATIENCE,
    )
    assert letters(ada) == ["confirm", "off", "on"]


def test_it_credits_a_confirmation_at_the_last_moment(ada: User, waiting: TopUp) -> None:
    topups.confirm(waiting)
    sandbox_bank.answer_challenge(waiting.payment_id or "", confirmed=True, now=NOON)
    assert pursue(waiting, after=PATIENCE).status == "succeeded"
    assert row(ada).enabled
    assert credits(ada) == [25]


def test_it_credits_a_success_that_was_told_after_it_expired(ada: User, waiting: TopUp) -> None:
    expired = pursue(waiting, after=PATIENCE)
    SandboxPayment.objects.update(status="succeeded", received=2500)
    topup = topups.look(expired)
    assert (topup.status, topup.failure_code) == ("succeeded", "")
    assert credits(ada) == [25]
    assert (row(ada).enabled, row(ada).stopped_reason) == (False, "")


class WillNotCancel(SandboxGateway):
    def cancel(self, payment_id: str) -> Payment:
        raise Unavailable("timed out")


def test_it_does_not_expire_here_before_the_processor_knows(
    ada: User, waiting: TopUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(gateways, "gateway", WillNotCancel)
        with pytest.raises(Unavailable):
            pursue(waiting, after=PATIENCE)
    assert row(ada).enabled
    waiting.refresh_from_db()
    assert waiting.status == "requires_action"
    SandboxGateway().cancel(waiting.payment_id or "")  # it did arrive; its event is the first to tell
    for event in events("payment_intent.canceled"):
        deliver(event)
    assert row(ada).stopped_reason == "confirmation_expired"
    assert letters(ada) == ["confirm", "off", "on"]


# --- Not wanted any more --------------------------------------------------------------------------------------


def test_another_topup_cancels_it(ada: User, waiting: TopUp) -> None:
    """After the commit, at the processor first; auto-topup stays on."""
    topups.pay(begin(ada, card=save_card(ada)))
    waiting.refresh_from_db()
    assert (waiting.status, waiting.failure_code) == ("requires_action", "superseded")
    assert pursue(waiting, after=MINUTE).status == "canceled"
    assert SandboxGateway().payment(waiting.payment_id or "").status == "canceled"
    assert (row(ada).enabled, row(ada).failures, credits(ada)) == (True, 0, [25])
    assert letters(ada) == ["added", "confirm", "on"]


def test_saving_the_form_cancels_it_and_charges_the_new_card(ada: User, waiting: TopUp) -> None:
    turn_on(ada, card=save_card(ada), now=NOON + HOUR)
    waiting.refresh_from_db()
    assert waiting.status == "canceled"
    assert [topup.status for topup in auto_topups(ada)] == ["canceled", "succeeded"]
    assert (row(ada).failures, credits(ada)) == (0, [25])


def test_turning_off_cancels_it(ada: User, waiting: TopUp) -> None:
    turn_on(ada, enabled=False, card=waiting.card)
    waiting.refresh_from_db()
    assert waiting.status == "canceled"
    assert standing(ada).kind == "off"


def test_what_was_confirmed_before_it_could_be_canceled_counts(ada: User, waiting: TopUp) -> None:
    topups.confirm(waiting)
    topups.record_manual(ada.account_id, Decimal(30), actor="staff", reason="Transfer")
    sandbox_bank.answer_challenge(waiting.payment_id or "", confirmed=True, now=NOON)
    assert pursue(waiting, after=MINUTE).status == "succeeded"
    assert credits(ada) == [30, 25]


def test_a_silent_processor_does_not_keep_the_form_from_being_saved(
    ada: User, waiting: TopUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(gateways, "gateway", WillNotCancel)
        turn_on(ada, card=save_card(ada), now=NOON + MINUTE)
    assert (len(auto_topups(ada)), credits(ada)) == (1, [])
    pursue(waiting, after=2 * MINUTE)
    attempt(ada, now=NOON + 3 * MINUTE)
    assert credits(ada) == [25]


def test_removing_its_card_cancels_it(ada: User, waiting: TopUp) -> None:
    payment_methods.remove(ada.account_id, waiting.card, now=NOON)
    assert pursue(waiting, after=MINUTE).status == "canceled"
    assert letters(ada) == ["confirm", "off", "on"]


@pytest.mark.parametrize("canceled_by", ["its owner", "the processor"])
def test_it_does_not_ask_again_at_once_when_it_is_canceled(
    ada: User, waiting: TopUp, canceled_by: str
) -> None:
    with time_machine.travel(NOON + HOUR, tick=False):
        if canceled_by == "its owner":
            topups.withdraw(waiting)
        else:
            SandboxGateway().cancel(waiting.payment_id or "")
            topups.look(waiting)
    assert (row(ada).failures, row(ada).next_attempt_at) == (1, NOON + 2 * HOUR)
    assert attempt(ada, now=NOON + HOUR + MINUTE) is None
    assert letters(ada) == ["confirm", "failed", "on"]
