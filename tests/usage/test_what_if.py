"""What if: an agent's last 30 days of tokens on every other model, beside what they were priced at."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing.money import spent_cents
from tests import factories
from tests.usage import events, spending
from tests.usage.spending import NOW, use
from usage import metering, periods, rate_card, reversals, what_if
from usage.models import Agent
from usage.what_if import Used, WhatIf

pytestmark = pytest.mark.django_db
D = Decimal
DAY = timedelta(days=1)
SUPPORT = spending.agent("Customer Support")
SEED = {  # 1,250 tokens in and 340 out on each, by hand
    "gpt-4o": D("0.006525"),  # 0.003125 + 0.0034
    "gpt-4o-mini": D("0.0003915"),  # 0.0001875 + 0.000204
    "gpt-4-turbo": D("0.0227"),  # 0.0125 + 0.0102
    "claude-3.5-sonnet": D("0.00885"),  # 0.00375 + 0.0051
    "claude-3-haiku": D("0.0007375"),  # 0.0003125 + 0.000425
    "gemini-1.5-pro": D("0.0032625"),  # 0.0015625 + 0.0017
    "gemini-1.5-flash": D("0.00019575"),  # 0.00009375 + 0.000102
}


@pytest.fixture
def ada(db: None) -> User:
    """Born two months ago: days before the birth of an account do not exist."""
    return factories.owner(now=NOW - 60 * DAY)


def agent_of(account_id: UUID, name: str = "Customer Support") -> UUID:
    return Agent.objects.get(account_id=account_id, name=name).id


def used(account_id: UUID, *, now: datetime = NOW) -> list[Used]:
    thirty = periods.last_days(what_if.DAYS, today=now.date())
    return what_if.used_by(account_id, agent_of(account_id), thirty)


def compared(account_id: UUID, *, now: datetime = NOW) -> WhatIf | None:
    since = periods.midnight(now.date() - 29 * DAY, "UTC")
    return what_if.compare(used(account_id, now=now), rate_card.fresh(), now, since=since)


def test_the_seeds_message_on_all_seven_models(ada: User) -> None:
    """S21 S50: by hand, exactly; on its own model it costs the same."""
    use(ada.account_id, events.chat("one", agent=SUPPORT), at=NOW)
    found = compared(ada.account_id)
    assert {model: priced.exact for model, priced in found.on.items()} == SEED
    assert found.price == "$0.0004"
    assert [found.on["gpt-4o-mini"].shown, found.on["gpt-4o-mini"].difference_shown] == [
        "$0.0004",
        "the same",
    ]
    assert [found.on["gpt-4-turbo"].shown, found.on["gpt-4-turbo"].difference_shown] == [
        "$0.0227",
        "+$0.0223",
    ]
    flash = found.on["gemini-1.5-flash"]
    assert [flash.shown, flash.difference_shown, flash.saves] == ["$0.0002", "−$0.0002", True]


def test_it_prices_the_tokens_of_all_models_together(ada: User) -> None:
    """2,000,000 in and 300,000 out on GPT-4o, 1,000,000 and 100,000 on the small one, four retrievals."""
    spending.fund(ada.account_id, "50.00", at=NOW - 3 * DAY)
    use(
        ada.account_id,
        events.chat("a", "gpt-4o", 2_000_000, 300_000, retrieval_queries=4, agent=SUPPORT),
        at=NOW - DAY,
    )
    use(ada.account_id, events.chat("b", "gpt-4o-mini", 1_000_000, 100_000, agent=SUPPORT), at=NOW)
    found = compared(ada.account_id)
    assert found.chats.told == "3,000,000 tokens in, 400,000 out, 4 retrievals in 2 messages"
    assert [part.name for part in found.models] == ["GPT-4o", "GPT-4o-mini"]
    assert found.price == "$8.22"  # 5.00 + 3.00 + 0.008 + 0.15 + 0.06 = 8.218
    assert found.on["gpt-4o"].exact == D("11.508")  # 7.50 + 4.00 + 0.008
    assert found.on["gpt-4o"].difference_shown == "+$3.29"  # 11.51 - 8.22
    assert found.on["gpt-4o-mini"].exact == D("0.698")  # 0.45 + 0.24 + 0.008
    assert found.on["gpt-4o-mini"].difference_shown == "−$7.52"  # 0.70 - 8.22
    assert found.on["gpt-4-turbo"].exact == D("42.008")  # 30.00 + 12.00 + 0.008


@pytest.mark.parametrize("seed", range(4))
def test_each_line_ties_with_what_is_printed_beside_it(ada: User, seed: int) -> None:
    """Cut to cents, a line is what was paid and its difference; the categories add up to the whole."""
    spending.random_month(ada.account_id, seed=seed)
    rows, found = what_if.spent(used(ada.account_id)), compared(ada.account_id)
    assert sum(row.total for row in rows) == spent_cents(sum(row.exact for row in rows))
    assert found.paid == found.price == rows[0].shown
    for priced in found.on.values():
        assert priced.total == spent_cents(priced.exact)
        assert priced.total - priced.difference == rows[0].total


def test_it_counts_what_was_not_collected(ada: User) -> None:
    """$1.00 of trial; a message for $25.00 is recorded all the same, and compared at its full price."""
    at = NOW - DAY
    event = events.chat("big", "gpt-4o", 10_000_000, 0, agent=SUPPORT, on_short="record")
    assert metering.record(ada.account_id, event, now=at).uncollected == D("24")
    found = compared(ada.account_id)
    assert (found.paid, found.uncollected, found.price) == ("$1.00", "$24.00", "$25.00")
    assert found.on["gpt-4o"].difference_shown == "the same"
    assert found.on["gpt-4o-mini"].difference_shown == "−$23.50"


def test_it_looks_at_thirty_local_days(ada: User) -> None:
    """From 17 February on; neither the day before nor calls, documents and other agents' messages."""
    spending.fund(ada.account_id, "20.00", at=NOW - 40 * DAY)
    first = datetime(2026, 2, 17, 0, 0, 1, tzinfo=UTC)
    use(ada.account_id, events.chat("too old", agent=SUPPORT), at=first - timedelta(seconds=2))
    use(ada.account_id, events.chat("first", agent=SUPPORT), at=first)
    use(ada.account_id, events.voice("call", 60, agent=SUPPORT), at=NOW - DAY)
    use(ada.account_id, events.pages("pages", 3, agent=SUPPORT), at=NOW - DAY)
    use(ada.account_id, events.chat("other", agent=spending.agent("Sales")), at=NOW)
    use(ada.account_id, events.chat("nobody"), at=NOW)
    found = compared(ada.account_id)
    assert (found.chats.messages, found.chats.input_tokens, found.chats.cost) == (
        1,
        1250,
        SEED["gpt-4o-mini"],
    )


def test_it_never_sees_somebody_elses(ada: User, cy: User) -> None:
    use(cy.account_id, events.chat("cy", agent=SUPPORT), at=NOW)
    use(ada.account_id, events.voice("call", 6, agent=SUPPORT), at=NOW)
    thirty = periods.last_days(what_if.DAYS, today=NOW.date())
    assert what_if.used_by(ada.account_id, agent_of(cy.account_id), thirty) == []


def test_it_has_nothing_to_say_without_tokens(ada: User) -> None:
    use(ada.account_id, events.voice("call", 60, agent=SUPPORT), at=NOW)
    assert compared(ada.account_id) is None


def test_it_has_nothing_to_say_when_more_was_given_back_than_used(ada: User) -> None:
    """The charge lies before the thirty days, its reversal within."""
    charge = use(ada.account_id, events.chat("old", agent=SUPPORT), at=NOW - 31 * DAY + timedelta(minutes=1))
    reversals.reverse(ada.account_id, charge.id, actor="tests", reason="A test", now=NOW)
    assert used(ada.account_id)[0].input_tokens == -1250
    assert compared(ada.account_id) is None


def test_what_was_given_back_is_taken_off(ada: User) -> None:
    charge = use(ada.account_id, events.chat("twice", agent=SUPPORT), at=NOW - DAY)
    use(ada.account_id, events.chat("kept", "gpt-4o", agent=SUPPORT), at=NOW - DAY / 2)
    reversals.reverse(ada.account_id, charge.id, actor="tests", reason="A test", now=NOW)
    found = compared(ada.account_id)
    assert found.on["gpt-4o"].difference_shown == "the same"
    assert found.chats.messages == 1


def test_it_says_that_a_price_changed_within_the_days(ada: User) -> None:
    """Charged at $0.60 for a million out, compared at $1.20 from two days later on."""
    spending.fund(ada.account_id, "20.00", at=NOW - 20 * DAY)
    changed = NOW - 3 * DAY
    with time_machine.travel(NOW - 10 * DAY, tick=False):
        rate_card.set_price(
            "gpt-4o-mini.output", rate=D("1.2"), effective_from=changed, actor="t", now=NOW - 10 * DAY
        )
        rate_card.set_price(
            "gpt-4-turbo.input", rate=D("9"), effective_from=changed, actor="t", now=NOW - 10 * DAY
        )
    use(ada.account_id, events.chat("before", "gpt-4o-mini", 0, 1_000_000, agent=SUPPORT), at=NOW - 5 * DAY)
    found = compared(ada.account_id)
    assert [(change.label, change.at) for change in found.changes] == [("GPT-4o-mini output tokens", changed)]
    assert (found.price, found.on["gpt-4o-mini"].shown) == ("$0.60", "$1.20")
    assert compared(ada.account_id, now=changed - timedelta(minutes=1)).changes == []


def test_a_models_first_price_is_no_change(ada: User) -> None:
    at = NOW - 2 * DAY
    for side in ("input", "output"):
        rate_card.set_price(f"gpt-5.{side}", rate=D("4"), effective_from=at, actor="t", now=at)
    rate_card.fresh()
    use(ada.account_id, events.chat("new", "gpt-5", agent=SUPPORT), at=NOW)
    found = compared(ada.account_id)
    assert found.changes == []
    assert found.on["gpt-5"].difference_shown == "the same"


def test_it_reads_the_roll_up_alone(ada: User) -> None:
    """One query, and not to the charges, however many there are."""
    spending.random_month(ada.account_id, seed=1, count=30)
    thirty, agent = periods.last_days(what_if.DAYS, today=NOW.date()), agent_of(ada.account_id)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        rows = what_if.used_by(ada.account_id, agent, thirty)
        what_if.compare(rows, rate_card.current(), NOW, since=periods.midnight(thirty.first, "UTC"))
    assert [query["sql"].count("usage_charge") for query in asked.captured_queries] == [0]


def test_midnight_is_where_the_account_lives() -> None:
    assert periods.midnight(NOW.date(), "America/New_York") == datetime(2026, 3, 18, 4, tzinfo=UTC)
