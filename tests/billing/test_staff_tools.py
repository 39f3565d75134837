"""What billing staff work with: stuck top-ups, both sides of a payment, events that failed, notices and proofs."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import User
from billing import gateways, ledger, notices, topups
from billing.gateways import Payment, Unavailable, dashboard, sandbox_bank, sandbox_cards
from billing.gateways.sandbox import SandboxGateway
from billing.models import (
    AutoTopup,
    EventReceipt,
    LedgerCheck,
    LedgerEntry,
    SandboxPayment,
    StaffNotice,
    TopUp,
)
from billing.reconciliation import reconcile
from tests import factories
from tests.billing.paying import LosesAnswers, begin, clock, credits, deliver, events, save_card
from tests.billing.test_add_funds import signed_in
from thinnest_billing.models import Heartbeat

pytestmark = pytest.mark.django_db
TOPUPS, EVENTS = "/admin/billing/topup/", "/admin/billing/eventreceipt/"


def staff(*groups: str, **fields: Any) -> User:
    user = User.objects.create_user("dee@example.com", factories.PASSWORD, is_staff=True, **fields)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


@pytest.fixture
def dee(db: None) -> Client:
    """She looks after payments."""
    return signed_in(staff("billing"))


@pytest.fixture
def paid(ada: User) -> TopUp:
    topup = topups.pay(begin(ada, card=save_card(ada)))
    for body in events("payment_intent.succeeded"):
        deliver(body)
    return topup


def read(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    return re.sub(r"\s+", " ", answer.content.decode())


def compare(client: Client, topup: TopUp) -> str:
    return read(client, f"{TOPUPS}{topup.pk}/compare/")


def choose(client: Client, path: str, action: str, *rows: Any) -> str:
    form = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(path, form, follow=True).content.decode()


def silent(*_: Any, **__: Any) -> Payment:
    raise Unavailable("timed out")


# --- Top-ups --------------------------------------------------------------------------------------------------


def test_it_retries_many_at_once(dee: Client, ada: User, cy: User) -> None:
    stuck = [begin(ada, card=save_card(ada)), begin(cy, card=save_card(cy))]
    said = choose(dee, TOPUPS, "look_again", *stuck)
    assert all(f"The top-up {topup.public_id} is succeeded." in said for topup in stuck)
    assert credits(ada) == credits(cy) == [Decimal(25)]


def test_it_retries_with_the_same_key(dee: Client, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer was lost: asking again is no second payment."""
    topup = begin(ada, card=save_card(ada))
    with monkeypatch.context() as broken:
        broken.setattr(gateways, "gateway", LosesAnswers)
        assert topups.pay(topup).status == "unknown"
    dee.post(f"{TOPUPS}{topup.pk}/retry/")
    assert SandboxPayment.objects.count() == 1
    assert credits(ada) == [Decimal(25)]


def test_it_takes_in_a_payment_of_a_topup_that_had_ended(dee: Client, ada: User) -> None:
    topup = topups.pay(begin(ada))
    sandbox_bank.pay_on_page(topup.page_id, sandbox_cards.typed("4242424242424242"), now=clock())
    TopUp.objects.filter(pk=topup.pk).update(status="canceled", next_look_at=None)
    page = compare(dee, topup)
    assert "Take in what the processor says" in page
    assert credits(ada) == []  # looking changes nothing
    page = dee.post(f"{TOPUPS}{topup.pk}/retry/", follow=True).content.decode()
    assert f"The top-up {topup.public_id} is succeeded." in page
    assert credits(ada) == [Decimal(25)]


def test_it_says_what_the_processor_answered(dee: Client, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    topup = topups.pay(begin(ada))
    monkeypatch.setattr(SandboxGateway, "find_payment", silent)
    assert "timed out" in choose(dee, TOPUPS, "look_again", topup)
    assert "The processor did not answer: timed out" in compare(dee, topup)


def test_it_lets_nobody_retry_for_an_account_of_their_own(ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    topup = begin(ada, card=save_card(ada))
    client = signed_in(ada)
    assert "You may not act on your own account." in choose(client, TOPUPS, "look_again", topup)
    said = client.post(f"{TOPUPS}{topup.pk}/retry/", follow=True).content.decode()
    assert "You may not act on your own account." in said
    assert credits(ada) == []


# --- Both sides -----------------------------------------------------------------------------------------------


def test_it_shows_both_sides_and_all_that_belongs_to_a_topup(dee: Client, ada: User, paid: TopUp) -> None:
    page = compare(dee, paid)
    assert "Both sides agree." in page
    entry = LedgerEntry.objects.get(account_id=ada.account_id, kind="topup")
    for shown in (
        paid.payment_id, paid.customer, "$25.00", "payment_intent.succeeded",
        f"/admin/billing/ledgerentry/{entry.pk}/change/", f"/admin/billing/sandboxpayment/{paid.payment_id}/change/",
    ):  # fmt: skip
        assert shown in page, shown
    assert f"{TOPUPS}{paid.pk}/compare/" in read(dee, f"{TOPUPS}{paid.pk}/change/")


def test_it_marks_what_differs(dee: Client, paid: TopUp) -> None:
    SandboxPayment.objects.update(received=2000)
    page = compare(dee, paid)
    assert "the processor received $20.00" in page
    row = re.search(r"<tr><th scope=\"row\">Received</th>.*?</tr>", page)
    assert row is not None
    assert "<strong>Yes</strong>" in row[0]


def test_it_shows_refunds_of_both_sides(dee: Client, paid: TopUp) -> None:
    refund = SandboxGateway().refund(reference="", payment_id=paid.payment_id, amount=700)
    page = compare(dee, paid)
    assert f"$7.00 succeeded ({refund.id})" in page
    assert "The processor refunded $7.00" in page


def test_it_says_when_the_processor_knows_nothing(dee: Client, paid: TopUp) -> None:
    SandboxPayment.objects.all().delete()
    assert f"the processor knows no payment {paid.payment_id}" in compare(dee, paid)


def test_it_asks_nobody_about_a_manual_topup(dee: Client, ada: User) -> None:
    topup = topups.record_manual(ada.account_id, Decimal(100), actor="t", reason="wire 7")
    page = compare(dee, topup)
    assert "No processor is asked" in page
    assert "wire 7" in page


def test_support_may_look_and_not_act(paid: TopUp) -> None:
    support = signed_in(staff("support"))
    page = compare(support, paid)
    assert "Take in what the processor says" not in page
    assert support.post(f"{TOPUPS}{paid.pk}/retry/").status_code == 403
    event = EventReceipt.objects.get()
    assert "Process again" not in read(support, f"{EVENTS}{event.pk}/change/")
    EventReceipt.objects.update(state="quarantined")
    support.post(f"{EVENTS}{event.pk}/again/")
    assert EventReceipt.objects.get().state == "quarantined"


def test_others_may_not_even_look(ada: User, paid: TopUp) -> None:
    assert signed_in(ada).get(f"{TOPUPS}{paid.pk}/compare/").status_code == 302
    nobody = signed_in(staff())
    assert nobody.get(f"{TOPUPS}{paid.pk}/compare/").status_code == 403
    assert "Payments now" not in read(nobody, "/admin/")


@pytest.mark.parametrize(
    ("mode", "known", "url"),
    [
        ("stripe_live", "pi_1", "https://dashboard.stripe.com/payments/pi_1"),
        ("stripe_test", "pi_1", "https://dashboard.stripe.com/test/payments/pi_1"),
        ("stripe_test", "cus_1", "https://dashboard.stripe.com/test/customers/cus_1"),
        ("stripe_live", "evt_1", "https://dashboard.stripe.com/events/evt_1"),
        ("stripe_live", "usd", ""),
        ("sandbox", "cus_1", ""),
        ("manual", "", ""),
    ],
)
def test_it_leads_to_the_processor_s_dashboard(mode: str, known: str, url: str) -> None:
    assert dashboard.url(mode, known) == url


# --- Events ---------------------------------------------------------------------------------------------------


@pytest.fixture
def failed(ada: User, monkeypatch: pytest.MonkeyPatch) -> EventReceipt:
    topups._ask(begin(ada, card=save_card(ada)))
    with monkeypatch.context() as broken:
        broken.setattr(ledger, "credit_topup", lambda *_, **__: 1 / 0)
        deliver(events("payment_intent.succeeded")[0])
    return EventReceipt.objects.get()


def test_it_shows_an_event_s_traceback_and_body_readably(dee: Client, failed: EventReceipt) -> None:
    page = dee.get(f"{EVENTS}{failed.pk}/change/").content.decode()
    assert "<pre>Traceback (most recent call last):\n  File" in page
    assert "{\n  &quot;id&quot;: &quot;evt_" in page


def test_it_processes_one_again_from_its_page(dee: Client, ada: User, failed: EventReceipt) -> None:
    path = f"{EVENTS}{failed.pk}/again/"
    assert path in read(dee, f"{EVENTS}{failed.pk}/change/")
    assert f"{failed.gateway_id} is processed." in dee.post(path, follow=True).content.decode()
    assert credits(ada) == [Decimal(25)]


def test_it_lists_quarantine_first_with_its_reason(dee: Client, failed: EventReceipt) -> None:
    for name, state in (("evt_fine", "processed"), ("evt_strange", "quarantined")):
        EventReceipt.objects.create(
            gateway_id=name, mode="sandbox", type=name, body="not json", state=state, received_at=clock(),
            error="We know no top-up top_1." if state == "quarantined" else "",
        )  # fmt: skip
    page = read(dee, EVENTS)
    order = [page.index(f">{name}<") for name in ("evt_strange", "payment_intent.succeeded", "evt_fine")]
    assert order == sorted(order)
    assert "We know no top-up top_1." in page
    assert "1 event receipt " in read(dee, f"{EVENTS}?state__exact=quarantined")
    strange = EventReceipt.objects.get(gateway_id="evt_strange")
    assert "<pre>not json</pre>" in read(dee, f"{EVENTS}{strange.pk}/change/")


# --- Notices, standing orders and proofs ----------------------------------------------------------------------


def test_it_leaves_notices_about_an_own_account_to_a_colleague(ada: User, cy: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    for user in (ada, cy):
        notices.tell_staff(str(user.pk), "Look.", account_id=user.account_id, now=clock())
    rows = StaffNotice.objects.all()
    said = choose(signed_in(ada), "/admin/billing/staffnotice/", "done", *rows)
    assert "1 marked as done." in said
    assert "1 left open: about your own account." in said
    assert rows.get(done_at=None).account == ada.account


def test_it_lists_standing_orders_read_only(dee: Client, ada: User) -> None:
    AutoTopup.objects.create(
        account=ada.account, mode="sandbox", threshold=5, amount=25, card="pm_1", monthly_limit=500,
        stopped_reason="declined", stopped_at=clock(),
    )  # fmt: skip
    page = read(dee, "/admin/billing/autotopup/")
    assert "The bank declined for good" in page
    assert "/add/" not in page
    detail = read(dee, f"/admin/billing/autotopup/{ada.account_id}/change/")
    assert 'name="_save"' not in detail


def test_it_shows_a_reconciliation_s_differences(dee: Client, paid: TopUp) -> None:
    SandboxPayment.objects.update(received=2000)
    row = reconcile(now=clock())
    assert "1 difference" in read(dee, "/admin/billing/reconciliation/")
    page = read(dee, f"/admin/billing/reconciliation/{row.pk}/change/")
    assert "the processor received $20.00" in page
    assert f"{TOPUPS}{paid.pk}/compare/" in page


def test_it_shows_a_ledger_check_s_breaches(dee: Client, ada: User) -> None:
    breach = {"account": str(ada.account_id), "rule": "seq is gapless", "detail": "entry 7"}
    row = LedgerCheck.objects.create(ran_at=clock(), full=False, accounts=1, breaches=[breach])
    assert "1 breach" in read(dee, "/admin/billing/ledgercheck/")
    assert "seq is gapless (entry 7)" in read(dee, f"/admin/billing/ledgercheck/{row.pk}/change/")


# --- The first page -------------------------------------------------------------------------------------------


def facts(client: Client) -> dict[str, str]:
    """What the first page says, by its name: words of the icon, then the value."""
    page = read(client, "/admin/")
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td></tr>', page)
    return {words(name): words(value) for name, value in rows}


def words(html: str) -> str:
    return re.sub(r"<[^>]+>", "", re.sub(r'<img[^>]*alt="([^"]*)">', r"\1", html))


def test_it_begins_with_what_needs_a_look(dee: Client, ada: User, cy: User, paid: TopUp) -> None:
    topups.pay(begin(cy, card=save_card(cy, "pm_card_chargeCustomerFail")))
    stuck = begin(cy, card=save_card(cy))
    TopUp.objects.filter(pk=stuck.pk).update(created_at=clock() - timedelta(minutes=11))
    EventReceipt.objects.create(
        gateway_id="evt_1", mode="sandbox", type="t", body="", state="quarantined", received_at=clock()
    )
    notices.tell_staff("key", "Look.", now=clock())
    Heartbeat.beat("sweep", now=clock() - timedelta(seconds=42))
    LedgerCheck.objects.create(ran_at=clock() - timedelta(hours=2), full=False, accounts=1)
    SandboxPayment.objects.filter(pk=paid.payment_id).update(received=2000)
    reconcile(now=clock() - timedelta(hours=30), since=clock() - timedelta(days=3))
    shown = facts(dee)
    assert shown["Today&#x27;s top-ups"] == "1, $25.00"
    assert shown["Failed today"] == "Needs a look: 1"
    assert shown["Stuck over 10 minutes"] == "Needs a look: 1"
    assert shown["Quarantined events"] == "Needs a look: 1"
    assert shown["Open notices"].startswith("Needs a look: ")
    assert re.fullmatch(r"Good: 4\d s ago", shown["Last sweep"])
    assert shown["Last ledger check"] == "Good: clean, 2 hours ago"
    assert "ago" in shown["Last webhook"]


def test_it_says_what_never_happened(dee: Client) -> None:
    shown = facts(dee)
    assert shown["Last sweep"] == shown["Last ledger check"] == "Needs a look: never"
    assert shown["Last reconciliation"] == "Needs a look: never"
    assert (shown["Last webhook"], shown["Failed events"]) == ("never", "Good: 0")


def test_it_warns_of_differences_and_of_nights_without_a_run(dee: Client, paid: TopUp) -> None:
    reconcile(now=clock() - timedelta(hours=30))
    assert facts(dee)["Last reconciliation"] == "Needs a look: clean, 1 day ago"
    SandboxPayment.objects.update(received=2000)
    reconcile(now=clock())
    assert facts(dee)["Last reconciliation"].startswith("Needs a look: 1 wrong, ")
