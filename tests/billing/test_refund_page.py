"""Settings > Billing > a top-up > Refund: its owner takes it back within a day, whole and untouched."""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from accounts import ids
from accounts.models import User
from billing import claims, disputes, gateways, ledger, refunds, topups
from billing.gateways import Rejected, sandbox_bank
from billing.gateways.sandbox import SandboxGateway
from billing.models import AutoTopup, Dispute, LedgerEntry, Refund, SandboxRefund, TopUp
from tests import factories
from tests.billing.paying import begin, clock, in_parallel, save_card
from tests.billing.returning import breaches, deliver_all, moves, paid, paid_funds, refund, turn_on_auto_topup
from tests.billing.test_add_funds import signed_in

D = Decimal
pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(ada: User) -> Client:
    return signed_in(ada)


@pytest.fixture
def topup(ada: User) -> TopUp:
    return paid(ada)


def url_of(topup: TopUp, name: str = "refund_topup") -> str:
    return reverse(name, args=[topup.public_id])


def read(browser: Client, topup: TopUp, name: str = "refund_topup") -> str:
    """The page as text."""
    response = browser.get(url_of(topup, name))
    assert response.status_code == 200
    return words(response.content)


def words(content: bytes) -> str:
    main = content.decode().partition("<main")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def send(browser: Client, topup: TopUp, **typed: str) -> str:
    """Press the button that the page shows; what the next page says."""
    html = browser.get(url_of(topup)).content.decode()
    found = re.search(r'name="refund" value="(ref_\w{26})"', html)
    form = {"refund": found[1] if found else "", **typed}
    return words(browser.post(url_of(topup), form, follow=True).content)


def test_it_says_first_what_will_happen(ada: User, browser: Client, topup: TopUp) -> None:
    page = read(browser, topup)
    assert "Refund $25.00?" in page
    assert "Goes back to Visa •••• 4242 Balance now $26.00 Balance afterwards $1.00" in page
    assert "within 5 to 10 days" in page
    assert "Auto-topup" not in page
    turn_on_auto_topup(ada)
    assert "Auto-topup turns off with this refund." in read(browser, topup)
    assert moves(ada) == []


def test_it_refunds_the_whole_top_up(ada: User, browser: Client, topup: TopUp) -> None:
    turn_on_auto_topup(ada)
    page = send(browser, topup)
    assert "$25.00 goes back to Visa •••• 4242. It shows there within 5 to 10 days." in page
    assert re.search(r"Refund of \d+ \w+ 20\d\d \$25\.00, paid back to your card", page)
    row = Refund.objects.get()
    assert (row.origin, row.actor, row.amount) == ("customer", ada.public_id, D(25))
    assert moves(ada) == [("refund", D(-25))]
    assert not AutoTopup.objects.get().enabled


def test_it_refunds_once_for_a_double_click(ada: User, browser: Client, topup: TopUp) -> None:
    html = browser.get(url_of(topup)).content.decode()
    form = {"refund": re.search(r'name="refund" value="([^"]+)"', html)[1]}
    answers = [browser.post(url_of(topup), form) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [303] * 3
    assert (moves(ada), SandboxRefund.objects.count()) == ([("refund", D(-25))], 1)


@pytest.mark.parametrize("damaged", ["", "ref_nope", "top_00000000000000000000000000"])
def test_it_refunds_nothing_for_a_damaged_form(
    ada: User, browser: Client, topup: TopUp, damaged: str
) -> None:
    page = words(browser.post(url_of(topup), {"refund": damaged}).content)
    assert "The top-up was not refunded" in page
    assert moves(ada) == []


def test_it_tells_of_a_refusal(
    ada: User, browser: Client, topup: TopUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refuses(SandboxGateway):
        def refund(self, **_: object) -> gateways.Refund:
            raise Rejected("No.")

    monkeypatch.setattr(gateways, "gateway", Refuses)
    page = send(browser, topup)
    assert "The refund of $25.00 was refused, and the money is on your balance again." in page
    assert "$25.00, failed; it is on your balance again" in page
    assert paid_funds(ada) == D(25)


# --- When it may not ------------------------------------------------------------------------------------------


def refused(browser: Client, topup: TopUp) -> str:
    """The page offers nothing; a form sent all the same is refused. Why."""
    page = read(browser, topup)
    assert "This top-up cannot be refunded here" in page
    assert "Refund this top-up" not in read(browser, topup, "topup")
    before = Refund.objects.count()
    sent = send(browser, topup, refund="ref_00000000000000000000000007")
    assert "Nothing was refunded." in sent
    assert Refund.objects.count() == before
    return page


def test_it_ends_after_24_hours(browser: Client, topup: TopUp) -> None:
    assert "Refund this top-up" in read(browser, topup, "topup")
    TopUp.objects.update(ended_at=clock() - timedelta(hours=23, minutes=59))
    assert "Refund $25.00?" in read(browser, topup)
    TopUp.objects.update(ended_at=clock() - timedelta(hours=24))
    assert "for 24 hours after it was added. Please write to us." in refused(browser, topup)


def test_it_wants_the_top_up_untouched(ada: User, browser: Client, topup: TopUp) -> None:
    ledger.adjust(ada.account_id, D("-1.01"), key="use", actor="t", reason="t")
    assert "and $24.99 of these $25.00 can still go back" in refused(browser, topup)


def test_it_wants_nothing_refunded_or_disputed_before(ada: User, browser: Client, topup: TopUp) -> None:
    other = paid(ada, amount=D(40))
    refund(topup, "5")
    assert "$20.00 of these $25.00" in refused(browser, topup)
    assert "Refund $40.00?" in read(browser, other)


def test_it_allows_one_a_day(ada: User, browser: Client, topup: TopUp) -> None:
    other = paid(ada, amount=D(40))
    send(browser, topup)
    assert "Only one refund a day" in refused(browser, other)
    Refund.objects.update(created_at=clock() - timedelta(days=1))
    assert "$40.00 goes back to Visa" in send(browser, other)


def test_a_refund_by_staff_is_not_the_customer_s_one(ada: User, browser: Client, topup: TopUp) -> None:
    refund(paid(ada, amount=D(40)), "40")
    assert "Refund $25.00?" in read(browser, topup)


def test_it_refunds_no_bank_transfer(ada: User, browser: Client) -> None:
    manual = topups.record_manual(ada.account_id, D(50), actor="staff", reason="Transfer")
    assert "Please write to us" in refused(browser, manual)


def test_it_refunds_nothing_that_was_declined(ada: User, browser: Client) -> None:
    declined = topups.pay(begin(ada, card=save_card(ada, "pm_card_chargeCustomerFail")))
    assert "Please write to us" in refused(browser, declined)


def test_only_the_owner_may(ada: User, bo: User, cy: User, topup: TopUp) -> None:
    admin = factories.member(ada.account, email="dee@example.com", role=User.Role.ADMIN)
    for user, status in ((bo, 403), (admin, 403), (cy, 404)):
        browser = signed_in(user)
        assert browser.get(url_of(topup)).status_code == status
        assert browser.post(url_of(topup), {"refund": "ref_00000000000000000000000007"}).status_code == status
    assert "Refund this top-up" not in read(signed_in(bo), topup, "topup")
    assert Client().get(url_of(topup)).status_code == 302
    assert moves(ada) == []


def test_a_frozen_account_may_take_its_money_back(ada: User, browser: Client, topup: TopUp) -> None:
    ledger.freeze(ada.account_id, by="owner", frozen=True)
    assert "$25.00 goes back" in send(browser, topup)


@pytest.mark.django_db(transaction=True)
def test_it_gives_one_refund_a_day_to_two_windows_at_once(ada: User) -> None:
    rows = [paid(ada, amount=D(amount)) for amount in (25, 40)]

    def press(number: int) -> bool:
        wanted = {"origin": Refund.Origin.CUSTOMER, "actor": ada.public_id, "reason": "t", "now": clock()}
        try:
            refunds.refund(rows[number], rows[number].credited, **wanted)
        except refunds.refund_rules.NotRefundable:
            return False
        return True

    assert sorted(in_parallel(2, press)) == [False, True]
    assert breaches(ada) == []


# --- The top-up's page ----------------------------------------------------------------------------------------


def test_the_top_up_s_page_tells_what_became_of_it(ada: User, browser: Client, topup: TopUp) -> None:
    refund(topup, "5")
    refunds.reject(
        refunds.begin(topup, D(3), origin=Refund.Origin.STAFF, actor="t", reason="t", now=clock())[0],
        "No.", now=clock(),
    )  # fmt: skip
    for number, status in enumerate(("needs_response", "won", "lost", "warning_needs_response")):
        Dispute.objects.create(
            id=f"du_{number}", topup=topup, mode="sandbox", amount=D(4), status=status, created_at=clock()
        )
    page = read(browser, topup, "topup")
    for told in (
        "$5.00, paid back to your card",
        "$3.00, failed; it is on your balance again",
        "$4.00, being decided by your bank",
        "$4.00, ended; it is on your balance again",
        "$4.00, ended; your bank paid it back to your card",
        "Some or all of it was taken back since",
    ):
        assert told in page
    assert page.count("Dispute of") == 3, "an inquiry is between the bank and us"


def test_its_records_lead_to_the_top_up(ada: User, cy: User, browser: Client, topup: TopUp) -> None:
    """Ours, the processor's (in two steps), a dispute, what was given back: each by its key."""
    refund(topup, "5")
    sandbox_bank.refund_by_hand(topup.payment_id, 1000, now=clock())
    disputes.record(gateways.Dispute("du_1", topup.payment_id or "", 1500, "lost"), topup, now=clock())
    deliver_all()
    disputes.record(gateways.Dispute("du_1", topup.payment_id or "", 1500, "won"), topup, now=clock())
    entries = list(LedgerEntry.objects.filter(account=ada.account, paid__lt=0).order_by("seq"))
    entries += LedgerEntry.objects.filter(kind="dispute_won")
    assert [entry.key.partition(":")[2] for entry in entries] == ["", "", "", "500", ""]
    for entry in entries:
        page = browser.get(reverse("record", args=[ids.public("entry", entry.id)])).content.decode()
        assert f'href="{url_of(topup, "topup")}"' in page
    assert claims.topups_behind(cy.account_id, [entry.key for entry in entries]) == {}
    listed = words(browser.get("/settings/billing/records/?type=return").content)
    assert listed.count("Visa •••• 4242") >= 5
