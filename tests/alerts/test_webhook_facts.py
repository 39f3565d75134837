"""What the platform hears of top-ups."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from accounts.models import User
from alerts import endpoints, webhook_facts
from alerts.models import Delivery, Endpoint
from billing import topups
from billing.models import TopUp
from tests.alerts.platform import clock, endpoint
from tests.billing.paying import begin, save_card
from thinnest_billing import sweeping

pytestmark = pytest.mark.django_db


def heard() -> list[tuple[str, dict[str, object]]]:
    rows = Delivery.objects.order_by("created_at", "id")
    return [(row.type, json.loads(row.body)["data"]) for row in rows]


def pay(user: User, token: str = "pm_card_visa") -> TopUp:
    return topups.pay(begin(user, card=save_card(user, token)))


def told(account_id: UUID) -> None:
    webhook_facts.topups_ended(account_id, now=clock())


def test_it_tells_of_a_topup_that_was_credited(ada: User) -> None:
    endpoint("https://platform.example.com/")
    topup = pay(ada)
    told(ada.account_id)
    assert heard() == [
        (
            "topup.succeeded",
            {
                "account": ada.account.public_id,
                "id": topup.public_id,
                "status": "succeeded",
                "origin": "page",
                "amount": "25.00",
                "created_at": topup.created_at.isoformat().replace("+00:00", "Z"),
                "balance": "26.000000000",
            },
        )
    ]


def test_it_tells_of_a_declined_card_with_the_reason(ada: User) -> None:
    endpoint("https://platform.example.com/")
    topup = pay(ada, "pm_card_chargeCustomerFail")
    told(ada.account_id)
    [(type_, data)] = heard()
    assert (type_, data["id"], data["status"]) == ("topup.failed", topup.public_id, "failed")
    assert data["reason"] == "generic_decline"
    assert data["detail"]


def test_it_tells_each_once_however_often_it_looks(ada: User) -> None:
    endpoint("https://platform.example.com/")
    pay(ada)
    for _ in range(3):
        told(ada.account_id)
    pay(ada, "pm_card_chargeCustomerFail")
    told(ada.account_id)
    assert [type_ for type_, _ in heard()] == ["topup.succeeded", "topup.failed"]


def test_it_tells_of_a_late_success_after_a_failure(ada: User) -> None:
    """Both are true, one after the other: two messages about one top-up."""
    endpoint("https://platform.example.com/")
    topup = pay(ada)
    TopUp.objects.filter(pk=topup.pk).update(status="failed", received=None, failure_code="never_arrived")
    told(ada.account_id)
    TopUp.objects.filter(pk=topup.pk).update(status="succeeded", received=Decimal("25.00"), ended_at=clock())
    told(ada.account_id)
    assert [(type_, data["id"]) for type_, data in heard()] == [
        ("topup.failed", topup.public_id), ("topup.succeeded", topup.public_id),
    ]  # fmt: skip


def test_it_says_nothing_of_open_and_canceled_topups(ada: User) -> None:
    endpoint("https://platform.example.com/")
    begin(ada)
    canceled = begin(ada, amount=Decimal("30.00"))
    TopUp.objects.filter(pk=canceled.pk).update(status="canceled", ended_at=clock(), next_look_at=None)
    told(ada.account_id)
    assert heard() == []


def test_it_tells_nothing_old_to_an_endpoint_that_is_new(ada: User) -> None:
    pay(ada)
    row = endpoint("https://platform.example.com/")
    Endpoint.objects.filter(pk=row.pk).update(created_at=clock())
    told(ada.account_id)
    assert heard() == []
    Endpoint.objects.filter(pk=row.pk).update(created_at=clock() - timedelta(days=1))
    webhook_facts.topups_ended(ada.account_id, now=clock() + timedelta(days=4))
    assert heard() == []


def test_it_catches_up_with_what_ended_while_the_endpoint_was_off(ada: User) -> None:
    row = endpoint("https://platform.example.com/")
    endpoints.turn_off(row, now=clock())
    pay(ada)
    told(ada.account_id)
    assert heard() == []
    endpoints.turn_on(row, now=clock())
    told(ada.account_id)
    assert [type_ for type_, _ in heard()] == ["topup.succeeded"]


def test_it_finds_what_no_nudge_told_of(ada: User, cy: User) -> None:
    """A failed top-up moves no money, and a nudge may be lost: the sweep looks for what was not told."""
    endpoint("https://platform.example.com/")
    pay(ada, "pm_card_chargeCustomerFail")
    pay(cy)
    for _ in range(2):
        sweeping.sweep(now=clock())
    assert sorted(type_ for type_, _ in heard()) == ["topup.failed", "topup.succeeded"]


def test_it_asks_for_nothing_again_that_was_told(
    ada: User, django_assert_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    endpoint("https://platform.example.com/")
    pay(ada)
    webhook_facts.tell_of_topups(now=clock())
    assert len(heard()) == 1
    with django_assert_num_queries(2):
        webhook_facts.tell_of_topups(now=clock())


def test_it_tells_of_a_transfer_that_staff_entered(ada: User) -> None:
    endpoint("https://platform.example.com/")
    topups.record_manual(ada.account_id, Decimal("40.00"), actor="usr_1", reason="Bank transfer")
    told(ada.account_id)
    [(type_, data)] = heard()
    assert (type_, data["origin"], data["amount"]) == ("topup.succeeded", "staff", "40.00")
