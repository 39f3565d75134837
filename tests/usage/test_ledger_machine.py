"""The gate against its model, and a dozen broken gates that the same walk must catch."""

from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from billing import verify
from tests.usage.ledger_machine import LedgerMachine, TogetherMachine
from usage import verify as usage_verify

ROOT = Path(__file__).parents[2]
PROOFS = verify.CHECKS | verify.WHOLE | usage_verify.CHECKS
del PROOFS["an entry of a top-up has its top-up"]  # the walk credits the ledger without any payment
del PROOFS["an entry of a refund or dispute has its row"]  # and takes it back as freely


class Verified(TogetherMachine):
    """Ends each walk with the proofs of verify_ledger: they must know what the model knows."""

    def teardown(self) -> None:
        try:
            assert verify.run(PROOFS, [self.account_id]) == []
        finally:
            super().teardown()


def walk(machine: type[LedgerMachine], *, examples: int, **more: object) -> None:
    health = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=50, deadline=None, database=None,
            suppress_health_check=health, **more,
        ),
    )  # fmt: skip


@pytest.mark.django_db
def test_the_gate_does_what_its_model_does() -> None:
    """S1 S3: whatever order credits, usage, holds, freezes and corrections come in."""
    walk(Verified, examples=40)


MUTANTS = [
    ("billing/sql/billing_post_1.sql", "ELSIF p_cost > o.free THEN", "ELSIF p_cost > o.free + 0.01 THEN"),
    ("billing/sql/billing_write_1.sql", "p_granted := -least(p_cost, o.granted);", "p_granted := 0;"),
    (
        "billing/sql/billing_post_1.sql",
        "THEN 'replayed' ELSE 'conflict' END",
        "THEN 'posted' ELSE 'conflict' END",
    ),
    (
        "billing/sql/billing_write_1.sql",
        "granted_after + paid_after < 0.01",
        "granted_after + paid_after <= 0.01",
    ),
    ("billing/sql/billing_write_1.sql", "seq = b.seq + 1", "seq = b.seq + 2"),
    ("billing/sql/billing_open_1.sql", "CASE WHEN b.paid < 0 THEN 0 ELSE", "CASE WHEN false THEN 0 ELSE"),
    ("billing/sql/billing_open_1.sql", "b.granted + b.paid - b.held", "b.granted + b.paid"),
    ("billing/sql/billing_open_1.sql", "SET held = x.held - overdue", "SET held = x.held"),
    ("billing/sql/billing_hold_2.sql", "IF p_amount > o.free OR", "IF p_amount >= o.free OR"),
    ("billing/sql/billing_hold_2.sql", "SET held = b.held + p_amount", "SET held = p_amount"),
    ("billing/sql/billing_extend_2.sql", "b.held - mine + p_amount", "b.held + p_amount"),
    (
        "billing/sql/billing_extend_2.sql",
        "WHEN h.state = 'open' THEN h.amount ELSE 0 END",
        "WHEN true THEN h.amount END",
    ),
    ("billing/sql/billing_end_hold_1.sql", "IF h.state = 'open' THEN", "IF true THEN"),
    ("usage/sql/usage_record_3.sql", "(p_price > free OR", "(p_price >= free OR"),
    (
        "usage/sql/usage_record_3.sql",
        "cost := least(p_price, free);",
        "cost := least(p_price, o.granted + o.paid);",
    ),
    ("usage/sql/usage_record_3.sql", "p_price > free OR o.paid < 0", "p_price > free OR false"),
    ("usage/sql/usage_record_3.sql", "IF refused.at IS NOT NULL THEN", "IF false THEN"),
    ("billing/sql/billing_hold_2.sql", "o.free OR o.paid < 0", "o.free OR false"),
    ("usage/sql/usage_record_3.sql", "uncollected := p_price - cost;", "uncollected := 0;"),
    ("usage/sql/usage_record_3.sql", "WHEN seen.request_hash = p_hash THEN", "WHEN true THEN"),
    ("usage/sql/usage_reverse_1.sql", "-entry.granted, -entry.paid,", "0, -entry.granted - entry.paid,"),
]


MUTANTS_OF_MANY = [
    ("usage/sql/usage_record_many_1.sql", "seen.price > o.free OR", "seen.price > o.free + 1 OR"),
    ("usage/sql/usage_record_many_1.sql", "seen.price > o.free OR", "seen.price >= o.free OR"),
    ("usage/sql/usage_record_many_1.sql", "o.frozen OR o.paid < 0", "o.frozen OR false"),
    ("billing/sql/billing_write_many_1.sql", "seq_before + s.n,", "seq_before + 1,"),
    ("billing/sql/billing_write_many_1.sql", "seq = b.seq + cardinality(p_ids)", "seq = b.seq + p_last"),
    ("billing/sql/billing_write_many_1.sql", "e.left_over < 0.01", "e.left_over <= 0"),
    (
        "billing/sql/billing_write_many_1.sql",
        "paid = o.paid - greatest(0, all_of_them.cost - o.granted)",
        "paid = o.paid - all_of_them.cost",
    ),
]


def broken(file: str, right: str, wrong: str, machine: type[LedgerMachine]) -> None:
    """Break a function of the gate in this one place: the walk must stumble."""
    source = (ROOT / file).read_text()
    assert source.count(right) == 1
    with connection.cursor() as cursor:
        cursor.execute(source.replace(right, wrong).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    with pytest.raises((AssertionError, DatabaseError, RuntimeError, ExceptionGroup)), transaction.atomic():
        walk(machine, examples=200, phases=[Phase.generate], derandomize=True)


def named(mutants: list[tuple[str, str, str]]) -> list[str]:
    return [f"{file.split('/')[-1]}: {wrong}" for file, _, wrong in mutants]


@pytest.mark.django_db
@pytest.mark.parametrize(("file", "right", "wrong"), MUTANTS, ids=named(MUTANTS))
def test_the_walk_catches_a_broken_gate(file: str, right: str, wrong: str) -> None:
    broken(file, right, wrong, LedgerMachine)


@pytest.mark.django_db
@pytest.mark.parametrize(("file", "right", "wrong"), MUTANTS_OF_MANY, ids=named(MUTANTS_OF_MANY))
def test_the_walk_catches_a_broken_quick_lane(file: str, right: str, wrong: str) -> None:
    broken(file, right, wrong, TogetherMachine)
