"""A random walk over the gate beside a small model in Python.

Its draws aim at the boundaries: exactly all that is free, one nano-dollar more, one less, the exact hold; uniform
draws hardly ever meet the bugs that live there.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from billing import holds, ledger
from billing.errors import NotEnough
from billing.models import Balance, Hold, LedgerEntry
from tests import factories
from tests.usage.events import event
from usage import metering, reversals, together
from usage.metering import Outcome
from usage.models import Charge
from usage.pricing import Usage

NANO, CENT, ZERO = Decimal("0.000000001"), Decimal("0.01"), Decimal(0)
START = factories.BIRTHDAY
nanos = st.integers(1, 3_000_000_000) | st.sampled_from([1, 75, 300, 391_500])
aims = st.sampled_from(
    ["all"] * 3
    + ["all + 1"] * 2
    + ["any", "all - 1", "one", "granted", "granted + 1", "hold", "all but a cent", "nothing"]
)
cents = st.integers(1, 500)
picks = st.integers(0, 30)


@dataclass
class Held:
    id: UUID
    amount: Decimal
    state: str
    created_at: datetime
    expires_at: datetime


@dataclass
class Model:
    """What the gate should do, in the fewest words."""

    granted: Decimal = ZERO
    paid: Decimal = ZERO
    frozen: bool = False
    refused: bool = False
    holds: list[Held] = field(default_factory=list)

    def held(self, *, but: Held | None = None) -> Decimal:
        return sum((h.amount for h in self.holds if h.state == "open" and h is not but), ZERO)

    def free(self, *, but: Held | None = None) -> Decimal:
        return ZERO if self.paid < 0 else max(ZERO, self.granted + self.paid - self.held(but=but))

    def fits(self, price: Decimal, *, but: Held | None = None) -> bool:
        """While paid is below zero nothing new does, not even what costs nothing."""
        return self.paid >= 0 and price <= self.free(but=but)

    def take(self, cost: Decimal) -> None:
        from_granted = min(cost, self.granted)
        self.granted -= from_granted
        self.paid -= cost - from_granted

    def expire(self, now: datetime) -> None:
        for hold in self.holds:
            if hold.state == "open" and hold.expires_at <= now:
                hold.state = "expired"


def priced_page(event_id: str, price: Decimal) -> together.Priced:
    """One page at exactly this rate, so that the charge can be recomputed."""
    return event(event_id, Usage("knowledge", pages=1), note=f"{price:f}"), {"knowledge.page": price}, price


class LedgerMachine(RuleBasedStateMachine):
    """Walks one account of its own. `charges`: event id -> (price, how), and each charge's split for its reversal."""

    @initialize()
    def born(self) -> None:
        self.savepoint = transaction.savepoint()
        self.now, self.n = START, 0
        self.account_id = factories.account_without_trial(now=START).id
        self.m, self.events, self.splits, self.undone = Model(), {}, [], set()
        self.credit(100, paid=False)
        self.credit(200, paid=True)

    def teardown(self) -> None:
        """Leave no trace, whatever happened: a walk that is repeated must find the same world."""
        transaction.set_rollback(False)
        transaction.savepoint_rollback(self.savepoint)

    def step(self) -> None:
        self.n += 1
        self.now += timedelta(seconds=1)
        self.m.expire(self.now)

    def aim(self, at: str, any_amount: int, *, but: Held | None = None) -> Decimal:
        free, hold = self.m.free(but=but), next((h for h in self.m.holds if h.state == "open"), None)
        amounts = {
            "any": any_amount * NANO, "all": free, "all + 1": free + NANO, "all - 1": free - NANO, "one": NANO,
            "granted": self.m.granted, "granted + 1": self.m.granted + NANO, "hold": hold.amount if hold else NANO,
            "all but a cent": free - CENT,
        }  # fmt: skip
        # Below zero "all" is nothing, and even that must be refused.
        return ZERO if at == "nothing" or (at == "all" and self.m.paid < 0) else max(NANO, amounts[at])

    # -- money in and out that is not usage ------------------------------------------------------------------
    @rule(amount=cents, paid=st.booleans())
    def credit(self, amount: int, paid: bool) -> None:
        self.step()
        post = ledger.credit_topup if paid else ledger.grant
        more: dict[str, Any] = {} if paid else {"reason": "test"}
        twice = [
            post(self.account_id, amount * CENT, key=f"c{self.n}", actor="t", now=self.now, **more)
            for _ in range(2)
        ]
        assert [posting.replayed for posting in twice] == [False, True]
        assert twice[0].entry_id == twice[1].entry_id
        self.m.paid += amount * CENT * paid
        self.m.granted += amount * CENT * (not paid)
        self.m.refused = False

    @rule(
        amount=cents,
        kind=st.sampled_from(["refund", "dispute"]),
        below_zero=st.sampled_from([True, False, False]),
    )
    def take_back(self, amount: int, kind: str, below_zero: bool) -> None:
        self.step()
        if below_zero and self.m.paid >= 0:  # paid goes just below zero, while granted credit may be left
            amount = int(self.m.paid / CENT) + 1
        ledger.take_back(
            self.account_id, LedgerEntry.Kind(kind), amount * CENT, key=f"r{self.n}", actor="t", now=self.now
        )
        self.m.paid -= amount * CENT

    @rule(amount=cents, sign=st.sampled_from([1, -1]), over=st.booleans())
    def adjust(self, amount: int, sign: int, over: bool) -> None:
        self.step()
        if over and sign < 0:  # the first whole cent that no longer fits
            amount = int(self.m.free() / CENT) + 1
        fits = sign > 0 or amount * CENT <= self.m.free()
        try:
            ledger.adjust(
                self.account_id,
                sign * amount * CENT,
                key=f"a{self.n}",
                actor="t",
                reason="test",
                now=self.now,
            )
            assert fits, "a debit beyond what is free was posted"
        except NotEnough:
            assert not fits, "a debit that fits was refused"
            return
        if sign > 0:
            self.m.paid += amount * CENT
            self.m.refused = False
        else:
            self.m.take(amount * CENT)

    @rule(stays=st.sampled_from([False, False, True]))
    def freeze(self, stays: bool) -> None:
        for frozen in [True] if stays and not self.m.frozen else [True, False]:
            self.step()
            ledger.freeze(self.account_id, by="owner", frozen=frozen, now=self.now)
            self.m.frozen = frozen

    @rule(early=st.booleans())
    def wait(self, early: bool) -> None:
        """Until the moment that the next hold expires, or one second before."""
        expiries = [h.expires_at for h in self.m.holds if h.state == "open"]
        if expiries:
            self.now = max(self.now, min(expiries) - timedelta(seconds=1 + early))

    # -- usage -----------------------------------------------------------------------------------------------
    @rule(amount=nanos, at=aims, on_short=st.sampled_from(["refuse", "refuse", "record"]))
    def use(self, amount: int, at: str, on_short: str) -> None:
        self.step()
        price, free = self.aim(at, amount), self.m.free()
        outcome = self.send(f"e{self.n}", price, on_short)
        if self.m.frozen:
            assert outcome.status == "frozen"
        elif on_short == "refuse" and not self.m.fits(price):
            assert (outcome.status, outcome.free) == ("short", free)
            self.m.refused = True
        else:
            self.took(f"e{self.n}", outcome, min(price, free), price)

    def took(self, event_id: str, outcome: Outcome, cost: Decimal, price: Decimal) -> None:
        assert (outcome.status, outcome.cost, outcome.uncollected) == ("recorded", cost, price - cost)
        before = (self.m.granted, self.m.paid)
        self.m.take(cost)
        self.m.refused = self.m.refused and (cost == 0 or cost < price)
        assert outcome.balance == self.m.granted + self.m.paid
        self.events[event_id] = (price, outcome)
        self.splits.append((outcome.charge_id, before[0] - self.m.granted, before[1] - self.m.paid))

    def send(self, event_id: str, price: Decimal, on_short: str, hold_id: UUID | None = None) -> Outcome:
        page, rates, _ = priced_page(event_id, price)
        if hold_id is not None:
            return metering.capture(self.account_id, hold_id, page, rates, now=self.now)
        parameters = metering._parameters(
            self.account_id, page, rates, price, None, metering.Source(), None, on_short, self.now
        )
        return metering._run(self.account_id, parameters, price)

    @rule(pick=picks, same=st.booleans())
    def repeat(self, pick: int, same: bool) -> None:
        if self.events:
            self.step()
            event_id = sorted(self.events)[pick % len(self.events)]
            price, first = self.events[event_id]
            outcome = self.send(event_id, price if same else price + NANO, "refuse")
            assert outcome.status == ("replayed" if same else "reused")
            if same:
                assert (outcome.charge_id, outcome.cost, outcome.balance) == (
                    first.charge_id,
                    first.cost,
                    first.balance,
                )

    @rule(pick=picks)
    def reverse(self, pick: int) -> None:
        if self.splits:
            self.step()
            charge_id, granted, paid = self.splits[pick % len(self.splits)]
            reversals.reverse(self.account_id, charge_id, actor="t", reason="test", now=self.now)
            if charge_id not in self.undone:
                self.undone.add(charge_id)
                self.m.granted += granted
                self.m.paid += paid
                self.m.refused = self.m.refused and granted + paid == 0

    # -- holds -----------------------------------------------------------------------------------------------
    @rule(amount=nanos, at=aims, life=st.sampled_from([3, 20, 5000]))
    def hold(self, amount: int, at: str, life: int) -> None:
        self.step()
        price, free, lifetime = self.aim(at, amount), self.m.free(), timedelta(seconds=life)
        outcome = holds.hold(
            self.account_id, key=f"h{self.n}", request_hash=b"h" * 32, amount=price, purpose="voice",
            terms={"amount": str(price)}, lifetime=lifetime, now=self.now,
        )  # fmt: skip
        if self.m.frozen:
            assert outcome.status == "frozen"
        elif not self.m.fits(price):
            assert outcome.status == "short"
            self.m.refused = True
        else:
            assert (outcome.status, outcome.free) == ("held", free - price)
            self.m.refused = False
            self.m.holds.append(Held(outcome.hold_id, price, "open", self.now, self.now + lifetime))

    @rule(pick=picks, amount=nanos, at=aims, late=st.booleans())
    def extend(self, pick: int, amount: int, at: str, late: bool) -> None:
        if not self.m.holds:
            return
        self.step()
        expired = [hold for hold in self.m.holds if hold.state == "expired"]
        among = expired if late and expired else self.m.holds
        hold = among[pick % len(among)]
        was_open, free = hold.state == "open", self.m.free(but=hold)
        price, lifetime = self.aim(at, amount, but=hold), timedelta(seconds=60)
        outcome = holds.extend(
            self.account_id,
            hold.id,
            amount=price,
            terms={"amount": str(price)},
            lifetime=lifetime,
            now=self.now,
        )
        if hold.state in ("captured", "released"):
            assert outcome.status == "other_ending"
        elif was_open and price == hold.amount:
            assert outcome.status == "replayed"
        elif self.m.frozen:
            assert outcome.status == "frozen"
        elif not self.m.fits(price, but=hold):
            assert (outcome.status, outcome.free) == ("short", free)
            self.m.refused = True
        else:
            assert outcome.status == "extended"
            hold.amount, hold.state, self.m.refused = price, "open", False
            hold.expires_at = max(hold.created_at + lifetime, self.now + timedelta(seconds=120))

    @rule(pick=picks, amount=nanos, at=aims)
    def capture(self, pick: int, amount: int, at: str) -> None:
        if not self.m.holds:
            return
        self.step()
        hold = self.m.holds[pick % len(self.m.holds)]
        free, price = self.m.free(but=hold), self.aim(at, amount, but=hold)
        outcome = self.send(f"e{self.n}", price, "capture", hold.id)
        if hold.state in ("captured", "released"):
            assert outcome.status == "other_ending"
            return
        hold.state = "captured"
        self.took(f"e{self.n}", outcome, min(price, free), price)

    @rule(pick=picks)
    def release(self, pick: int) -> None:
        if not self.m.holds:
            return
        self.step()
        hold = self.m.holds[pick % len(self.m.holds)]
        outcome = holds.release(self.account_id, hold.id, now=self.now)
        ended = {"captured": "other_ending", "released": "replayed"}.get(hold.state, "ended")
        assert outcome.status == ended
        if ended == "ended":
            hold.state = "released"

    # -- always ----------------------------------------------------------------------------------------------
    @invariant()
    def balance_is_the_models(self) -> None:
        row = Balance.objects.get(account_id=self.account_id)
        assert (row.granted, row.paid) == (self.m.granted, self.m.paid)
        assert (row.refused_at is not None) == self.m.refused
        assert (row.depleted_at is not None) == (self.m.granted + self.m.paid < CENT)
        still_open = Hold.objects.filter(account_id=self.account_id, state="open").values_list(
            "amount", flat=True
        )
        assert row.held == sum(still_open, ZERO)
        assert row.held >= self.m.held(), "what the model holds, and perhaps holds that are overdue"

    @invariant()
    def entries_add_up_and_time_rises(self) -> None:
        granted = paid = ZERO
        entries = list(LedgerEntry.objects.filter(account_id=self.account_id).order_by("seq"))
        for seq, entry in enumerate(entries, 1):
            granted, paid = granted + entry.granted, paid + entry.paid
            assert (entry.seq, entry.granted_after, entry.paid_after) == (seq, granted, paid)
        for earlier, later in pairwise(entries):
            assert earlier.recorded_at < later.recorded_at

    @invariant()
    def every_cost_has_its_entry(self) -> None:
        costs = {c.id: -c.cost for c in Charge.objects.filter(account_id=self.account_id) if c.cost}
        entries = LedgerEntry.objects.filter(account_id=self.account_id, kind__in=["charge", "reversal"])
        assert {e.id: e.amount for e in entries} == costs


class TogetherMachine(LedgerMachine):
    """The same walk with events that are recorded at once: the quick lane of a batch."""

    @rule(
        amounts=st.lists(nanos | st.just(0), min_size=1, max_size=4),
        at=st.sampled_from(["any", "all", "all", "all + 1", "all - 1"]),
    )
    def use_many(self, amounts: list[int], at: str) -> None:
        """At once: all of them when they fit together, else none, and nothing of them is left."""
        self.step()
        prices, free = [amount * NANO for amount in amounts], self.m.free()
        if at != "any":  # the last one takes what the others leave, or one nano-dollar more
            prices[-1] = max(ZERO, self.aim(at, 0) - sum(prices[:-1]))
        names = [f"m{self.n}-{place}" for place in range(len(prices))]
        kept = together.record(
            self.account_id, [priced_page(*one) for one in zip(names, prices, strict=True)],
            card=None, source=metering.Source(), now=self.now,
        )  # fmt: skip
        fits = not self.m.frozen and self.m.paid >= 0 and sum(prices) <= free
        assert (kept is not None) == fits
        for name, price, (charge, cost, *left) in zip(names, prices, kept or [], strict=bool(kept)):
            self.took(name, Outcome("recorded", charge, cost, ZERO, *left, cost), price, price)
