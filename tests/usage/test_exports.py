"""The CSV of billing records: everything, exact, and harmless in a spreadsheet."""

import csv
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from billing.selectors import balance_of
from tests.usage import events, spending
from tests.usage.spending import NOW, agent, use
from usage import exports, reports
from usage.periods import last_days

pytestmark = pytest.mark.django_db
D = Decimal
EXPORT = "/settings/billing/records.csv"


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def browser(ada: User, client: Client) -> Client:
    client.force_login(ada)
    return client


def rows(browser: Client, query: str = "") -> list[dict[str, str]]:
    answer = browser.get(EXPORT + query)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="billing-records-2026-03-18.csv"'
    return list(csv.DictReader(StringIO(answer.getvalue().decode(), newline="")))


@pytest.mark.parametrize("seed", range(2))
def test_the_file_the_lists_and_the_balance_say_the_same(
    ada: User, browser: Client, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """S30 S36 S39: every charge is there, through several chunks, and the amounts add up to the balance."""
    monkeypatch.setattr(exports, "AT_ONCE", 17)
    made = spending.random_month(ada.account_id, seed=seed, count=60)
    found = rows(browser)
    spent = [row for row in found if row["id"].startswith("bill_")]
    assert [row["id"] for row in spent] == [charge.public_id for charge in reversed(made)]
    assert sum(D(row["amount"]) for row in found) == balance_of(ada.account_id).balance
    assert D(found[0]["balance_after"]) == balance_of(ada.account_id).balance
    total = reports.spending(ada.account_id, last_days(60, today=NOW.date())).total
    assert -sum(D(row["amount"]) for row in spent) == total
    for kind, cost in reports.spending(ada.account_id, last_days(60, today=NOW.date())).by_category.items():
        assert -sum(D(row["amount"]) for row in rows(browser, f"?type={kind}")) == cost


def test_a_row_has_everything(ada: User, browser: Client) -> None:
    charge = use(ada.account_id, events.chat("e-1", agent=agent("Support"), retrieval_queries=1), at=NOW)
    assert rows(browser, "?type=chat") == [
        {
            "id": charge.public_id, "time": "2026-03-18T15:42:00Z", "day": "2026-03-18", "type": "Chat",
            "agent": "Support", "detail": "gpt-4o-mini", "model": "gpt-4o-mini", "input_tokens": "1250",
            "output_tokens": "340", "retrieval_queries": "1", "seconds": "0", "pages": "0", "chunks": "0",
            "amount": "-0.002391500", "uncollected": "0.000000000", "balance_after": "0.997608500",
            "event_id": "e-1", "reverses": "",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "＝"])
def test_no_cell_is_a_formula(ada: User, browser: Client, start: str) -> None:
    """Whoever names an agent or a document must not run anything in the reader's spreadsheet."""
    evil = f'{start}HYPERLINK("http://x")'
    use(ada.account_id, events.pages(evil.replace("＝", "="), 1, agent=agent(evil), note=evil), at=NOW)
    (row,) = rows(browser, "?type=knowledge")
    for name in ("agent", "detail", "event_id"):
        assert row[name].startswith("'"), row[name]
        assert "HYPERLINK" in row[name]
    assert row["amount"].startswith("-0.01"), "numbers of ours stay numbers"


def test_ten_files_an_hour(ada: User, browser: Client) -> None:
    for _ in range(10):
        assert browser.get(EXPORT).status_code == 200
    refused = browser.get(EXPORT)
    assert refused.status_code == 429
    assert "Nothing was exported" in refused.content.decode()


def test_it_asks_for_a_thousand_at_a_time(
    ada: User, browser: Client, django_assert_max_num_queries: Any
) -> None:
    spending.random_month(ada.account_id, seed=1, count=90)
    browser.get(EXPORT).getvalue()
    with django_assert_max_num_queries(13):
        browser.get(EXPORT).getvalue()


def test_only_members_may(ada: User, cy: User, client: Client) -> None:
    use(ada.account_id, events.chat("e"), at=NOW)
    assert client.get(EXPORT).status_code == 302
    client.force_login(cy)
    assert [row["type"] for row in rows(client)] == ["Grant"], "his own"
