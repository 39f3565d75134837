"""The quick lane of a batch and the slow one, side by side: two accounts alike, the same events, the same rows."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import ledger, verify
from billing.models import Balance, LedgerEntry
from billing.money import ZERO
from tests import factories
from tests.usage.events import event
from usage import agents, metering, rate_card, together
from usage import verify as usage_verify
from usage.agents import AgentRef
from usage.metering import Event
from usage.models import Agent, Charge, ChargeNote, DailySpend
from usage.pricing import Usage

pytestmark = pytest.mark.django_db
NOW = factories.BIRTHDAY + timedelta(days=1)
kinds = st.one_of(
    st.builds(
        lambda model, tokens, queries: Usage("chat", model, tokens, tokens // 3, retrieval_queries=queries),
        st.sampled_from(["gpt-4o", "gpt-4o-mini"]), st.integers(0, 30_000), st.integers(0, 2),
    ),
    st.builds(lambda seconds, said: Usage("voice", seconds=seconds, answered=said), st.integers(1, 90), st.booleans()),
    st.builds(lambda pages: Usage("knowledge", pages=pages), st.integers(1, 5)),
)  # fmt: skip
Asked = tuple[Usage, str, str]  # what, by which agent, with which note
batches = st.lists(
    st.tuples(kinds, st.sampled_from(["", "Support", "Sales", "New"]), st.sampled_from(["", "a.pdf"])),
    min_size=1,
    max_size=12,
)


def account(granted: int, paid: int) -> UUID:
    account_id = factories.account_without_trial(now=factories.BIRTHDAY).id
    ledger.grant(account_id, Decimal(granted) / 100, key="g", actor="t", reason="t", now=factories.BIRTHDAY)
    ledger.credit_topup(account_id, Decimal(paid) / 100, key="p", actor="t", now=factories.BIRTHDAY)
    for name in ("Support", "Sales"):
        agents.resolve(account_id, AgentRef(name=name, key=name.lower()))
    return account_id


def events(asked: list[Asked]) -> list[Event]:
    return [
        event(f"e{n}", usage, agent=AgentRef(name=name, key=name.lower()) if name else AgentRef(), note=note)
        for n, (usage, name, note) in enumerate(asked)
    ]


def rows(account_id: UUID) -> list[Any]:
    """Everything that was written, without what is random: ids, and which account it was."""
    names = dict(Agent.objects.filter(account_id=account_id).values_list("pk", "name"))
    written: list[Any] = [Balance.objects.values().get(pk=account_id) | {"account_id": ""}]
    for model, order in ((LedgerEntry, "seq"), (Charge, "recorded_at"), (DailySpend, "type")):
        found = [
            {k: v for k, v in row.items() if k not in ("id", "account_id", "key", "charge_id")}
            for row in model.objects.filter(account_id=account_id).order_by(order).values()
        ]
        for row in found:
            if "agent_id" in row:
                row["agent_id"] = names.get(row["agent_id"])
        written.append(sorted(found, key=str) if model is DailySpend else found)
    notes = ChargeNote.objects.filter(account_id=account_id)
    events = dict(Charge.objects.filter(account_id=account_id).values_list("pk", "event_id"))
    return [*written, sorted((events[note.charge_id], note.text) for note in notes)]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=batches, granted=st.integers(1, 60), paid=st.integers(1, 60))
def test_both_lanes_write_the_same(asked: list[Asked], granted: int, paid: int) -> None:
    """Whatever is asked, and whether it fits or not: a batch is what its events are one by one."""
    quick, slow = account(granted, paid), account(granted, paid)
    at_once = metering.record_many(quick, events(asked), now=NOW)
    one_by_one = [metering.record(slow, each, now=NOW) for each in events(asked)]
    assert [(o.status, o.cost, o.balance, o.free) for o in at_once] == [
        (o.status, o.cost, o.balance, o.free) for o in one_by_one
    ]
    assert rows(quick) == rows(slow)
    assert verify.run(usage_verify.CHECKS, [quick]) == []


def lane(account_id: UUID, asked: list[Event]) -> object:
    card = rate_card.fresh()
    priced = [(each, *metering._priced(card, each, NOW)) for each in asked]
    return together.record(account_id, priced, card=card.version, source=metering.Source(), now=NOW)


CHAT = Usage("chat", "gpt-4o-mini", 1250, 340)


def test_plain_events_take_the_quick_lane() -> None:
    kept = lane(account(100, 100), [event(f"e{n}", CHAT) for n in range(100)])
    assert kept is not None
    assert Charge.objects.count() == 100


@pytest.mark.parametrize(
    "asked",
    [
        [event("e", CHAT), event("e", CHAT)],
        [event("e", CHAT, agent=AgentRef(name="New", key="new"))],
        [event("e", CHAT, agent=AgentRef(id=UUID(int=7)))],
        [event("e", CHAT, on_short="record")],
        [event("e", Usage("knowledge", pages=1), content_sha256=b"x" * 32)],
        [event("e", CHAT), event("f", Usage("knowledge", pages=500))],
    ],
    ids=["twice", "a new agent", "no agent", "work that is done", "content", "too much"],
)
def test_what_is_not_plain_leaves_nothing_there(asked: list[Event]) -> None:
    owner = account(100, 100)
    before = rows(owner)
    assert lane(owner, asked) is None
    assert rows(owner) == before
    assert not Charge.objects.exists()


def test_what_was_recorded_before_a_stale_card_and_a_freeze_are_not_plain() -> None:
    owner = account(100, 100)
    assert lane(owner, [event("e", CHAT)]) is not None
    assert lane(owner, [event("f", CHAT), event("e", CHAT)]) is None
    priced = [(event("g", CHAT), {}, ZERO)]
    version = rate_card.fresh().version + 1
    assert together.record(owner, priced, card=version, source=metering.Source(), now=NOW) is None
    ledger.freeze(owner, by="owner", frozen=True)
    assert lane(owner, [event("h", CHAT)]) is None
    assert Charge.objects.count() == 1
