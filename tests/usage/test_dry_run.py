"""What a new price would have done to the last seven complete days, from the roll-up."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from tests.usage import events, spending
from tests.usage.spending import use
from usage import dry_run, rate_card, reversals

pytestmark = pytest.mark.django_db
D = Decimal
NOW = datetime(2026, 3, 18, 15, 42, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def week(ada: User, cy: User) -> None:
    """Ada: 1M tokens into gpt-4o on each of three days, one of them too long ago, and today's do not count."""
    for user in (ada, cy):
        spending.fund(user.account_id, "500", at=NOW - 12 * DAY)
    for days in (8, 7, 1, 0):
        use(ada.account_id, events.chat(f"in {days}", "gpt-4o", 1_000_000, 0), at=NOW - days * DAY)
    use(cy.account_id, events.chat("cy", "gpt-4o", 400_000, 0), at=NOW - 2 * DAY)
    use(cy.account_id, events.chat("mini", "gpt-4o-mini", 1_000_000, 0), at=NOW - 2 * DAY + DAY / 24)


def test_it_prices_the_week_anew_for_all_and_for_whom_it_moves_most(week: None, ada: User, cy: User) -> None:
    """Paid 2 x 2.50 and 1.00 + 0.15; at 3.00 instead of 2.50 it is 0.50 more a million."""
    run = dry_run.try_price("gpt-4o.input", D(3), now=NOW)
    assert (run.before, run.first.isoformat(), run.last.isoformat()) == (
        D("2.50"),
        "2026-03-11",
        "2026-03-17",
    )
    assert (run.whole.paid, run.whole.change, run.whole.then) == (D("6.15"), D("1.2"), D("7.35"))
    assert run.whole.percent == "+19.51 %"
    assert [(one.account, one.paid, one.change) for one in run.most] == [
        (ada.account, D(5), D(1)), (cy.account, D("1.15"), D("0.2")),
    ]  # fmt: skip
    assert run.accounts == 2


def test_a_lower_price_is_less(week: None) -> None:
    run = dry_run.try_price("gpt-4o.input", D("1.25"), now=NOW)
    assert (run.whole.change, run.whole.change_shown) == (D(-3), "−$3.00")
    assert run.whole.percent == "-48.78 %"


def test_free_calls_and_repeated_content_are_not_counted(ada: User) -> None:
    at, own = NOW - DAY, ada.account_id
    spending.fund(own, "50", at=at)
    use(own, events.voice("answered", 120), at=at + DAY / 48)
    use(own, events.voice("missed", 600, answered=False), at=at + DAY / 40)
    assert dry_run.try_price("voice.minute", D("0.20"), now=NOW).whole.change == D("0.2")
    for number in range(2):
        use(
            own,
            events.pages(f"pages {number}", 10, content_sha256=b"x" * 32),
            at=at + DAY / 30 + number * DAY / 900,
        )
    assert dry_run.try_price("knowledge.page", D("0.02"), now=NOW).whole.change == D("0.1")
    assert dry_run.try_price("knowledge.chunk", D("0.02"), now=NOW).whole.change == 0


def test_what_was_reversed_is_taken_off(ada: User) -> None:
    charge = use(ada.account_id, events.voice("call", 60), at=NOW - 2 * DAY)
    reversals.reverse(ada.account_id, charge.pk, actor="t", reason="t", now=NOW - DAY)
    run = dry_run.try_price("voice.minute", D("0.20"), now=NOW)
    assert (run.whole.paid, run.whole.change, run.accounts) == (0, 0, 0)
    assert run.whole.percent == "no change"


def test_retrievals_are_priced_with_their_chats(ada: User) -> None:
    spending.fund(ada.account_id, "5", at=NOW - 2 * DAY)
    use(ada.account_id, events.chat("e", "gpt-4o", 1, 1, retrieval_queries=5), at=NOW - DAY)
    assert dry_run.try_price("retrieval.query", D("0.003"), now=NOW).whole.change == D("0.005")


def test_a_new_meter_was_used_by_nobody(week: None) -> None:
    run = dry_run.try_price("brand-new.input", D(1), now=NOW)
    assert (run.before, run.whole.change, run.most) == (None, 0, [])


def test_it_says_when_the_rate_changed_within_the_week(week: None) -> None:
    rate_card.set_price(
        "gpt-4o.input", rate=D("2.60"), effective_from=NOW - 2 * DAY, actor="t", now=NOW - 3 * DAY
    )
    assert dry_run.try_price("gpt-4o.input", D(3), now=NOW).changed_at == NOW - 2 * DAY
    assert dry_run.try_price("gpt-4o.output", D(3), now=NOW).changed_at is None


def test_nothing_used_is_nothing_changed(db: None) -> None:
    run = dry_run.try_price("gpt-4o.input", D(3), now=NOW)
    assert (run.whole.paid, run.whole.percent, run.accounts) == (0, "no change", 0)


def test_it_asks_few_questions_and_writes_nothing(week: None) -> None:
    with CaptureQueriesContext(connection) as asked:
        dry_run.try_price("gpt-4o.input", D(3), now=NOW)
    assert len(asked) <= 7
    assert all(query["sql"].startswith("SELECT") for query in asked)
