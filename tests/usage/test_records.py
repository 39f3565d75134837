"""The Records page: charges and all other movements in one list, and each one explained."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing import holds, ledger, topups
from tests.usage import events, spending
from tests.usage.spending import NOW, agent, use
from usage import metering, rate_card, records, reversals
from usage.models import Charge
from usage.pricing import Usage
from usage.records import Record, Wanted

pytestmark = pytest.mark.django_db
D = Decimal
RECORDS = "/settings/billing/records/"


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def browser(ada: User, client: Client) -> Client:
    client.force_login(ada)
    return client


def text(content: bytes) -> str:
    """A page's words as a person reads them."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", content.decode())))


def listed(browser: Client, query: str = "") -> list[Record]:
    answer = browser.get(RECORDS + query)
    assert answer.status_code == 200
    return answer.context["rows"]


def test_it_lists_every_movement_of_the_balance(ada: User, browser: Client) -> None:
    """S36 S37 S39: charges, top-ups and credits by time, each with the balance after it."""
    spending.fund(ada.account_id, "25.00", at=NOW - timedelta(hours=5))
    use(ada.account_id, events.chat("e1", agent=agent("Customer Support")), at=NOW - timedelta(hours=4))
    use(ada.account_id, events.voice("e2", 30, answered=False), at=NOW - timedelta(hours=3))
    ledger.adjust(
        ada.account_id, D("-1.00"), key="a", actor="t", reason="A correction", now=NOW - timedelta(hours=2)
    )
    rows = listed(browser)
    assert [(row.type, row.what, row.amount, row.after) for row in rows] == [
        ("Adjustment", "A correction", D("-1.00"), D("24.999608500")),
        ("Voice", "Call", 0, D("25.999608500")),
        ("Chat", "gpt-4o-mini", D("-0.000391500"), D("25.999608500")),
        ("Top-up", "Funds added", 25, 26),
        ("Grant", "Trial credit for a new account", 1, 1),
    ]
    page = text(browser.get(RECORDS).content)
    assert "−$0.0004 $25.9996" in page, "four decimals, with a real minus"
    assert "+$25.0000 $26.0000" in page
    assert "1,250 in · 340 out" in page


def test_a_reversal_is_listed_once(ada: User, browser: Client) -> None:
    """It is a charge and a ledger entry under the same id; a failed refund's reversal is an entry alone."""
    charge = use(ada.account_id, events.chat("e1"), at=NOW - timedelta(hours=4))
    reversals.reverse(ada.account_id, charge.id, actor="t", reason="Wrong", now=NOW - timedelta(hours=3))
    ledger.give_back(
        ada.account_id, ledger.Kind.REVERSAL, D("3"), key="refund 1", actor="t", now=NOW - timedelta(hours=2)
    )
    assert [row.what for row in listed(browser)[:3]] == [
        "A failed refund, back on your balance", "Reversal: gpt-4o-mini", "gpt-4o-mini",
    ]  # fmt: skip


def test_pages_go_back_and_forth_without_a_gap(ada: User) -> None:
    """By keyset over two tables, whatever arrives meanwhile."""
    spending.random_month(ada.account_id, seed=2, count=50)
    ledger.grant(ada.account_id, D("1"), key="g", actor="t", reason="Thanks", now=NOW)
    whole = [r.public_id for r in records.page(ada.account_id, Wanted(), size=1_000).records]
    assert len(whole) == 50 + 5 + 3, "charges, reversals, and two credits with the top-up"
    page = records.page(ada.account_id, Wanted(), size=7)
    assert page.newer is None
    pages = [page]
    while page.older:
        page = records.page(ada.account_id, Wanted(), before=page.older, size=7)
        pages.append(page)
        use(ada.account_id, events.chat(f"late {len(pages)}"), at=NOW)
    assert [r.public_id for page in pages for r in page.records] == whole
    back = records.page(ada.account_id, Wanted(), after=pages[5].newer, size=7)
    assert [r.public_id for r in back.records] == [r.public_id for r in pages[4].records]


def test_going_up_ends_on_a_full_first_page(ada: User) -> None:
    spending.random_month(ada.account_id, seed=2, count=20)
    second = records.page(
        ada.account_id, Wanted(), before=records.page(ada.account_id, Wanted(), size=4).older, size=9
    )
    first = records.page(ada.account_id, Wanted(), after=second.newer, size=9)
    assert (len(first.records), first.newer) == (9, None)
    assert first.records == records.page(ada.account_id, Wanted(), size=9).records


def test_it_asks_for_a_page_and_never_counts(
    ada: User, browser: Client, django_assert_max_num_queries: Any
) -> None:
    spending.random_month(ada.account_id, seed=2, count=50)
    with django_assert_max_num_queries(11) as seen:
        browser.get(RECORDS)
    asked = [query["sql"].upper() for query in seen.captured_queries]
    assert not [sql for sql in asked if "OFFSET" in sql]
    assert not [sql for sql in asked if "COUNT(" in sql and "ALERTS_NOTIFICATION" not in sql]  # the bell


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("?type=chat", ["gpt-4o", "gpt-4o-mini"]),
        ("?type=voice", ["Phone number, 30 days", "Call"]),
        ("?type=knowledge", ["Knowledge ingestion"]),
        ("?type=topup", ["Funds added"]),
        ("?type=credit", ["Trial credit for a new account"]),
        ("?type=return", ["Payment disputed with your bank"]),
        ("?agent=none&type=chat", ["gpt-4o"]),
        ("?from=2026-03-16&to=2026-03-17", ["gpt-4o", "Knowledge ingestion"]),
        ("?from=2026-03-18", ["Payment disputed with your bank", "Phone number, 30 days"]),
        ("?to=2026-03-01", ["Trial credit for a new account"]),
        ("?from=2027-01-01", []),
    ],
)
def test_filters_are_in_the_address(ada: User, browser: Client, query: str, what: list[str]) -> None:
    def at(day: int) -> Any:
        return NOW.replace(day=day)

    spending.fund(ada.account_id, "9.00", at=at(2))
    use(ada.account_id, events.chat("e1", agent=agent("Support")), at=at(3))
    use(ada.account_id, events.voice("e2", 5, agent=agent("Sales")), at=at(4))
    use(ada.account_id, events.pages("e3", 2), at=at(16))
    use(ada.account_id, events.chat("e4", "gpt-4o"), at=at(17))
    use(ada.account_id, events.event("e5", Usage("number")), at=at(18))
    ledger.take_back(
        ada.account_id, ledger.Kind.DISPUTE, D("2"), key="d", actor="t", now=NOW + timedelta(minutes=1)
    )
    assert [row.what for row in listed(browser, query)] == what
    assert all(
        value in browser.get(RECORDS + query).content.decode() for value in re.findall(r"=([^&]+)", query)
    )


def test_an_agents_filter_leaves_only_what_it_used(ada: User, browser: Client) -> None:
    charge = use(ada.account_id, events.chat("e1", agent=agent("Support")), at=NOW)
    use(ada.account_id, events.chat("e2"), at=NOW)
    public_id = str(browser.get(RECORDS).context["form"].fields["agent"].choices[1][0])
    assert [row.public_id for row in listed(browser, f"?agent={public_id}")] == [charge.public_id]


@pytest.mark.parametrize(
    "query",
    ["?from=2026-13-01", "?to=yesterday", "?type=nonsense", "?agent=agent_x", "?before=now", "?after=2026-03-01",
     "?from=2026-03-05&to=2026-03-04", "?before=%00", "?from=٢"],
)  # fmt: skip
def test_a_filter_that_is_not_understood_is_named(browser: Client, query: str) -> None:
    page = browser.get(RECORDS + query)
    assert page.status_code == 200
    assert page.context["form"].errors
    assert "Nothing was looked up" in page.content.decode()
    assert browser.get("/settings/billing/records.csv" + query)["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "query",
    ["?before=0001-01-01T00:00:00%2B14:00", "?after=9999-12-31T23:59:59-14:00", "?from=0001-01-01&to=9999-12-31",
     "?before=2026-03-01T00:00:00Z&after=2026-03-01T00:00:00Z"],
)  # fmt: skip
def test_the_ends_of_the_calendar_are_days_like_others(ada: User, browser: Client, query: str) -> None:
    assert len(listed(browser, query)) in (0, 1)


def test_an_empty_list_says_what_to_do_next(browser: Client) -> None:
    assert "No records match" in browser.get(RECORDS + "?type=chat").content.decode()


# --- One record -------------------------------------------------------------------------------------------------


def told(browser: Client, public_id: str) -> str:
    answer = browser.get(reverse("record", args=[public_id]))
    assert answer.status_code == 200
    return text(answer.content)


def test_a_record_explains_its_arithmetic(ada: User, browser: Client) -> None:
    """S12 S13: quantity times rate, line by line, with the rate's date, to the nano-dollar."""
    message = events.chat("order-7", retrieval_queries=1, note="Ticket 7", agent=agent("Customer Support"))
    outcome = metering.record(
        ada.account_id, message, source=metering.Source(request_id="req-77"), now=NOW - timedelta(hours=1)
    )
    charge = Charge.objects.get(pk=outcome.charge_id)
    page = told(browser, charge.public_id)
    for words in (
        "−$0 .0023915",
        "Input tokens 1,250 × $0.15 ÷ 1,000,000 1,250 $0.15 per 1M tokens in force since 1 Jan 2026 $0.0001875",
        "Output tokens 340 × $0.60 ÷ 1,000,000 340 $0.60 per 1M tokens in force since 1 Jan 2026 $0.000204",
        "Knowledge retrieval 1 × $0.002 1 $0.002 per query in force since 1 Jan 2026 $0.002",
        "Price rounded half up at nine decimals $0.0023915",
        "Before $1.00", "From granted credit −$0.0023915", "After $0.9976085",
        "Event order-7", "Request req-77", "Note Ticket 7", "Agent Customer Support", charge.public_id,
    ):  # fmt: skip
        assert words in page, words


def test_a_call_shows_what_was_rounded(ada: User, browser: Client) -> None:
    """S14: by the second; seven seconds have endlessly many decimals."""
    charge = use(ada.account_id, events.voice("e", 7), at=NOW)
    page = told(browser, charge.public_id)
    assert "Call 7 s × $0.10 ÷ 60 7 s $0.10 per minute" in page
    assert (
        "$0.011666666666… Exactly $0.011666666666… Price rounded half up at nine decimals $0.011666667"
        in page
    )


def test_what_was_not_collected_is_told(ada: User, browser: Client) -> None:
    big = events.chat("big", "gpt-4-turbo", 200_000, 10_000, on_short="record")
    charge = use(ada.account_id, big, at=NOW)
    page = told(browser, charge.public_id)
    assert "$2.30 Not collected more than the balance had, never billed later −$1.30 Deducted $1.00" in page
    assert "After $0.00" in page


def test_the_same_content_points_to_what_paid_for_it(ada: User, browser: Client) -> None:
    """S16: ingested once, charged once."""
    first = use(ada.account_id, events.pages("a", 4, content_sha256=b"1" * 32), at=NOW - timedelta(hours=1))
    again = use(ada.account_id, events.pages("b", 4, content_sha256=b"1" * 32), at=NOW)
    page = browser.get(reverse("record", args=[again.public_id])).content.decode()
    assert "Nothing was charged" in page
    assert reverse("record", args=[first.public_id]) in page


def test_a_reversal_and_its_charge_lead_to_each_other(ada: User, browser: Client) -> None:
    charge = use(ada.account_id, events.chat("e1", note="Ticket 7"), at=NOW - timedelta(hours=1))
    reversed_by = reversals.reverse(ada.account_id, charge.id, actor="t", reason="Sent twice", now=NOW)
    back = Charge.objects.get(pk=reversed_by.charge_id)
    there = browser.get(reverse("record", args=[charge.public_id])).content.decode()
    assert reverse("record", args=[back.public_id]) in there
    page = told(browser, back.public_id)
    assert "+$0 .0003915" in page
    assert "Input tokens −1,250 × $0.15 ÷ 1,000,000 −1,250" in page
    assert "Back to granted credit +$0.0003915" in page
    assert "Reason: Sent twice" in page
    assert "↺" not in page


def test_an_old_record_keeps_its_rate(ada: User, browser: Client) -> None:
    """S20: rates change over time; what was charged keeps the rates it used."""
    charge = use(ada.account_id, events.pages("e", 3), at=NOW - timedelta(hours=1))
    rate_card.set_price("knowledge.page", rate=D("0.05"), effective_from=NOW, actor="t", now=NOW)
    later = use(ada.account_id, events.pages("e2", 3), at=NOW + timedelta(minutes=1))
    assert "$0.01 per page in force since 1 Jan 2026 $0.03" in told(browser, charge.public_id)
    assert "$0.05 per page in force since 18 Mar 2026 $0.15" in told(browser, later.public_id)


def test_a_captured_hold_is_told_with_its_frozen_rate(ada: User, browser: Client) -> None:
    held = holds.hold(
        ada.account_id, key="h", request_hash=b"h", amount=D("0.50"), purpose="voice", terms={},
        lifetime=timedelta(hours=1), now=NOW - timedelta(minutes=9),
    )  # fmt: skip
    rate_card.set_price("voice.minute", rate=D("9"), effective_from=NOW, actor="t", now=NOW)
    rates = {"voice.minute": D("0.10")}
    outcome = metering.capture(ada.account_id, held.hold_id, events.voice("e", 60), rates, now=NOW)
    page = told(browser, Charge.objects.get(pk=outcome.charge_id).public_id)
    assert "Reserved beforehand $0.50" in page
    assert "$0.10 per minute in force since 1 Jan 2026" in page, "the price when it was held"


def test_other_entries_have_a_page_too(ada: User, browser: Client) -> None:
    topup = topups.record_manual(ada.account_id, D("25"), actor="staff", reason="Bank transfer", now=NOW)
    paid, trial = listed(browser)
    page = browser.get(paid.url).content.decode()
    assert reverse("topup", args=[topup.public_id]) in page
    assert "Before $1.00 Paid funds +$25.00 After $26.00" in text(page.encode())
    assert "does not expire" in told(browser, trial.public_id), "S8"


@pytest.mark.parametrize("name", ["bill_00000000000000000000000000", "bill_x", "entry_x", "x", "top_1"])
def test_what_does_not_exist_is_not_found(browser: Client, name: str) -> None:
    assert browser.get(reverse("record", args=[name])).status_code == 404


def test_a_strangers_record_is_not_found(ada: User, cy: User, browser: Client) -> None:
    theirs = use(cy.account_id, events.chat("e"), at=NOW)
    assert browser.get(reverse("record", args=[theirs.public_id])).status_code == 404
    entry = records.page(cy.account_id, Wanted(type="credit")).records[0]
    assert browser.get(entry.url).status_code == 404


def test_a_viewer_sees_it_all(ada: User, bo: User, client: Client) -> None:
    client.force_login(bo)
    charge = use(ada.account_id, events.chat("e"), at=NOW)
    assert client.get(RECORDS).status_code == 200
    assert client.get(reverse("record", args=[charge.public_id])).status_code == 200
    client.logout()
    assert client.get(RECORDS).status_code == 302
