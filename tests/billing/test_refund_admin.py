"""Staff refund a top-up from its page: with a reason, once, and never on an account of their own."""

import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import StaffAct, User
from billing import gateways, topups
from billing.gateways import Rejected
from billing.gateways.sandbox import SandboxGateway
from billing.models import LedgerEntry, Refund, SandboxDispute, SandboxRefund, StaffNotice, TopUp
from tests import factories
from tests.billing.paying import begin, save_card
from tests.billing.returning import deliver_all, moves, paid, paid_funds, turn_on_auto_topup
from tests.billing.test_add_funds import signed_in

D = Decimal
pytestmark = pytest.mark.django_db


@pytest.fixture
def topup(ada: User) -> TopUp:
    return paid(ada)


def clerk(*groups: str, permissions: tuple[str, ...] = (), email: str = "clerk@example.com") -> User:
    user = User.objects.create_user(email, factories.PASSWORD, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def path_of(topup: TopUp) -> str:
    return f"/admin/billing/refund/of/{topup.pk}/"


def act(client: Client, topup: TopUp, **typed: str) -> str:
    """What the page says after the form was sent."""
    shown = client.get(path_of(topup)).content.decode()
    own = re.search(r'name="refund" value="(ref_\w{26})"', shown)
    assert own is not None
    form = {"refund": own[1], "amount": "10", "reason": "Ticket 7", **typed}
    return client.post(path_of(topup), form, follow=True).content.decode()


def test_it_refunds_a_part_with_a_reason(topup: TopUp, ada: User) -> None:
    turn_on_auto_topup(ada)
    user = clerk("billing")
    client = signed_in(user)
    page = client.get(f"/admin/billing/topup/{topup.pk}/change/").content.decode()
    assert f'href="{path_of(topup)}"' in page
    shown = client.get(path_of(topup)).content.decode()
    assert "$25.00 can be refunded now" in shown
    assert "Auto-topup of this account turns off" in shown
    row_said = act(client, topup)
    row = Refund.objects.get()
    assert f"The refund {row.public_id} of $10.00 is refunded." in row_said
    assert (row.origin, row.actor, row.reason, row.taken) == ("staff", user.public_id, "Ticket 7", D(10))
    assert LedgerEntry.objects.get(kind="refund").actor == user.public_id
    kept = StaffAct.objects.get()
    assert (kept.act, kept.target, kept.reason) == ("refund top-up", topup.public_id, "Ticket 7")
    history = client.get(f"/admin/billing/topup/{topup.pk}/history/", follow=True).content.decode()
    assert "Ticket 7" in history
    assert "$15.00 can be refunded now" in client.get(path_of(topup)).content.decode()


def test_it_refunds_once_for_a_double_click(topup: TopUp, ada: User) -> None:
    client = signed_in(clerk("billing"))
    for _ in range(2):
        act(client, topup, refund="ref_00000000000000000000000007")
    assert (moves(ada), SandboxRefund.objects.count()) == ([("refund", D(-10))], 1)
    assert "another amount" in act(client, topup, refund="ref_00000000000000000000000007", amount="11")


@pytest.mark.parametrize("amount", ["25.01", "0", "-1", "1.001", "NaN", "", "1e9", "abc"])
def test_it_refuses_amounts(topup: TopUp, ada: User, amount: str) -> None:
    assert "Nothing was refunded" in act(signed_in(clerk("billing")), topup, amount=amount)
    assert moves(ada) == []


def test_it_wants_a_reason(topup: TopUp, ada: User) -> None:
    assert "Nothing was refunded" in act(signed_in(clerk("billing")), topup, reason=" ")
    assert moves(ada) == []


def test_it_lets_nobody_refund_to_themselves(topup: TopUp, ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    assert "Nothing was refunded: ask a colleague." in act(signed_in(ada), topup)
    assert moves(ada) == []


@pytest.mark.parametrize("group", ["support", "pricing"])
def test_it_needs_the_right(topup: TopUp, group: str) -> None:
    client = signed_in(clerk(group))
    page = client.get(f"/admin/billing/topup/{topup.pk}/change/").content.decode()
    assert path_of(topup) not in page
    for ask in (client.get, client.post):
        assert ask(path_of(topup)).status_code == 403
    assert client.get("/admin/billing/refund/").status_code == 200


def test_it_is_closed_to_customers(topup: TopUp, ada: User) -> None:
    assert signed_in(ada).post(path_of(topup)).status_code == 302
    assert moves(ada) == []


def test_it_knows_no_other_top_up(ada: User) -> None:
    missing = path_of(TopUp(account=ada.account))
    assert signed_in(clerk("billing")).get(missing).status_code == 404


def test_it_offers_nothing_for_what_brought_nothing_in(ada: User) -> None:
    declined = topups.pay(begin(ada, card=save_card(ada, "pm_card_chargeCustomerFail")))
    client = signed_in(clerk("billing"))
    page = client.get(f"/admin/billing/topup/{declined.pk}/change/").content.decode()
    assert path_of(declined) not in page
    assert "brought in nothing" in act(client, declined)


def test_it_says_who_pays_a_bank_transfer_back(ada: User) -> None:
    manual = topups.record_manual(ada.account_id, D(50), actor="staff", reason="Transfer")
    client = signed_in(clerk("billing"))
    assert "transfer the money yourself" in client.get(path_of(manual)).content.decode()
    assert "of $10.00 is refunded." in act(client, manual)
    assert paid_funds(ada) == D(40)


def test_it_tells_of_a_refusal(topup: TopUp, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuses(SandboxGateway):
        def refund(self, **_: object) -> gateways.Refund:
            raise Rejected("This payment is disputed.")

    monkeypatch.setattr(gateways, "gateway", Refuses)
    assert "of $10.00 failed: This payment is disputed." in act(signed_in(clerk("billing")), topup)
    assert paid_funds(ada) == D(25)


def test_it_lists_and_finds_refunds(topup: TopUp, ada: User, cy: User) -> None:
    client = signed_in(clerk("billing"))
    act(client, topup)
    row = Refund.objects.get()
    for term in (row.public_id, row.gateway_id, topup.payment_id, ada.account.public_id, "ada@example.com"):
        assert "1 refund" in client.get("/admin/billing/refund/", {"q": term}).content.decode(), term
    assert "0 refunds" in client.get("/admin/billing/refund/", {"q": cy.account.public_id}).content.decode()
    detail = client.get(f"/admin/billing/refund/{row.pk}/change/").content.decode()
    assert 'name="_save"' not in detail
    assert "Ticket 7" in detail


# --- The sandbox's dashboard ----------------------------------------------------------------------------------


def at_dashboard(client: Client, action: str, topup: TopUp, **more: str) -> str:
    chosen = {"action": action, "_selected_action": [topup.payment_id], **more}
    return client.post("/admin/billing/sandboxpayment/", chosen, follow=True).content.decode()


def test_the_sandbox_s_dashboard_refunds_a_part_and_the_rest(topup: TopUp, ada: User) -> None:
    client = signed_in(clerk("billing"))
    assert "$5.00 of it refunded" in at_dashboard(client, "refund", topup, amount="5")
    assert "$20.00 of it refunded" in at_dashboard(client, "refund", topup)
    assert "larger than what is left" in at_dashboard(client, "refund", topup, amount="1")
    assert "Type dollars" in at_dashboard(client, "refund", topup, amount="0.001")
    assert moves(ada) == [], "we learn of it by its events alone"
    deliver_all()
    assert moves(ada) == [("refund", D(-5)), ("refund", D(-20))]
    assert set(Refund.objects.values_list("origin", flat=True)) == {"gateway"}


def test_the_sandbox_s_dashboard_warns_asks_and_disputes(topup: TopUp, ada: User) -> None:
    client = signed_in(clerk("billing"))
    at_dashboard(client, "warn", topup)
    at_dashboard(client, "ask", topup)
    deliver_all()
    assert StaffNotice.objects.count() == 2
    assert (moves(ada), SandboxDispute.objects.get().status) == ([], "warning_needs_response")
    at_dashboard(client, "dispute", topup)
    deliver_all()
    assert moves(ada) == [("dispute", D(-25))]


def test_the_sandbox_s_dashboard_is_not_for_everybody(topup: TopUp, ada: User) -> None:
    client = signed_in(clerk("support"))
    for action in ("refund", "warn", "dispute"):
        at_dashboard(client, action, topup)
    deliver_all()
    assert moves(ada) == []
