"""Whatever happens in whatever order: never two at once, never above a limit, credited is charged."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from billing import auto_charge, auto_due, gateways, ledger, topup_sweep, topups
from billing.auto_topup import Wish
from billing.gateways import sandbox_bank
from billing.models import AutoTopup, SandboxCard, SandboxPayment, TopUp
from tests import factories
from tests.billing.paying import LosesAnswers, Silent, credits
from tests.billing.topping_up import (
    DAY,
    DECLINES,
    HOUR,
    MINUTE,
    MUST_CONFIRM,
    NOON,
    auto_topups,
    run_low,
    turn_on,
)

pytestmark = pytest.mark.django_db
number = count()
CARDS = ["pm_card_visa", "pm_card_visa", DECLINES, MUST_CONFIRM, "pm_card_visa_chargeDeclinedLostCard"]
STEPS = st.one_of(
    st.tuples(st.just("burn"), st.integers(1, 6)),
    st.tuples(st.just("burn"), st.integers(1, 6)),
    st.tuples(st.just("attempt"), st.sampled_from([None, Silent, LosesAnswers])),
    st.tuples(st.just("wait"), st.sampled_from([MINUTE, HOUR, 6 * HOUR, 23 * HOUR, DAY, 20 * DAY])),
    st.tuples(st.just("sweep"), st.just(None)),
    st.tuples(st.just("bank"), st.sampled_from(CARDS)),
    st.tuples(st.just("save"), st.booleans()),
    st.tuples(st.just("confirm"), st.just(None)),
    st.tuples(st.just("pay by hand"), st.just(None)),
    st.tuples(st.just("freeze"), st.booleans()),
)


class Life:
    """An account and its clock."""

    def __init__(self) -> None:
        self.user: User = factories.owner(f"life-{next(number)}@example.com")
        self.now: datetime = NOON
        ledger.adjust(self.user.account_id, Decimal(50), key="start", actor="test", reason="for the test")
        self.auto: AutoTopup = turn_on(self.user, monthly_limit=Decimal(150))

    def live(self, what: str, how: Any) -> None:
        with time_machine.travel(self.now, tick=False):
            getattr(self, what.replace(" ", "_"))(how)

    def burn(self, times: int) -> None:
        for _ in range(times):
            run_low(self.user, Decimal(0))
            auto_charge.attempt(self.user.account_id)

    def attempt(self, gateway: type | None) -> None:
        with pytest.MonkeyPatch.context() as broken:
            if gateway:
                broken.setattr(gateways, "gateway", gateway)
            auto_charge.attempt(self.user.account_id)

    def wait(self, span: timedelta) -> None:
        self.now += span

    def sweep(self, _: None) -> None:
        topup_sweep.pursue_open_topups(now=self.now)
        auto_charge.attempt_due(now=self.now)

    def bank(self, token: str) -> None:
        SandboxCard.objects.filter(pk=self.auto.card).update(kind=token)

    def save(self, enabled: bool) -> None:
        auto = AutoTopup.objects.get(pk=self.user.account_id)
        wish = Wish(enabled, auto.threshold, auto.amount, auto.card, auto.monthly_limit)
        auto_charge.save(self.user.account_id, wish, actor="usr_1", now=self.now)

    def confirm(self, _: None) -> None:
        waiting = auto_due.open_topup(self.auto)
        if waiting and waiting.status == TopUp.Status.REQUIRES_ACTION:
            topups.confirm(waiting)
            sandbox_bank.answer_challenge(waiting.payment_id or "", confirmed=True, now=self.now)
            topups.look(waiting)

    def pay_by_hand(self, _: None) -> None:
        topups.record_manual(self.user.account_id, Decimal(5), actor="staff", reason="Transfer")

    def freeze(self, frozen: bool) -> None:
        ledger.freeze(self.user.account_id, by="owner", frozen=frozen)

    def check(self) -> None:
        rows = auto_topups(self.user)
        counted = [row for row in rows if row.status == "succeeded" or row.is_open]
        assert sum(row.is_open for row in rows) <= 1
        for row in counted:
            same_day = [
                other for other in counted if row.created_at - DAY < other.created_at <= row.created_at
            ]
            same_month = [other for other in counted if other.created_at.month == row.created_at.month]
            assert len(same_day) <= 5
            assert sum(other.amount for other in same_month) <= self.auto.monthly_limit
        settled = TopUp.objects.filter(account_id=self.user.account_id)
        assert sum(credits(self.user)) == sum(row.credited for row in settled)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=5, max_size=15))
def test_it_holds_in_every_order(db: None, steps: list[tuple[str, Any]]) -> None:
    life = Life()
    for what, how in steps:
        life.live(what, how)
        life.check()
    settle_all(life)
    life.check()


def settle_all(life: Life) -> None:
    """In the end the sweep finds every payment: what the processor received is what was credited."""
    for _ in range(3):
        life.now += DAY
        with time_machine.travel(life.now, tick=False):
            topup_sweep.pursue_open_topups(now=life.now)
    by_hand = TopUp.objects.filter(account_id=life.user.account_id, mode="manual").count() * 5
    received = (
        sum(row.received for row in SandboxPayment.objects.filter(reference__in=references(life))) / 100
    )
    assert sum(credits(life.user)) == received + by_hand


def references(life: Life) -> list[str]:
    return [topup.public_id for topup in auto_topups(life.user)]
