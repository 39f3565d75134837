"""Settings > Billing > Receipts: the list, one to print, and what is printed on it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User
from billing import receipt_list, topups
from billing.models import BillingDetails, Dispute, Mode, Reconciliation, Refund, TopUp
from tests import factories
from tests.billing.paying import begin, clock, save_card
from tests.billing.returning import paid, refund

LIST, DETAILS = "/settings/billing/receipts/", "/settings/billing/details/"
NOON = datetime(2026, 5, 12, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
UNKNOWN = "top_01JABCDEFGHJKMNPQRSTVWXYZ0"


@pytest.fixture
def browser(client: Client, ada: User) -> Client:
    client.force_login(ada)
    return client


def wired(user: User, amount: str = "25.00", *, now: datetime = NOON) -> TopUp:
    return topups.record_manual(user.account_id, Decimal(amount), actor="usr_1", reason="Wire 7", now=now)


def returned(topup: TopUp, **changes: Any) -> Refund:
    facts = {
        "mode": topup.mode, "origin": Refund.Origin.STAFF, "actor": "usr_1", "amount": Decimal(5),
        "taken": Decimal(5), "created_at": NOON + DAY, "status": Refund.Status.SUCCEEDED,
    }  # fmt: skip
    changes |= {"taken": changes["amount"]} if "amount" in changes else {}
    return Refund.objects.create(account=topup.account, topup=topup, **(facts | changes))


def shown(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def sheet(client: Client, topup: TopUp) -> str:
    return shown(client, reverse("receipt", args=[topup.public_id]))


# --- The list -------------------------------------------------------------------------------------------------


def test_it_lists_every_topup_that_was_paid(browser: Client, ada: User, cy: User) -> None:
    topup, by_hand, strangers = paid(ada), wired(ada, "1234.56"), wired(cy)
    unpaid = topups.pay(begin(ada, card=save_card(ada, "pm_card_chargeCustomerFail")))
    page = shown(browser, LIST)
    assert "Visa •••• 4242" in page
    assert "$1,234.56" in page
    assert topup.public_id in page
    assert by_hand.public_id in page
    assert unpaid.public_id not in page
    assert strangers.public_id not in page


def test_it_says_what_an_empty_list_waits_for(browser: Client, client: Client, bo: User) -> None:
    page = shown(browser, LIST)
    assert "No receipts yet" in page
    assert reverse("add_funds") in page
    client.force_login(bo)
    assert reverse("add_funds") not in shown(client, LIST)


def test_it_lists_refunds_as_lines_of_their_own(browser: Client, ada: User) -> None:
    topup = wired(ada)
    back, failed = returned(topup), returned(topup, status=Refund.Status.FAILED)
    lines = receipt_list.page(ada.account_id).lines
    assert [(line.number, line.amount) for line in lines] == [
        (back.public_id, Decimal("-5.00")), (topup.public_id, Decimal("25.00")),
    ]  # fmt: skip
    page = shown(browser, LIST)
    assert "−$5.00" in page
    assert failed.public_id not in page


def test_it_names_what_auto_topup_paid(ada: User) -> None:
    TopUp.objects.filter(pk=wired(ada).pk).update(origin=TopUp.Origin.AUTO)
    assert [line.what for line in receipt_list.page(ada.account_id).lines] == ["Automatic top-up"]


def test_it_says_what_was_received_and_not_yet_added(browser: Client, ada: User) -> None:
    topup = topups.pay(begin(ada, card=save_card(ada)))
    slow = TopUp.objects.create(
        account=ada.account, mode=Mode.SANDBOX, origin=TopUp.Origin.PAGE, actor="a", amount=Decimal(40),
        brand="us_bank_account", last4="6789", created_at=clock(), next_look_at=clock(),
        status=TopUp.Status.PROCESSING,
    )  # fmt: skip
    assert "Received, not yet added" in shown(browser, LIST)
    page = sheet(browser, slow)
    assert "Received, not yet added" in page
    assert "the moment it arrives" in page
    assert "Total paid" not in page
    assert "Received, not yet added" not in sheet(browser, topup)


def test_it_goes_back_and_forth_through_pages_without_loss(ada: User) -> None:
    """Also where several lines share one moment, and a refund stands between them."""
    rows: list[TopUp | Refund] = [wired(ada, now=NOON + (number // 3) * DAY) for number in range(11)]
    rows.append(returned(wired(ada, now=NOON), created_at=NOON + DAY))
    wanted = receipt_list.page(ada.account_id, size=100).lines
    assert len(wanted) == 13
    page, seen = receipt_list.page(ada.account_id, size=4), []
    assert page.newer == ""
    while True:
        seen += page.lines
        if not page.older:
            break
        page = receipt_list.page(ada.account_id, before=page.older, size=4)
    assert seen == wanted
    page = receipt_list.page(ada.account_id, after=page.newer, size=4)
    assert page.lines == wanted[8:12]
    page = receipt_list.page(ada.account_id, after=page.newer, size=4)
    assert page.lines == wanted[4:8]
    page = receipt_list.page(ada.account_id, after=page.newer, size=4)
    assert (page.lines, page.newer) == (wanted[:4], "")


def test_it_links_the_pages(browser: Client, ada: User) -> None:
    first = wired(ada, now=NOON)
    for number in range(1, 26):
        wired(ada, now=NOON + number * DAY)
    answer = browser.get(LIST)
    assert len(answer.context["lines"]) == 25
    older = browser.get(LIST + answer.context["older"])
    assert [line.number for line in older.context["lines"]] == [first.public_id]
    assert len(browser.get(LIST + older.context["newer"]).context["lines"]) == 25


@pytest.mark.parametrize(
    "query", ["before=nonsense", f"after={UNKNOWN}", "before=%00", "before=top_&after=x"]
)
def test_it_begins_anew_from_a_damaged_link(browser: Client, ada: User, query: str) -> None:
    topup = wired(ada)
    assert topup.public_id in shown(browser, f"{LIST}?{query}")


def test_it_never_pages_from_a_strangers_receipt(ada: User, cy: User) -> None:
    topup, strangers = wired(ada, now=NOON), wired(cy, now=NOON - DAY)
    page = receipt_list.page(ada.account_id, before=strangers.public_id)
    assert [line.number for line in page.lines] == [topup.public_id]


def test_it_says_that_the_books_agree(browser: Client, ada: User) -> None:
    wired(ada)
    assert "are checked against the payment service every night" in shown(browser, LIST)
    reconcile(at=NOON)
    assert "12 May</time>: everything agrees" in shown(browser, LIST)


def test_it_says_honestly_that_they_do_not(browser: Client, ada: User, cy: User) -> None:
    """Only to whom it concerns."""
    wired(ada)
    wired(cy)
    reconcile(at=NOON)
    mine = {
        "account": ada.account.public_id,
        "topup": "",
        "payment": "",
        "text": "-",
        "repaired": False,
        "key": "k",
    }
    reconcile(mine, at=NOON + DAY)
    page = shown(browser, LIST)
    assert "found a difference" in page
    assert "last agreed on" in page
    assert "everything agrees" not in page
    browser.force_login(cy)
    assert "13 May</time>: everything agrees" in shown(browser, LIST)


def reconcile(*differences: dict[str, object], at: datetime) -> None:
    Reconciliation.objects.create(
        ran_at=at,
        mode=Mode.SANDBOX,
        since=at - DAY,
        until=at,
        payments=1,
        topups=1,
        differences=list(differences),
    )


def test_it_lists_what_a_bank_took_back(browser: Client, ada: User) -> None:
    """An inquiry took nothing, and what was won is on the balance again."""
    topup = paid(ada, now=NOON)
    for name, status in (("dp_open", "needs_response"), ("dp_lost", "lost"), ("dp_won", "won")):
        dispute(topup, name, status, Decimal(6))
    dispute(topup, "dp_asked", "warning_needs_response", Decimal(0))
    lines = {line.number: line for line in receipt_list.page(ada.account_id).lines}
    assert lines.keys() == {topup.public_id, "dp_open", "dp_lost"}
    assert (lines["dp_open"].amount, lines["dp_open"].note) == (Decimal(-6), "The bank has not decided yet")
    assert lines["dp_lost"].note == "Decided for the card holder"
    page = shown(browser, reverse("receipts"))
    assert "Dispute" in page
    assert "−$6.00" in page


def test_it_leafs_through_payments_refunds_and_disputes_alike(ada: User) -> None:
    """In one order, also those of the same moment, forwards and back."""
    topup = wired(ada, now=NOON)
    wired(ada, now=NOON + DAY)
    for number in range(3):
        dispute(topup, f"dp_{number}", "lost", Decimal(1))
        returned(topup, amount=Decimal(1), created_at=NOON)
    everything = [line.number for line in receipt_list.page(ada.account_id).lines]
    assert len(everything) == 8
    first = receipt_list.page(ada.account_id, size=3)
    found, page = [line.number for line in first.lines], first
    while page.older:
        page = receipt_list.page(ada.account_id, before=page.older, size=3)
        found += [line.number for line in page.lines]
    assert found == everything
    back = receipt_list.page(ada.account_id, after=page.newer, size=3)
    assert [line.number for line in back.lines] == everything[3:6]


@pytest.mark.parametrize("number", ["dp_somebody", "x" * 3000, "\0", "top_1", "ref_" + "0" * 26])
def test_a_page_from_a_line_that_is_not_there_is_the_newest(browser: Client, ada: User, number: str) -> None:
    wired(ada)
    answer = browser.get(reverse("receipts"), {"before": number})
    assert (answer.status_code, len(answer.context["lines"])) == (200, 1)


# --- One to print ---------------------------------------------------------------------------------------------


def test_it_prints_a_receipt_with_both_sides(browser: Client, ada: User, settings: Settings) -> None:
    settings.SELLER_NAME, settings.SELLER_TAX_ID = "Thinnest Ltd", "NO 999"
    settings.SELLER_ADDRESS = "1 Main Street\nOslo"
    BillingDetails.objects.create(
        account=ada.account, name="Ada Ltd", address="2 High St\nLeeds", tax_id="GB 1"
    )
    ada.account.timezone = "Asia/Tokyo"
    ada.account.save()
    topup = topups.pay(begin(ada, card=save_card(ada), now=NOON), now=NOON)
    page = sheet(browser, topup)
    for fact in (
        "Thinnest Ltd", "1 Main Street\nOslo", "NO 999", "Ada Ltd", "2 High St\nLeeds", "GB 1", topup.public_id,
        "12 May 2026, 21:00", "(Asia/Tokyo)", "Visa •••• 4242", "Prepaid account credit", "$25.00",
        "no real money was paid",
    ):  # fmt: skip
        assert fact in page, fact


def test_it_prints_a_receipt_for_what_staff_entered(browser: Client, ada: User) -> None:
    page = sheet(browser, wired(ada, "1234.56"))
    assert "$1,234.56" in page
    assert "Bank transfer or other direct payment" in page
    assert "Wire 7" not in page
    assert "no real money was paid" not in page


def test_it_prints_the_accounts_name_where_no_details_are_given(browser: Client, ada: User) -> None:
    assert "<strong>Ada's agents</strong>" in sheet(browser, wired(ada))


def test_it_prints_what_went_back_and_what_remains(browser: Client, ada: User) -> None:
    topup = paid(ada)
    back, slow = refund(topup, "5"), returned(topup, amount=Decimal(2), status=Refund.Status.PENDING)
    failed = returned(topup, amount=Decimal(4), status=Refund.Status.FAILED)
    dispute(topup, "dp_lost", "lost", Decimal(3))
    dispute(topup, "dp_won", "won", Decimal(6))
    dispute(topup, "dp_asked", "warning_needs_response", Decimal(0))
    page = sheet(browser, topup)
    for fact in (
        back.public_id,
        slow.public_id,
        failed.public_id,
        "−$5.00",
        "−$2.00",
        "dp_lost",
        "−$3.00",
        "dp_won",
    ):
        assert fact in page, fact
    assert "On its way to you" in page
    assert "Did not go through: the money is back on your balance" in page
    assert "the payment stands" in page
    assert "dp_asked" not in page
    assert "$15.00" in page  # 25 - 5 - 2 - 3


def dispute(topup: TopUp, id_: str, status: str, taken: Decimal) -> None:
    Dispute.objects.create(
        id=id_, topup=topup, mode=topup.mode, amount=Decimal(6), taken=taken, status=status, created_at=NOON
    )


def test_it_links_the_processors_own_receipt(browser: Client, ada: User) -> None:
    topup = wired(ada)
    assert "own receipt" not in sheet(browser, topup)
    TopUp.objects.update(receipt_url="https://pay.example.com/1")
    assert 'href="https://pay.example.com/1" rel="noreferrer"' in sheet(browser, topup)


def test_it_shows_receipts_to_every_member_and_to_nobody_else(
    client: Client, ada: User, bo: User, cy: User
) -> None:
    path = reverse("receipt", args=[wired(ada).public_id])
    assert client.get(path).status_code == 302
    client.force_login(bo)
    assert client.get(path).status_code == 200
    client.force_login(cy)
    strangers, unknown = client.get(path), client.get(reverse("receipt", args=[UNKNOWN]))
    assert (strangers.status_code, unknown.status_code) == (404, 404)
    assert client.get(reverse("receipt", args=["nonsense"])).status_code == 404


def test_it_leads_on_where_there_is_no_receipt(browser: Client, ada: User) -> None:
    topup = topups.pay(begin(ada, card=save_card(ada, "pm_card_chargeCustomerFail")))
    answer = browser.get(reverse("receipt", args=[topup.public_id]))
    assert (answer.status_code, answer["Location"]) == (303, reverse("topup", args=[topup.public_id]))


def test_it_is_found_from_the_topup(browser: Client, ada: User) -> None:
    topup = paid(ada)
    page = shown(browser, reverse("topup", args=[topup.public_id]))
    assert reverse("receipt", args=[topup.public_id]) in page


# --- What is printed on it ------------------------------------------------------------------------------------


def test_it_saves_billing_details_as_they_are_printed(browser: Client, ada: User) -> None:
    typed = {
        "name": "  Ada   Ltd ",
        "address": "1 Main Street\r\n\r\n  Oslo\t0150 \rNorway",
        "tax_id": "NO 1 ",
    }
    assert browser.post(DETAILS, typed)["Location"] == DETAILS
    saved = BillingDetails.objects.get(account=ada.account)
    assert (saved.name, saved.address, saved.tax_id) == (
        "Ada Ltd",
        "1 Main Street\nOslo 0150\nNorway",
        "NO 1",
    )
    assert "are saved" in shown(browser, DETAILS)


def test_it_lets_details_be_emptied(browser: Client, ada: User) -> None:
    BillingDetails.objects.create(account=ada.account, name="Ada Ltd", address="Oslo", tax_id="NO 1")
    browser.post(DETAILS, {"name": "", "address": "", "tax_id": ""})
    saved = BillingDetails.objects.get(account=ada.account)
    assert (saved.name, saved.address, saved.tax_id) == ("", "", "")


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", "x" * 121), ("name", "a\x07b"), ("name", "a\u202eb"), ("name", "two\nlines"), ("name", "a\x00b"),
        ("name", "\u200b\u2060"),
        ("address", "1 Main Street\n\u200b"), ("tax_id", "\ufeff"),
        ("address", "x" * 401), ("address", "\n".join("1234567")), ("tax_id", "x" * 41), ("tax_id", "1\x1b[2J"),
    ],
)  # fmt: skip
def test_it_refuses_what_cannot_be_printed(browser: Client, ada: User, field: str, typed: str) -> None:
    answer = browser.post(DETAILS, {"name": "Ada", "address": "", "tax_id": "", field: typed})
    assert answer.status_code == 200
    assert "Your billing details were not changed" in answer.content.decode()
    assert answer.context["form"].errors.keys() == {field}
    assert not BillingDetails.objects.exists()


@pytest.mark.parametrize(
    "name", ["Müller & Söhne GmbH", "株式会社アダ", "شركة آدا", "O'Hara – “Best”", "👩‍🚀 Labs"]
)
def test_it_takes_every_script(browser: Client, ada: User, name: str) -> None:
    assert browser.post(DETAILS, {"name": name}).status_code == 303
    assert BillingDetails.objects.get().name == name


def test_it_prints_details_escaped(browser: Client, ada: User) -> None:
    BillingDetails.objects.create(account=ada.account, name="<script>alert(1)</script>", address="</p><b>x")
    for path in (DETAILS, reverse("receipt", args=[wired(ada).public_id])):
        page = browser.get(path).content.decode()
        assert "<script>alert" not in page
        assert "<b>x" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_it_lets_admins_and_owners_change_details(client: Client, ada: User, bo: User) -> None:
    client.force_login(bo)
    assert "<form" not in shown(client, DETAILS).partition("<main")[2]
    assert client.post(DETAILS, {"name": "Bo's"}).status_code == 403
    assert not BillingDetails.objects.exists()
    admin = factories.member(ada.account, email="admin@example.com", role=User.Role.ADMIN)
    client.force_login(admin)
    assert client.post(DETAILS, {"name": "Ada Ltd"}).status_code == 303
    assert BillingDetails.objects.get(account=ada.account).name == "Ada Ltd"


def test_it_is_linked_from_the_account_page(browser: Client) -> None:
    assert DETAILS in shown(browser, reverse("account"))


def test_it_is_read_by_staff(client: Client, ada: User) -> None:
    BillingDetails.objects.create(account=ada.account, name="Ada Ltd", tax_id="NO 1")
    client.force_login(User.objects.create_superuser("staff@example.com"))
    page = shown(client, "/admin/billing/billingdetails/?q=NO+1")
    assert "Ada Ltd" in page
    change = f"/admin/billing/billingdetails/{ada.account_id}/change/"
    assert client.get(change).status_code == 200
    assert client.post(change, {"name": "Other"}).status_code == 403
