"""verify_ledger finds what is wrong, names the account, and says nothing when all is well."""

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from billing import holds, topups
from billing.models import LedgerCheck, VerifiedThrough
from tests import factories
from tests.usage.events import chat, voice
from usage import metering, reversals, rollup
from usage.models import Charge, DailySpend

D = Decimal
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def busy(transactional_db: None) -> User:
    """Ada after a day's work: a top-up, charges, a reversal, an open hold."""
    ada = factories.owner()
    topups.record_manual(ada.account_id, D(25), actor="t", reason="test")
    done = [metering.record(ada.account_id, chat(f"e{n}", "gpt-4-turbo", 50_000, 100)) for n in range(5)]
    metering.record(ada.account_id, voice("missed call", 30, answered=False))
    reversals.reverse(ada.account_id, done[0].charge_id, actor="t", reason="test")
    holds.hold(
        ada.account_id, key="h", request_hash=b"h" * 32, amount=D(1), purpose="voice", terms={},
        lifetime=timedelta(minutes=5),
    )  # fmt: skip
    return ada


def verify(*arguments: str) -> dict[str, object]:
    out = StringIO()
    code = 0
    try:
        call_command("verify_ledger", "--json", *arguments, stdout=out)
    except SystemExit as exit:
        code = int(exit.code or 0)
    result = json.loads(out.getvalue())
    assert result["clean"] is (code == 0)
    return result


def behind_the_gates_back(sql: str) -> None:
    """What no code of ours can do: triggers and checks asleep."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)


def test_it_is_clean_after_a_days_work(busy: User) -> None:
    assert verify("--full") == {"clean": True, "accounts": 1, "full": True, "breaches": []}
    assert LedgerCheck.objects.get().breaches == []


DAMAGE = {
    "balance equals the last entry": "UPDATE billing_balance SET paid = paid + 0.000000001",
    "held equals open holds": "UPDATE billing_balance SET held = held + 1",
    "depleted is marked": "UPDATE billing_balance SET depleted_at = now()",
    "seq is gapless": "DELETE FROM billing_ledgerentry WHERE seq = 3",
    "running balances are prefix sums": "UPDATE billing_ledgerentry SET paid = paid - 1 WHERE seq = 4",
    "time never goes back": "UPDATE billing_ledgerentry SET recorded_at = recorded_at - interval '9 day' WHERE seq = 4",
    "granted is spent before paid": "UPDATE billing_ledgerentry SET granted_after = 1 WHERE seq = 5",
    "nothing beyond the balance's seq": "UPDATE billing_balance SET seq = seq - 1",
    "a charge with a cost has its entry": "UPDATE usage_charge SET cost = cost + 1 WHERE event_id = 'e2'",
    "an entry of usage has its charge": "DELETE FROM usage_charge WHERE event_id = 'e2'",
    "an entry of a reversal has its charge or its refund": "DELETE FROM usage_charge WHERE reverses IS NOT NULL",
    "cost and uncollected equal quantities times rates": "UPDATE usage_charge SET input_tokens = 1 WHERE pages = 0",
    "a reversal is equal and opposite": "UPDATE usage_charge SET output_tokens = 7 WHERE reverses IS NOT NULL",
    "a settled top-up has one entry of what it brought in": "UPDATE billing_topup SET received = received + 1",
    "an entry of a top-up has its top-up": "DELETE FROM billing_topup",
    "the roll-up equals the charges": "UPDATE usage_dailyspend SET cost = cost + 0.000000001",
}


@pytest.mark.parametrize(("rule", "damage"), DAMAGE.items(), ids=list(DAMAGE))
def test_each_proof_bites(busy: User, rule: str, damage: str) -> None:
    behind_the_gates_back(damage)
    result = verify("--full")
    assert result["clean"] is False
    found = [breach["rule"] for breach in result["breaches"]]
    assert rule in found
    assert {breach["account"] for breach in result["breaches"]} == {busy.account.public_id}


def test_the_nightly_run_goes_on_from_the_last_proof(busy: User) -> None:
    verify()
    reached = VerifiedThrough.objects.get().seq
    behind_the_gates_back("UPDATE billing_ledgerentry SET paid_after = paid_after WHERE seq = 1")
    metering.record(busy.account_id, chat("later"))
    assert verify()["clean"] is True
    assert VerifiedThrough.objects.get().seq == reached + 1
    behind_the_gates_back("UPDATE billing_ledgerentry SET granted = granted + 1 WHERE seq = 1")
    assert verify()["clean"] is True, "already proved: only --full looks again"
    assert verify("--full")["clean"] is False


def test_one_account_can_be_asked_about(busy: User) -> None:
    factories.owner("cy@example.net")
    assert verify("--account", busy.account.public_id)["accounts"] == 1
    with pytest.raises(CommandError, match="not an account id"):
        call_command("verify_ledger", "--account", "17")


def test_the_roll_up_can_be_made_anew(busy: User) -> None:
    before = sorted(
        DailySpend.objects.values_list("day", "type", "count", "cost", "uncollected", "input_tokens")
    )
    behind_the_gates_back("UPDATE usage_dailyspend SET cost = 99")
    assert rollup.rebuild() == (1, len(before))
    after = sorted(
        DailySpend.objects.values_list("day", "type", "count", "cost", "uncollected", "input_tokens")
    )
    assert after == before
    assert verify("--full")["clean"] is True


@pytest.mark.parametrize("table", ["billing_ledgerentry", "usage_charge", "usage_price"])
@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
def test_what_is_written_once_stays(busy: User, table: str, change: str) -> None:
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change.format(table))
    assert Charge.objects.count() == 7
