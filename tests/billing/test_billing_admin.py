"""Django admin for money: everything can be found, nothing can be edited, and acts carry a reason."""

import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts import ids
from accounts.models import StaffAct, User
from billing import holds, ledger, selectors, topups
from billing.models import EventReceipt, LedgerEntry, SandboxDispute, TopUp
from tests import factories
from tests.billing.paying import begin, credits, deliver, events, save_card
from tests.billing.test_add_funds import signed_in

pytestmark = pytest.mark.django_db
TABLES = (
    "balance", "ledgerentry", "hold", "topup", "paymentmethod", "dispute", "eventreceipt",
    "sandboxpayment", "sandboxdispute",
)  # fmt: skip


@pytest.fixture
def root(db: None) -> Client:
    return signed_in(User.objects.create_superuser("root@example.com", factories.PASSWORD))


def clerk(*permissions: str) -> Client:
    """Staff with just these rights on billing's tables."""
    user = User.objects.create_user("clerk@example.com", factories.PASSWORD, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return signed_in(user)


@pytest.fixture
def busy(ada: User) -> TopUp:
    """An account with a row in every table of money."""
    ledger.grant(ada.account_id, Decimal(2), key="welcome", actor="t", reason="t")
    holds.hold(
        ada.account_id, key="h", request_hash=b"h", amount=Decimal(1), purpose="call", terms={},
        lifetime=topups.PAGE_LIFE,
    )  # fmt: skip
    topup = topups.pay(begin(ada, card=save_card(ada, "pm_card_createDispute")))
    for body in events():
        deliver(body)
    return topup


def read(client: Client, path: str) -> str:
    response = client.get(f"/admin/billing/{path}")
    assert response.status_code == 200, path
    return response.content.decode()


@pytest.mark.parametrize("table", TABLES)
def test_it_lists_and_opens_every_table(root: Client, busy: TopUp, table: str) -> None:
    page = read(root, f"{table}/")
    assert f"/admin/billing/{table}/add/" not in page
    row = re.search(rf"/admin/billing/{table}/([^/\"]+)/change/", page)
    assert row is not None
    detail = read(root, f"{table}/{row[1]}/change/")
    assert 'name="_save"' not in detail
    assert "/delete/" not in detail


@pytest.mark.parametrize("table", ["balance", "ledgerentry", "hold", "topup", "paymentmethod"])
def test_it_finds_an_account_s_rows(root: Client, ada: User, cy: User, busy: TopUp, table: str) -> None:
    for words in (ada.account.public_id, "ada@example.com"):
        assert "/change/" in read(root, f"{table}/?q={words}")
    for words in (cy.account.public_id, "nobody@example.com"):
        assert "Ada&#x27;s agents" not in read(root, f"{table}/?q={words}")


def test_it_finds_payments_by_any_id(root: Client, ada: User, busy: TopUp) -> None:
    for words in (busy.public_id, busy.payment_id, busy.last4, busy.card, busy.customer):
        assert str(busy.pk) in read(root, f"topup/?q={words}")
    assert "charge.dispute.created" in read(root, f"eventreceipt/?q={busy.payment_id}")
    assert "0 top ups" in read(root, "topup/?q=pi_nope")


def test_it_shows_what_is_stuck_first(root: Client, ada: User) -> None:
    done = topups.pay(begin(ada, card=save_card(ada)))
    waiting = topups.pay(begin(ada))
    stuck = begin(ada, card=save_card(ada, "pm_card_amex"), amount=Decimal(30))
    topups.pay(begin(ada, card=save_card(ada, "pm_card_chargeCustomerFail")))
    page = read(root, "topup/")
    assert page.index(str(stuck.pk)) < page.index(str(waiting.pk)) < page.index(str(done.pk))
    assert "generic_decline" in page


def test_it_asks_the_processor_again(root: Client, ada: User) -> None:
    stuck = begin(ada, card=save_card(ada))
    chosen = {"action": "look_again", "_selected_action": [str(stuck.pk)]}
    page = root.post("/admin/billing/topup/", chosen, follow=True).content.decode()
    assert f"The top-up {stuck.public_id} is succeeded." in page
    assert credits(ada) == [Decimal(25)]


def test_it_processes_an_event_again(root: Client, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    topups._ask(begin(ada, card=save_card(ada)))
    with monkeypatch.context() as broken:
        broken.setattr(ledger, "credit_topup", lambda *_, **__: 1 / 0)
        deliver(events("payment_intent.succeeded")[0])
    assert "ZeroDivisionError: division by zero" in read(root, "eventreceipt/")
    chosen = {"action": "process_again", "_selected_action": [str(EventReceipt.objects.get().pk)]}
    assert "is processed." in root.post("/admin/billing/eventreceipt/", chosen, follow=True).content.decode()
    assert credits(ada) == [Decimal(25)]


def test_it_decides_disputes_in_the_sandbox(root: Client, busy: TopUp) -> None:
    dispute = SandboxDispute.objects.get()
    root.post("/admin/billing/sandboxdispute/", {"action": "win", "_selected_action": [dispute.pk]})
    deliver(events("charge.dispute.closed")[0])
    assert LedgerEntry.objects.get(kind="dispute_won").paid == Decimal(25)


# --- Acts -----------------------------------------------------------------------------------------------------


def act(client: Client, user: User, name: str, **typed: str) -> str:
    """What the page says after the form was sent."""
    path = f"/admin/billing/balance/{user.account_id}/{name}/"
    shown = client.get(path).content.decode()
    key = re.search(r'name="key" value="([^"]+)"', shown)
    form = {"reason": "Ticket 7", **({"key": key[1]} if key else {}), **typed}
    return client.post(path, form, follow=True).content.decode()


def balance(user: User) -> Decimal:
    return selectors.balance_of(user.account_id).balance


def test_it_grants_with_a_reason(root: Client, ada: User) -> None:
    assert "$5.00 granted." in act(root, ada, "grant", amount="5")
    entry = LedgerEntry.objects.order_by("seq").last()
    staff = User.objects.get(email="root@example.com")
    assert (entry.kind, entry.granted, entry.reason) == ("grant", Decimal(5), "Ticket 7")
    assert entry.actor == staff.public_id
    kept = StaffAct.objects.get()
    assert (kept.staff, kept.account, kept.act, kept.reason) == (
        staff,
        ada.account,
        "grant credit",
        "Ticket 7",
    )
    assert (kept.target, kept.details["amount"]) == (ids.public("entry", entry.pk), "5")


def test_it_grants_once_for_a_double_click(root: Client, ada: User) -> None:
    for _ in range(2):
        act(root, ada, "grant", amount="5", key="staff:1")
    assert balance(ada) == Decimal(6)
    assert StaffAct.objects.count() == 1


def test_it_adjusts_both_ways_and_never_below_zero(root: Client, ada: User) -> None:
    assert "Adjusted by $3.00." in act(root, ada, "adjust", amount="3")
    assert "Adjusted by −$0.50." in act(root, ada, "adjust", amount="-0.50")
    assert "Nothing was changed" in act(root, ada, "adjust", amount="-10")
    assert balance(ada) == Decimal("3.50")


@pytest.mark.parametrize("amount", ["0.001", "abc", "", "NaN", "1e9999"])
@pytest.mark.parametrize("name", ["grant", "adjust"])
def test_it_refuses_amounts(root: Client, ada: User, name: str, amount: str) -> None:
    assert "Nothing was changed" in act(root, ada, name, amount=amount)
    assert balance(ada) == Decimal(1)


def test_it_wants_a_reason(root: Client, ada: User) -> None:
    for name in ("grant", "adjust", "freeze"):
        assert "Nothing was changed" in act(root, ada, name, amount="5", reason="")
    assert balance(ada) == Decimal(1)


def test_it_freezes_and_lifts_only_staff_s_freeze(root: Client, ada: User) -> None:
    ledger.freeze(ada.account_id, by="owner", frozen=True)
    assert "Spending is frozen." in act(root, ada, "freeze")
    assert "Staff&#x27;s freeze is lifted." in act(root, ada, "unfreeze")
    funds = selectors.balance_of(ada.account_id)
    assert (funds.staff_froze_at, funds.frozen) == (None, True)


def test_it_limits_a_person_to_a_hundred_dollars_a_day(ada: User, cy: User) -> None:
    """Over all accounts, both directions added up."""
    staff = clerk("view_balance", "add_ledgerentry")
    assert "granted" in act(staff, ada, "grant", amount="60")
    assert "Adjusted" in act(staff, ada, "adjust", amount="-30")
    assert "a day is used" in act(staff, cy, "grant", amount="10.01")
    assert "granted" in act(staff, cy, "grant", amount="10")
    assert balance(cy) == Decimal(11)


def test_it_lets_nobody_act_on_an_account_of_their_own(ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    for name in ("grant", "adjust", "freeze"):
        assert "You may not act on your own account." in act(signed_in(ada), ada, name, amount="5")
    assert balance(ada) == Decimal(1)


def test_it_needs_the_right(ada: User) -> None:
    support = clerk("view_balance", "view_topup", "view_eventreceipt")
    page = read(support, f"balance/{ada.account_id}/change/")
    assert "Grant credit" not in page
    for name in ("grant", "adjust", "freeze", "unfreeze"):
        assert support.post(f"/admin/billing/balance/{ada.account_id}/{name}/").status_code == 403
    for table, action in (("topup", "look_again"), ("eventreceipt", "process_again")):
        assert action not in read(support, f"{table}/")
    assert support.get("/admin/billing/hold/").status_code == 403


def test_it_is_closed_to_customers(ada: User) -> None:
    assert signed_in(ada).get("/admin/billing/balance/").status_code == 302
    assert signed_in(ada).post(f"/admin/billing/balance/{ada.account_id}/grant/").status_code == 302
