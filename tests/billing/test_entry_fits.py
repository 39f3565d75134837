"""The database's own last word on a ledger entry, whatever wrote it."""

from decimal import Decimal

import pytest
from django.db import connection

D = Decimal


def fits(
    kind: str, granted: str, paid: str, *, after: tuple[str, str] = ("0", "0"), reason: str = ""
) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT billing_entry_fits_1(%s, %s, %s, %s, %s, %s)",
            [kind, D(granted), D(paid), D(after[0]), D(after[1]), reason],
        )
        return cursor.fetchone()[0]


RIGHT = [
    ("grant", "1.00", "0"), ("topup", "0", "25"), ("dispute_won", "0", "25"), ("refund", "0", "-25"),
    ("dispute", "0", "-25"), ("reversal", "0.5", "0.000000001"), ("charge", "-0.5", "-0.1"),
]  # fmt: skip
WRONG = [
    ("grant", "1.00", "1.00"), ("grant", "-1.00", "0"), ("topup", "25", "0"), ("topup", "0", "-25"),
    ("dispute_won", "0", "-25"), ("refund", "0", "25"), ("refund", "-25", "0"), ("dispute", "0", "25"),
    ("reversal", "-0.5", "1"), ("charge", "0.5", "-0.6"), ("charge", "-1", "1"),
]  # fmt: skip


@pytest.mark.django_db
def test_it_lets_each_kind_move_money_its_own_way_only() -> None:
    assert [entry for entry in RIGHT if not fits(*entry)] == []
    assert [entry for entry in WRONG if fits(*entry)] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "kind", ["grant", "topup", "charge", "reversal", "refund", "dispute", "dispute_won", "adjustment", "gift"]
)
def test_it_takes_no_entry_that_moves_nothing_and_no_kind_it_does_not_know(kind: str) -> None:
    assert not fits(kind, "0", "0", reason="because")


@pytest.mark.django_db
def test_it_never_lets_usage_overdraw() -> None:
    assert fits("charge", "-1", "0", after=("0", "-5")), "granted may be spent while paid is below zero"
    assert not fits("charge", "-1", "0", after=("-0.000000001", "5"))
    assert not fits("charge", "0", "-1", after=("0", "-0.000000001"))
    assert fits("refund", "0", "-1", after=("0", "-1")), "only usage must not"


@pytest.mark.django_db
def test_it_wants_a_reason_and_whole_cents_for_an_adjustment() -> None:
    assert fits("adjustment", "-0.001", "-3.499", reason="goodwill"), "a debit may span both pools"
    assert not fits("adjustment", "0", "3.505", reason="goodwill")
    assert not fits("adjustment", "0", "3.50")
    assert not fits("grant", "1.005", "0")


@pytest.mark.django_db
def test_the_ledger_is_bound_to_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'entry_fits'")
        assert "billing_entry_fits_1" in cursor.fetchone()[0]
