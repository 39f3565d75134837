"""Running out: two facts on the balance, what a paid balance is, and the 402 that helps."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing import disputes, gateways, ledger, topups
from billing.models import Refund, TopUp
from billing.selectors import has_paid_balance
from tests.billing.paying import begin, clock
from tests.billing.returning import paid, refund

D = Decimal
pytestmark = pytest.mark.django_db


def disputed(topup: TopUp, status: str, *, dispute: str = "du_1", amount: int = 2500) -> None:
    """The processor says this of a dispute."""
    disputes.record(gateways.Dispute(dispute, topup.payment_id or "", amount, status), topup, now=clock())


# --- A paid balance -------------------------------------------------------------------------------------------


def test_a_trial_or_a_grant_is_no_paid_balance(ada: User) -> None:
    """S9: some advanced features need a top-up."""
    ledger.grant(ada.account_id, D(50), key="more", actor="staff", reason="Kindness")
    ledger.adjust(ada.account_id, D(50), key="more", actor="staff", reason="Correction")
    begin(ada)
    assert not has_paid_balance(ada.account_id), "not even while one is being made"


def test_a_top_up_is_one_and_stays_one_when_it_is_spent(ada: User, cy: User) -> None:
    paid(ada)
    ledger.adjust(ada.account_id, D("-26.00"), key="all", actor="staff", reason="As if spent")
    with CaptureQueriesContext(connection) as asked:
        assert has_paid_balance(ada.account_id)
    assert len(asked) == 1
    assert not has_paid_balance(cy.account_id)


def test_one_entered_by_staff_counts(ada: User) -> None:
    topups.record_manual(ada.account_id, D(5), actor="staff", reason="By bank transfer")
    assert has_paid_balance(ada.account_id)


def test_one_refunded_whole_is_none_and_one_refunded_in_part_is(ada: User) -> None:
    topup = paid(ada)
    refund(topup, "24.99")
    assert has_paid_balance(ada.account_id)
    refund(topup, "0.01")
    assert not has_paid_balance(ada.account_id)
    paid(ada)
    assert has_paid_balance(ada.account_id), "another one"


def test_a_refund_that_failed_gives_it_back(ada: User) -> None:
    topup = paid(ada)
    Refund.objects.filter(pk=refund(topup).pk).update(status=Refund.Status.FAILED)
    assert has_paid_balance(ada.account_id)


@pytest.mark.parametrize(
    ("status", "is_paid"),
    [
        ("warning_needs_response", True),  # an inquiry: the bank only asks
        ("warning_closed", True),
        ("needs_response", False),  # open: the money is away until it is won
        ("lost", False),
        ("won", True),
    ],
)
def test_a_dispute_takes_it_until_it_is_won(ada: User, status: str, is_paid: bool) -> None:
    topup = paid(ada)
    if status == "won":
        disputed(topup, "needs_response")
    disputed(topup, status)
    assert has_paid_balance(ada.account_id) == is_paid


def test_refunds_and_disputes_together_may_take_all_of_it(ada: User) -> None:
    topup = paid(ada)
    refund(topup, "10")
    disputed(topup, "lost", amount=1499)
    assert has_paid_balance(ada.account_id)
    disputed(topup, "lost", amount=1, dispute="du_2")
    assert not has_paid_balance(ada.account_id)
