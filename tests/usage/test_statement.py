"""The statement of a month: opening + lines = closing, checked, and the same for ever once the month is over."""

import csv
import re
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import unescape
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client

from accounts.models import Account, User
from billing import ledger
from billing.models import BillingDetails, LedgerCheck, LedgerEntry
from tests import factories
from tests.usage import events, spending
from tests.usage.spending import NOW, agent, use
from usage import periods, reversals, statements
from usage.models import DailySpend
from usage.pricing import Usage
from usage.verify import verify_ledger

pytestmark = pytest.mark.django_db
D = Decimal
STATEMENT, ENTRIES = "/settings/billing/statement/", "/settings/billing/statement.csv"
JANUARY = datetime(2026, 1, 5, 9, tzinfo=UTC)
Kind = LedgerEntry.Kind


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def ann(client: Client) -> User:
    """An owner since 5 January 2026 with three months of everything, signed in."""
    user = factories.owner("ann@example.com", name="Ann's agents", now=JANUARY)
    a_quarter(user)
    client.force_login(user)
    return user


def a_quarter(user: User) -> None:
    account_id, day = user.account_id, timedelta(days=1)
    spending.fund(account_id, "40.00", at=JANUARY + day)
    charge = use(
        account_id, events.chat("jan", "gpt-4o", 123_457, agent=agent("Support")), at=JANUARY + 2 * day
    )
    ledger.take_back(account_id, Kind.REFUND, D("10"), key="r", actor="t", now=JANUARY + 3 * day)
    feb = JANUARY.replace(month=2)
    use(account_id, events.voice("feb", 61), at=feb)
    use(account_id, events.event("rent", Usage("number")), at=feb + day)
    reversals.reverse(account_id, charge.id, actor="t", reason="Twice", now=feb + 2 * day)
    ledger.give_back(account_id, Kind.REVERSAL, D("10"), key="r", actor="t", now=feb + 3 * day)
    mar = JANUARY.replace(month=3)
    use(account_id, events.pages("mar", 7), at=mar)
    ledger.take_back(account_id, Kind.DISPUTE, D("5"), key="d", actor="t", now=mar + day)
    ledger.give_back(account_id, Kind.DISPUTE_WON, D("5"), key="d", actor="t", now=mar + 2 * day)
    ledger.adjust(account_id, D("-0.50"), key="a", actor="t", reason="A correction", now=mar + 3 * day)


def told(client: Client, query: str = "") -> str:
    answer = client.get(STATEMENT + query)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def lines(client: Client, query: str = "") -> list[tuple[str, str, str]]:
    found = client.get(STATEMENT + query).context["lines"]
    return [(line.name, line.counted, line.shown) for line, _ in found]


def of(account_id: Any, month: str) -> statements.Statement:
    return statements.read(account_id, periods.month_of(date.fromisoformat(f"{month}-01")), now=NOW)


def entries(client: Client, query: str) -> list[dict[str, str]]:
    answer = client.get(ENTRIES + query)
    assert answer.status_code == 200
    return list(csv.DictReader(StringIO(answer.getvalue().decode(), newline="")))


# --- What stands in it --------------------------------------------------------------------------------------------


def test_three_months_from_opening_to_closing(ann: User, client: Client) -> None:
    """S1 S5 S30: every kind of movement has its line, and each month opens with what the last one closed with."""
    assert lines(client, "?month=2026-01") == [
        ("Funds added", "1 top-up", "+$40.00"), ("Credit granted", "1 grant", "+$1.00"),
        ("Chat", "1 charge", "−$0.31"), ("Refunds, paid back to you", "1 refund", "−$10.00"),
    ]  # fmt: skip
    assert lines(client, "?month=2026-02") == [
        ("Voice", "2 charges", "−$2.10"), ("Charges taken back by us", "1 reversal", "+$0.31"),
        ("Failed refunds, back on your balance", "1 refund", "+$10.00"),
    ]  # fmt: skip
    assert lines(client) == [
        ("Knowledge", "1 charge", "−$0.07"), ("Payments disputed with your bank", "1 dispute", "−$5.00"),
        ("Disputes ended, back on your balance", "1 dispute", "+$5.00"),
        ("Balance corrected", "1 correction", "−$0.50"),
    ]  # fmt: skip
    jan, feb, mar = (of(ann.account_id, f"2026-0{month}") for month in (1, 2, 3))
    assert (jan.opening.seq, jan.opening.balance) == (0, 0)
    assert (feb.opening, mar.opening) == (jan.closing, feb.closing)
    assert mar.closing.balance == D("38.328333333")
    found = told(client, "?month=2026-02")
    assert "Opening balance of which granted credit $0.6879575 $30.6879575 $30.6879575 $30.69" in found
    assert "Closing balance of which granted credit $1.00" not in found, "reversals restore the split"
    assert "$38.898333333 $38.90" in found


@pytest.mark.parametrize("seed", range(3))
def test_it_ties_exactly_and_in_cents(ada: User, client: Client, seed: int) -> None:
    """S1 S30: with reversals, refunds and fractions of a cent; the lines make the change between both balances."""
    spending.random_month(ada.account_id, seed=seed)
    client.force_login(ada)
    context = client.get(STATEMENT).context
    read, made = context["read"], [line for line, _ in context["lines"]]
    assert read.opening.balance + sum(line.exact for line in made) == read.closing.balance
    cents = read.closing.balance.quantize(D("0.01"), "ROUND_HALF_DOWN")
    assert sum(line.total for line in made) == cents
    assert all(abs(line.total - line.exact) < D("0.01") for line in made)
    assert read.check.is_good
    assert read.check.entries is True


def test_it_names_whose_it_is_and_which_days(ann: User, client: Client) -> None:
    BillingDetails.objects.create(
        account=ann.account, name="Ann & Söhne", address="1 Main Street", tax_id="NO 7"
    )
    found = told(client, "?month=2026-01")
    assert "Statement of January 2026" in found
    assert "Ann & Söhne 1 Main Street Tax id NO 7" in found
    assert ann.account.public_id in found
    assert "1 January 2026 to 31 January 2026 Days in UTC now." in found
    assert "those of single months need not add up to the cents of a year" in found
    assert "Settings Billing Statement" in found


def test_the_running_month_is_marked(ann: User, client: Client) -> None:
    found = told(client)
    assert "Statement of March 2026 Unfinished: the month is not over" in found
    assert "1 March 2026 to 18 March 2026, so far" in found
    assert "Balance so far" in found
    assert "Unfinished" not in told(client, "?month=2026-02")
    assert "Closing balance" in told(client, "?month=2026-02")


def test_months_lead_to_each_other_and_not_beyond(ann: User, client: Client) -> None:
    seen = [client.get(f"{STATEMENT}?month=2026-0{month}").context for month in (1, 2, 3)]
    assert [page["previous"][-7:] for page in seen] == ["", "2026-01", "2026-02"]
    assert [page["next"][-7:] for page in seen] == ["2026-02", "2026-03", ""]


def test_pages_of_seeing_and_paying_lead_to_it(ann: User, client: Client) -> None:
    for path in ("usage/", "records/", "receipts/"):
        assert STATEMENT in client.get(f"/settings/billing/{path}").content.decode()


def test_lines_lead_to_their_records(ann: User, client: Client) -> None:
    found = client.get(f"{STATEMENT}?month=2026-01").context["lines"]
    for line, records in found:
        rows = client.get(records).context["rows"]
        assert sum(row.amount for row in rows) == line.exact


def test_a_month_in_which_nothing_moved_says_so(client: Client) -> None:
    quiet = factories.owner("quiet@example.com", now=JANUARY)
    client.force_login(quiet)
    found = told(client, "?month=2026-02")
    assert "Nothing changed the balance $0.00 $0.00" in found
    assert "Opening balance of which granted credit $1.00 $1.00 $1.00 $1.00" in found
    assert "everything adds up" in found


def test_a_trace_is_never_printed_as_nothing(ada: User, client: Client) -> None:
    use(ada.account_id, events.chat("e"), at=NOW)
    client.force_login(ada)
    assert ("Chat", "1 charge", "<$0.01") in [(n, c, s.lstrip("−")) for n, c, s in lines(client)]
    assert "−$0.0003915" in told(client)


# --- A closed month never changes ---------------------------------------------------------------------------------


def test_a_closed_month_never_changes(ann: User, client: Client) -> None:
    """A new time zone and a late reversal belong to later months."""
    before = [(lines(client, f"?month={m}"), entries(client, f"?month={m}")) for m in ("2026-01", "2026-02")]
    late = LedgerEntry.objects.get(account_id=ann.account_id, kind="charge", day=date(2026, 2, 5))
    for zone in ("Pacific/Auckland", "America/Los_Angeles", "Pacific/Kiritimati"):
        Account.objects.filter(pk=ann.account_id).update(timezone=zone)
        use(ann.account_id, events.pages(zone, 1), at=NOW)
    reversals.reverse(ann.account_id, late.id, actor="t", reason="Late", now=NOW)
    after = [(lines(client, f"?month={m}"), entries(client, f"?month={m}")) for m in ("2026-01", "2026-02")]
    assert after == before
    assert ("Charges taken back by us", "1 reversal", "+$0.10") in lines(client)
    assert of(ann.account_id, "2026-03").check.is_good


def test_its_first_month_stays_when_the_time_zone_moves(client: Client) -> None:
    """Born at 1 March, 05:00 UTC, with its trial; in Los Angeles that was February."""
    user = factories.owner("edge@example.com", now=datetime(2026, 3, 1, 5, tzinfo=UTC))
    Account.objects.filter(pk=user.account_id).update(timezone="America/Los_Angeles")
    client.force_login(user)
    assert "first statement is that of March 2026" in told(client, "?month=2026-02")
    assert ("Credit granted", "1 grant", "+$1.00") in lines(client, "?month=2026-03")


def test_the_midnight_of_the_account_parts_the_months(client: Client) -> None:
    user = factories.owner("kiwi@example.com", timezone="Pacific/Auckland", now=JANUARY)
    use(user.account_id, events.pages("31 Jan", 3), at=datetime(2026, 1, 31, 10, 59, 59, tzinfo=UTC))
    use(user.account_id, events.pages("1 Feb", 5), at=datetime(2026, 1, 31, 11, 0, 0, tzinfo=UTC))
    client.force_login(user)
    assert ("Knowledge", "1 charge", "−$0.03") in lines(client, "?month=2026-01")
    assert ("Knowledge", "1 charge", "−$0.05") in lines(client, "?month=2026-02")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 40])
def test_halving_finds_the_entries_at_both_ends(ada: User, count: int) -> None:
    """Whatever their number: against a look at each of them."""
    for number in range(count):
        use(ada.account_id, events.pages(f"e{number}", 1), at=NOW + number * timedelta(days=5))
    for month in ("2026-02", "2026-03", "2026-04", "2026-07"):
        first = date.fromisoformat(f"{month}-01")
        rows = LedgerEntry.objects.filter(account_id=ada.account_id).order_by("seq")
        before = [row for row in rows if row.day < first]
        through = [row for row in rows if row.day <= periods.month_of(first).last]
        read = of(ada.account_id, month)
        for mark, expected in ((read.opening, before), (read.closing, through)):
            assert (mark.seq, mark.balance) == (
                (expected[-1].seq, expected[-1].balance_after) if expected else (0, 0)
            )


# --- Checked ------------------------------------------------------------------------------------------------------


def test_it_says_what_was_checked_and_when(ann: User, client: Client) -> None:
    found = told(client, "?month=2026-01")
    assert "Checked on 18 March 2026, 15:42:00: everything adds up" in found
    assert "So do the entries of the ledger" in found
    assert "The whole ledger is proved every night: these entries are next." in found


@pytest.mark.django_db(transaction=True)
def test_it_tells_of_the_nightly_proof(client: Client) -> None:
    user = factories.owner("night@example.com", now=JANUARY)
    use(user.account_id, events.pages("jan", 3), at=JANUARY)
    assert verify_ledger(now=NOW - timedelta(hours=12)).breaches == []
    use(user.account_id, events.pages("mar", 3), at=NOW)
    client.force_login(user)
    assert "last proved on 18 March 2026, 03:42, these entries included" in told(client, "?month=2026-01")
    assert "the newest of these entries are next" in told(client, "?month=2026-03")
    LedgerCheck.objects.create(
        ran_at=NOW,
        full=True,
        accounts=1,
        breaches=[{"account": str(user.account_id), "rule": "r", "detail": "d"}],
    )
    assert "The nightly proof of the whole ledger found something on your account" in told(
        client, "?month=2026-01"
    )


def test_a_roll_up_that_is_wrong_turns_it_red(ann: User, client: Client) -> None:
    DailySpend.objects.filter(account_id=ann.account_id, day=date(2026, 1, 7)).update(cost=D("9"))
    found = told(client, "?month=2026-01")
    assert (
        "something does not add up The opening balance and the lines above do not make the closing balance."
        in found
    )
    assert "Your balance was not changed by this." in found
    assert "everything adds up" not in found
    assert "everything adds up" in told(client, "?month=2026-02")


def test_a_roll_up_wrong_in_two_places_is_still_found(ann: User, client: Client) -> None:
    """The sum is right, the categories are not: the charges one by one tell."""
    rows = DailySpend.objects.filter(
        account_id=ann.account_id, day__range=(date(2026, 2, 5), date(2026, 2, 6))
    )
    for row, change in zip(rows.order_by("day"), (D("0.01"), D("-0.01")), strict=True):
        DailySpend.objects.filter(pk=row.pk).update(cost=row.cost + change)
    read = of(ann.account_id, "2026-02")
    assert (read.check.ties, read.check.entries) == (True, False)
    assert "added up one by one, are not what stands above" in told(client, "?month=2026-02")


def test_a_month_too_long_to_be_added_up_rests_on_the_nightly_proof(
    ann: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "PROVED_AT_ONCE", 2)
    read = of(ann.account_id, "2026-01")
    assert (read.check.ties, read.check.entries, read.check.is_good) == (True, None, True)
    found = told(client, "?month=2026-01")
    assert "everything adds up" in found
    assert "one by one" not in found


# --- The file -----------------------------------------------------------------------------------------------------


def test_the_file_has_every_entry_of_the_month(
    ann: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S36 S39: the oldest first, through several chunks, exact, from the opening to the closing balance."""
    monkeypatch.setattr("usage.statement_export.AT_ONCE", 3)
    answer = client.get(ENTRIES + "?month=2026-01")
    assert answer["Content-Disposition"] == 'attachment; filename="statement-2026-01.csv"'
    found = entries(client, "?month=2026-01")
    assert [(row["kind"], row["what"], row["amount"]) for row in found] == [
        ("grant", "Trial credit for a new account", "1.000000000"), ("topup", "Funds added", "40.000000000"),
        ("charge", "Usage", "-0.312042500"), ("refund", "Refund, paid back to you", "-10.000000000"),
    ]  # fmt: skip
    assert found[2]["id"].startswith("bill_")
    assert found[2]["granted_after"] == "0.687957500"
    read = of(ann.account_id, "2026-01")
    assert D(found[-1]["balance_after"]) == read.closing.balance
    assert sum(D(row["amount"]) for row in found) == read.closing.balance - read.opening.balance
    for row in found:
        assert client.get(f"/settings/billing/records/{row['id']}/").status_code == 200


def test_no_reason_is_a_formula(ada: User, client: Client) -> None:
    ledger.adjust(ada.account_id, D("1"), key="a", actor="t", reason='=HYPERLINK("http://x")', now=NOW)
    client.force_login(ada)
    assert entries(client, "")[-1]["what"].startswith("'=")


# --- Someone wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("month", "words"),
    [
        ("2025-12", "Your account's first statement is that of January 2026."),
        ("0001-01", "first statement is that of January 2026"),
        ("2026-04", "This month is in the future: it has no statement yet."),
        ("9999-12", "This month is in the future"),
        ("2026-13", "Choose a month from the list, such as 2026-03."),
        ("2026", "Choose a month from the list"),
        ("2026-03-05", "Choose a month from the list."),
        ("٢٠٢٦-٠٣", "Choose a month from the list"),
        ("%00", "Null characters are not allowed."),
        ("x" * 5_000, "Choose a month from the list."),
        ("<script>", "Choose a month from the list"),
        ("-1", "Choose a month from the list"),
    ],
)
def test_a_month_that_is_none_is_told_and_nothing_made(
    ann: User, client: Client, month: str, words: str
) -> None:
    found = told(client, f"?month={month}")
    assert "There is no statement to show" in found
    assert words in found
    assert "Closing balance" not in found
    assert "<script>" not in client.get(f"{STATEMENT}?month={month}").content.decode()
    assert client.get(f"{ENTRIES}?month={month}").status_code == 422


def test_it_is_the_members_own(ann: User, cy: User, bo: User, client: Client) -> None:
    client.force_login(cy)
    assert ("Credit granted", "1 grant", "+$1.00") in lines(client)
    assert len(entries(client, "")) == 1
    client.force_login(bo)
    assert client.get(STATEMENT).status_code == 200
    client.logout()
    assert client.get(STATEMENT).status_code == client.get(ENTRIES).status_code == 302


def test_an_account_that_is_not_open_yet_has_an_empty_one(client: Client) -> None:
    closed = Account.objects.create(name="Not yet", created_at=NOW)
    client.force_login(factories.member(closed, email="new@example.com", role=User.Role.OWNER))
    assert "Nothing changed the balance so far" in told(client)
    assert client.get("/settings/billing/usage/").status_code == 200


# --- How much it asks ---------------------------------------------------------------------------------------------


def test_it_asks_the_same_few_questions_whatever_the_history(
    ada: User, client: Client, django_assert_num_queries: Any
) -> None:
    client.force_login(ada)
    client.get(STATEMENT)
    with django_assert_num_queries(8) as empty:
        client.get(STATEMENT)
    spending.random_month(ada.account_id, seed=1, count=90)
    with django_assert_num_queries(len(empty.captured_queries)):
        client.get(STATEMENT)


@pytest.mark.django_db(transaction=True)
def test_it_ties_while_charges_arrive(client: Client) -> None:
    """Everything is of one moment: never the roll-up of one charge and the balance of the next."""
    user = factories.owner("busy@example.com", now=JANUARY)
    spending.fund(user.account_id, "9.00", at=JANUARY)
    done = threading.Event()

    def work() -> None:
        try:
            for number in range(150):
                use(user.account_id, events.pages(f"e{number}", 1), at=NOW)
        finally:
            done.set()
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    seen = []
    while not done.is_set():
        seen.append(of(user.account_id, "2026-03"))
    worker.join()
    assert all(read.check.is_good and read.check.entries for read in seen)
    assert len({read.closing.seq for read in seen}) > 3, "it was read while charges arrived"
    assert of(user.account_id, "2026-03").closing.balance == D("8.50")
