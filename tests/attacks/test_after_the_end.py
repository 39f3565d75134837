"""What comes after an account was closed and erased, and what its erasing must leave alone."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse

from accounts import invitations
from accounts.models import Account, Mail, User
from billing import ledger, settling, topups, verify
from billing.gateways import Payment
from billing.models import EventReceipt, LedgerEntry, SandboxCustomer, SandboxEvent, StaffNotice, TopUp
from tests import factories
from tests.api_client import ApiClient
from tests.billing import paying
from tests.staff import people
from thinnest_billing.leaving import closing, erasure
from usage.models import Charge
from usage.verify import CHECKS

pytestmark = pytest.mark.django_db
MONTH = timedelta(days=31)
CHAT = {"type": "chat", "model": "gpt-4o-mini", "input_tokens": 1250, "output_tokens": 340}


def end(user: User) -> None:
    now = paying.clock()
    closing.close(user.account_id, by=user, now=now - MONTH)
    assert erasure.erase_due(now=now) == [user.account_id]


def test_nobody_is_forgotten_because_somebody_else_invited_them(ada: User, cy: User) -> None:
    """Ada invites Cy, who has an account of his own, and leaves: what we keep about Cy stays."""
    paying.save_card(cy)
    SandboxEvent.objects.update(next_try_at=None)
    boss = User.objects.create_superuser("boss@example.com")
    LogEntry.objects.create(
        user=boss, content_type=ContentType.objects.get_for_model(User), object_id=str(cy.pk), object_repr=cy.email,
        action_flag=CHANGE, change_message="[]",
    )  # fmt: skip
    Mail.objects.filter(to=cy.email).update(user=None)
    invitations.invite(cy.email, "viewer", by=ada, now=paying.clock())
    kept = [
        list(SandboxEvent.objects.order_by("pk").values_list("body", flat=True)),
        list(EventReceipt.objects.order_by("pk").values_list("body", flat=True)),
        list(SandboxCustomer.objects.filter(email=cy.email).values_list("pk", flat=True)),
        LogEntry.objects.filter(object_repr=cy.email).count(),
        Mail.objects.filter(to=cy.email, user=None).count(),
    ]
    end(ada)
    assert kept == [
        list(SandboxEvent.objects.order_by("pk").values_list("body", flat=True)),
        list(EventReceipt.objects.order_by("pk").values_list("body", flat=True)),
        list(SandboxCustomer.objects.filter(email=cy.email).values_list("pk", flat=True)),
        LogEntry.objects.filter(object_repr=cy.email).count(),
        Mail.objects.filter(to=cy.email, user=None).count(),
    ]


def test_a_closed_account_spends_nothing_though_staff_would_lift_its_freeze(
    ada: User, platform_key: str, api: ApiClient
) -> None:
    """The freeze of the closing looks like one of staff: lifting it is no way around the closing."""
    closing.close(ada.account_id, by=ada, now=paying.clock())
    browser = people.clerk("billing")
    answer = browser.post(reverse("admin:unfreeze_balance", args=[ada.account_id]), {"reason": "oops"})
    assert answer.status_code in (200, 302)
    event = {"event_id": "e", "account": ada.account.public_id, **CHAT}
    held = {"key": "h", "account": ada.account.public_id, "type": "voice", "seconds": 60}
    tried = [
        api.post("/billing/v3/usage", event, key=platform_key).status_code,
        api.post("/billing/v3/usage", {**event, "event_id": "f", "on_short": "record"}, key=platform_key).status_code,
        api.post("/billing/v3/usage/batch", {"events": [event]}, key=platform_key).json()["results"][0]["status"],
        api.post("/billing/v3/holds", held, key=platform_key).status_code,
        api.get(f"/billing/v3/authorize?type=chat&account={ada.account.public_id}", key=platform_key).status_code,
    ]  # fmt: skip
    assert tried == [404] * 5
    assert not Charge.objects.exists()


def test_money_that_comes_after_the_erasing_is_credited_once_and_told_to_staff(ada: User) -> None:
    """A payment that we had given up succeeds after all, when nobody is left to see it; its news comes twice."""
    topup = paying.begin(ada, card=paying.save_card(ada))
    paid = topups._ask(topup)
    assert isinstance(paid, Payment)
    TopUp.objects.update(status=TopUp.Status.CANCELED, next_look_at=None, ended_at=paying.clock())
    end(ada)
    for _ in range(2):
        settling.settle(paid)
    assert LedgerEntry.objects.filter(account_id=ada.account_id, kind="topup").count() == 1
    assert StaffNotice.objects.filter(key__startswith="closed-topup").count() == 1
    assert verify.run(CHECKS, [ada.account_id]) == []
    assert not Mail.objects.filter(to__contains="removed.invalid").exists()
    assert not closing.reopen(ada.account_id, staff=None, reason="x", now=paying.clock())


def test_neither_erasing_nor_opening_again_wins_twice(transactional_db: None) -> None:
    """At once, on the last day: an account is either erased or open, never both."""
    for n in range(3):
        ada = factories.owner(f"ada{n}@example.com")
        at = paying.clock()
        closing.close(ada.account_id, by=ada, now=at - timedelta(days=30))

        def act(number: int, ada: User = ada, at: datetime = at) -> object:
            if number % 2:
                return erasure.erase_due(now=at)
            just_before = at - timedelta(seconds=1)
            return closing.reopen(ada.account_id, staff=None, reason="x", now=just_before)

        paying.in_parallel(4, act)
        account = Account.objects.get(pk=ada.account_id)
        assert (account.closed_at is None) != (account.erased_at is not None)
        assert (User.objects.get(pk=ada.pk).email == ada.email) == (account.erased_at is None)


def test_a_button_pressed_while_another_owner_closes_is_refused(
    client: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account was open when the request came in, and closed when the freeze had its lock."""
    client.force_login(ada)
    real = ledger.freeze

    def closed_before(*asked: Any, **more: Any) -> None:
        closing.close(ada.account_id, by=ada, now=paying.clock())
        real(*asked, **more)

    monkeypatch.setattr(ledger, "freeze", closed_before)
    answer = client.post("/settings/billing/freeze/", {"wish": "freeze"})
    assert answer.status_code == 403
    assert "This account is closed" in answer.content.decode()
