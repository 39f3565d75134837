"""The processor's books beside ours: whatever is planted on either side is found, and a clean world is clean."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import Mail, User
from billing import gateways, ledger, reconciliation, settling, tasks, topups
from billing.gateways import Misconfigured, Payment, Unavailable, sandbox_bank, sandbox_cards
from billing.gateways.sandbox import SandboxGateway
from billing.models import (
    Installation,
    LedgerEntry,
    Mode,
    Reconciliation,
    Refund,
    SandboxPayment,
    SandboxRefund,
    StaffNotice,
    TopUp,
)
from billing.reconciliation import for_customers, reconcile
from tests import factories
from tests.billing.paying import begin, clock, credits, save_card

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def paid(ada: User) -> TopUp:
    return topups.pay(begin(ada, card=save_card(ada)))


def run(**options: Any) -> Reconciliation:
    return reconcile(now=options.pop("now", clock()), **options)


def kinds(row: Reconciliation) -> list[str]:
    return [difference["kind"] for difference in row.differences]


def theirs(topup: TopUp) -> SandboxPayment:
    return SandboxPayment.objects.get(pk=topup.payment_id)


def copy(payment: SandboxPayment, **changes: object) -> SandboxPayment:
    """One more payment at the processor."""
    payment = SandboxPayment.objects.get(pk=payment.pk)
    payment.pk = sandbox_bank.new_id("pi")
    for name, value in changes.items():
        setattr(payment, name, value)
    payment.save(force_insert=True)
    return payment


def speaking(monkeypatch: pytest.MonkeyPatch, change: Callable[[Payment], Payment]) -> None:
    """The processor tells of its payments something else than the sandbox has."""

    class Other(SandboxGateway):
        def payments(self, **window: datetime) -> Iterator[Payment]:
            return map(change, super().payments(**window))

        def payment(self, payment_id: str) -> Payment:
            return change(super().payment(payment_id))

    monkeypatch.setattr(gateways, "gateway", Other)


# --- Clean ----------------------------------------------------------------------------------------------------


def test_it_finds_a_clean_world_clean(ada: User, cy: User, paid: TopUp) -> None:
    topups.pay(begin(cy, card=save_card(cy, "pm_card_chargeCustomerFail")))
    topups.pay(begin(cy))  # a page that nobody paid on
    topups.pay(begin(cy, card=save_card(cy, "pm_card_authenticationRequired"), amount=Decimal(30)))
    topups.record_manual(ada.account_id, Decimal(100), actor="t", reason="wire")
    row = run()
    assert row.differences == []
    assert (row.mode, row.payments, row.topups) == ("sandbox", 3, 4)
    assert not StaffNotice.objects.exists()


def test_it_finds_an_empty_world_clean(db: None) -> None:
    assert run(full=True).differences == []


# --- Their side -----------------------------------------------------------------------------------------------


def test_it_credits_what_was_missed_and_says_so(ada: User) -> None:
    """Paid, and every event lost: the sweep does not look at what has ended."""
    topup = topups.pay(begin(ada))
    sandbox_bank.pay_on_page(topup.page_id, sandbox_cards.typed("4242424242424242"), now=clock())
    settling.end(topup, TopUp.Status.CANCELED)
    row = run()
    (found,) = row.differences
    assert (found["kind"], found["repaired"], found["account"]) == (
        "not_credited",
        True,
        ada.account.public_id,
    )
    assert "$25.00" in found["text"]
    assert credits(ada) == [Decimal(25)]
    assert run().differences == []


def test_it_settles_what_is_on_its_way_without_a_word(ada: User) -> None:
    """A payment that is being made right now is no difference."""
    topup = begin(ada, card=save_card(ada))
    topups._ask(topup)
    assert run().differences == []
    assert credits(ada) == [Decimal(25)]


def test_it_says_why_a_payment_cannot_be_credited(
    ada: User, paid: TopUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    topup = begin(ada, card=save_card(ada), amount=Decimal(30))
    payment = topups._ask(topup)
    speaking(monkeypatch, lambda p: replace(p, currency="eur") if p.id == payment.id else p)
    (found,) = run().differences
    assert (found["kind"], found["repaired"], found["topup"]) == ("not_credited", False, topup.public_id)
    assert "is in eur" in found["text"]
    assert credits(ada) == [Decimal(25)]


def test_it_names_a_double_charge(ada: User, paid: TopUp) -> None:
    second = copy(theirs(paid))
    (found,) = run().differences
    assert (found["kind"], found["payment"], found["topup"]) == ("second_payment", second.id, paid.public_id)
    assert found["account"] == ada.account.public_id
    assert paid.payment_id in found["text"]
    assert "$25.00" in found["text"]
    assert credits(ada) == [Decimal(25)]


def test_it_credits_one_of_two_payments_that_nobody_told_of(ada: User) -> None:
    topup = begin(ada, card=save_card(ada))
    first = topups._ask(topup)
    copy(SandboxPayment.objects.get(pk=first.id))
    assert kinds(run()) == ["second_payment"]
    assert credits(ada) == [Decimal(25)]


def test_it_is_content_once_the_second_payment_has_gone_back(paid: TopUp) -> None:
    second = copy(theirs(paid))
    SandboxGateway().refund(reference="", payment_id=second.id, amount=2500)
    assert run().differences == []


def test_it_names_a_payment_for_a_topup_that_we_do_not_have(ada: User, paid: TopUp) -> None:
    for reference in ("top_" + "0" * 26, "something else"):
        copy(theirs(paid), reference=reference)
    row = run()
    assert kinds(row) == ["unknown_topup", "unknown_topup"]
    assert {found["account"] for found in row.differences} == {ada.account.public_id}
    assert "something else" in "".join(found["text"] for found in row.differences)


def test_it_passes_over_payments_of_other_installations(paid: TopUp, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = copy(theirs(paid), reference="top_" + "0" * 26)
    speaking(monkeypatch, lambda p: replace(p, installation="another") if p.id == foreign.id else p)
    row = run()
    assert (row.differences, row.payments) == ([], 1)


def test_it_passes_over_what_brought_no_money(paid: TopUp) -> None:
    copy(theirs(paid), reference="top_" + "0" * 26, status="failed", received=0)
    copy(theirs(paid), status="canceled", received=0)
    assert run().differences == []


@pytest.mark.parametrize(
    ("kind", "change", "both"),
    [
        ("received", {"received": 2000}, ("$20.00", "$25.00")),
        ("asked", {"amount": 2600}, ("$26.00", "$25.00")),
        ("currency", {"currency": "eur"}, ("eur", "usd")),
        ("customer", {"customer": "cus_other"}, ("cus_other", "cus_")),
        ("not_paid", {"status": gateways.Status.CANCELED}, ("canceled", "$25.00")),
        ("refunds", {"refunded": 700}, ("$7.00", "$0.00")),
    ],
)
def test_it_tells_both_sides_of_what_differs(
    paid: TopUp, monkeypatch: pytest.MonkeyPatch, kind: str, change: dict[str, Any], both: tuple[str, ...]
) -> None:
    speaking(monkeypatch, lambda p: replace(p, **change))
    (found,) = run().differences
    assert (found["kind"], found["payment"], found["topup"]) == (kind, paid.payment_id, paid.public_id)
    assert all(side in found["text"] for side in both)


def test_it_reads_page_after_page(ada: User, paid: TopUp) -> None:
    """More payments than one page of the processor or one batch of ours."""
    model = theirs(paid)
    columns = {field.attname: getattr(model, field.attname) for field in model._meta.concrete_fields}
    rows = [SandboxPayment(**columns | {"id": f"pi_{n}", "reference": "lost"}) for n in range(520)]
    for row in rows[1:-1]:
        row.status = "canceled"
    SandboxPayment.objects.bulk_create(rows)
    row = run()
    assert sorted(found["payment"] for found in row.differences) == ["pi_0", "pi_519"]
    assert row.payments == 521


# --- Our side -------------------------------------------------------------------------------------------------


def test_it_misses_a_payment_that_the_processor_does_not_know(ada: User, paid: TopUp) -> None:
    SandboxPayment.objects.all().delete()
    (found,) = run().differences
    assert (found["kind"], found["payment"]) == ("missing", paid.payment_id)


def test_it_is_not_deceived_by_another_attempt(ada: User, paid: TopUp) -> None:
    """A failed payment of the same top-up is there; the one that we credited is not."""
    copy(theirs(paid), status="failed", received=0)
    SandboxPayment.objects.filter(pk=paid.payment_id).delete()
    assert kinds(run()) == ["missing"]


def test_it_misses_an_entry_in_the_ledger(ada: User) -> None:
    """Planted by SQL: no code of ours writes a settled top-up without its entry."""
    topup = begin(ada, card=save_card(ada))
    payment = topups._ask(topup)
    Installation.objects.update(mode=Mode.SANDBOX)
    TopUp.objects.filter(pk=topup.pk).update(
        status="succeeded", received=25, payment_id=payment.id, next_look_at=None, ended_at=clock()
    )
    (found,) = run().differences
    assert (found["kind"], found["topup"]) == ("ledger", topup.public_id)
    assert "$25.00" in found["text"]
    assert "no entry" in found["text"]


def test_it_finds_an_entry_of_another_amount(ada: User, paid: TopUp) -> None:
    TopUp.objects.filter(pk=paid.pk).update(received=20)
    assert sorted(kinds(run())) == ["ledger", "received"]


def test_it_finds_an_entry_of_a_topup_that_did_not_succeed(ada: User, paid: TopUp) -> None:
    topup = topups.pay(begin(ada, card=save_card(ada, "pm_card_chargeCustomerFail")))
    ledger.credit_topup(ada.account_id, Decimal(25), key=str(topup.id), actor="t")
    assert [f["topup"] for f in run().differences if f["kind"] == "ledger"] == [topup.public_id]


def test_it_compares_manual_topups_with_the_ledger_alone(ada: User) -> None:
    topup = topups.record_manual(ada.account_id, Decimal(100), actor="t", reason="wire")
    TopUp.objects.filter(pk=topup.pk).update(received=90)
    assert kinds(run()) == ["ledger"]


def test_it_looks_up_what_has_been_open_for_long(ada: User) -> None:
    """Older than the window, and its payment with it."""
    topup = begin(ada, card=save_card(ada), now=clock() - 12 * DAY)
    payment = topups._ask(topup)
    SandboxPayment.objects.filter(pk=payment.id).update(created_at=topup.created_at)
    (found,) = run().differences
    assert (found["kind"], found["repaired"]) == ("not_credited", True)
    assert credits(ada) == [Decimal(25)]


# --- Refunds --------------------------------------------------------------------------------------------------


def refund(topup: TopUp, status: str, amount: int = 10) -> Refund:
    open_ = status in Refund.OPEN
    return Refund.objects.create(
        account_id=topup.account_id, topup=topup, mode=topup.mode, origin="staff", actor="t", amount=amount,
        taken=0, status=status, created_at=clock(), next_look_at=clock() if open_ else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs_is", "differs"),
    [
        ("succeeded", True, False),
        ("succeeded", False, True),
        ("created", False, False),
        ("pending", True, False),
        ("failed", False, False),
        ("failed", True, True),
    ],
)
def test_it_compares_refunds(paid: TopUp, ours: str, theirs_is: bool, differs: bool) -> None:
    """What is on its way may be on either side of the wire."""
    refund(paid, ours)
    if theirs_is:
        SandboxRefund.objects.create(
            id="re_1", payment=theirs(paid), amount=1000, status="succeeded", created_at=clock()
        )
    assert (kinds(run()) == ["refunds"]) is differs


def test_it_takes_in_a_refund_whose_event_was_lost(ada: User, paid: TopUp) -> None:
    """Made at the processor: it leaves the balance as its event would have made it, once, and is told."""
    SandboxRefund.objects.create(
        id="re_1", payment=theirs(paid), amount=1000, status="succeeded", created_at=clock()
    )
    (found,) = run().differences
    assert (found["kind"], found["repaired"]) == ("refunds", True)
    assert "$10.00" in found["text"]
    entry = LedgerEntry.objects.get(account_id=ada.account_id, kind="refund")
    assert entry.paid == Decimal(-10)
    assert run().differences == []


def test_it_compares_refunds_of_old_topups(paid: TopUp) -> None:
    TopUp.objects.update(ended_at=clock() - 30 * DAY, created_at=clock() - 30 * DAY)
    SandboxPayment.objects.update(created_at=clock() - 30 * DAY)
    assert run().topups == 0
    refund(paid, "succeeded")
    assert kinds(run()) == ["refunds"]


# --- Windows --------------------------------------------------------------------------------------------------


def test_it_does_not_stumble_over_the_edge_of_its_window(paid: TopUp) -> None:
    """A payment made long before its top-up ended, or on the other side of the edge, is asked for by its id."""
    now = clock()
    TopUp.objects.update(ended_at=now - 3 * DAY + timedelta(minutes=1))
    for made in (now - 4 * DAY - timedelta(minutes=1), now - 3 * DAY - timedelta(minutes=1), now + DAY):
        SandboxPayment.objects.update(created_at=made)
        row = run(now=now)
        assert (row.differences, row.topups) == ([], 1)


def test_it_looks_no_further_back_than_asked(paid: TopUp) -> None:
    copy(theirs(paid), created_at=clock() - 6 * DAY)
    assert run().differences == []
    assert kinds(run(since=clock() - 7 * DAY)) == ["second_payment"]


def test_it_looks_at_everything_when_asked_to(paid: TopUp) -> None:
    copy(theirs(paid), created_at=clock() - 1000 * DAY)
    assert kinds(run(full=True)) == ["second_payment"]


def test_it_leaves_no_gap_after_nights_without_a_run(paid: TopUp) -> None:
    run(now=clock() - 10 * DAY)
    copy(theirs(paid), created_at=clock() - 9 * DAY)
    assert kinds(run()) == ["second_payment"]


def test_it_keeps_what_is_in_question_until_staff_are_done_with_it(paid: TopUp) -> None:
    second = copy(theirs(paid), created_at=clock() - 20 * DAY)
    run(since=clock() - 21 * DAY)
    later = run()
    assert [found["payment"] for found in later.differences] == [second.id]
    StaffNotice.objects.update(done_at=clock(), done_by="usr")
    assert run().differences == []


def test_it_keeps_a_topup_in_question_too(paid: TopUp) -> None:
    TopUp.objects.update(ended_at=clock() - 20 * DAY)
    SandboxPayment.objects.all().delete()
    run(since=clock() - 21 * DAY)
    assert kinds(run()) == ["missing"]
    StaffNotice.objects.update(done_at=clock(), done_by="usr")
    assert run().differences == []


# --- Who is told ----------------------------------------------------------------------------------------------


def test_it_tells_staff_each_difference_once(ada: User, paid: TopUp) -> None:
    User.objects.create_superuser("root@example.com", factories.PASSWORD)
    copy(theirs(paid))
    run()
    run()
    notice = StaffNotice.objects.get()
    assert (notice.account_id, notice.topup_id) == (ada.account_id, paid.id)
    assert "Charged twice" in notice.text
    assert Mail.objects.filter(to="root@example.com").count() == 1


def test_it_sends_no_flood(paid: TopUp) -> None:
    for number in range(25):
        copy(theirs(paid), reference=f"unknown {number}")
    assert len(run().differences) == 25
    assert StaffNotice.objects.count() == 21
    assert "5 more" in StaffNotice.objects.order_by("-pk")[0].text


def test_it_tells_customers_only_what_concerns_them(ada: User, cy: User, paid: TopUp) -> None:
    assert for_customers(ada.account_id) == reconciliation.Standing(None, False)
    first = run()
    copy(theirs(paid))
    second = run()
    assert for_customers(ada.account_id) == reconciliation.Standing(first.ran_at, True)
    assert for_customers(cy.account_id) == reconciliation.Standing(second.ran_at, False)
    StaffNotice.objects.update(done_at=clock())
    assert not for_customers(ada.account_id).in_question


def test_it_counts_no_run_from_before_the_account(ada: User) -> None:
    run(now=ada.account.created_at - DAY)
    assert for_customers(ada.account_id).agreed_at is None


# --- The command and the night --------------------------------------------------------------------------------


def command(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and output."""
    try:
        call_command("reconcile_payments", *arguments)
    except SystemExit as end:
        return int(end.code or 0), capsys.readouterr().out
    return 0, capsys.readouterr().out


def test_the_command_prints_one_object(paid: TopUp, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = command("--json", capsys=capsys)
    told = json.loads(said)
    assert (code, told["clean"], told["payments"], told["topups"], told["differences"]) == (0, True, 1, 1, [])
    assert told["mode"] == "sandbox"


def test_the_command_ends_with_1_on_differences(
    ada: User, paid: TopUp, capsys: pytest.CaptureFixture[str]
) -> None:
    second = copy(theirs(paid))
    code, said = command("--json", "--full", capsys=capsys)
    (found,) = json.loads(said)["differences"]
    assert code == 1
    assert (found["kind"], found["account"], found["topup"], found["payment"]) == (
        "second_payment", ada.account.public_id, paid.public_id, second.id
    )  # fmt: skip
    code, said = command(capsys=capsys)
    assert code == 1
    assert f"{ada.account.public_id} {paid.public_id}: Charged twice" in said


@pytest.mark.parametrize("error", [Unavailable, Misconfigured])
def test_the_command_ends_with_2_when_the_processor_does_not_answer(
    paid: TopUp, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """In the middle of the list, too: nothing is recorded as clean."""

    class Breaks(SandboxGateway):
        def payments(self, **window: datetime) -> Iterator[Payment]:
            yield from super().payments(**window)
            raise error("the connection broke")

    monkeypatch.setattr(gateways, "gateway", Breaks)
    with pytest.raises(
        CommandError, match=f"Nothing was compared. {error.__name__}: the connection broke"
    ) as end:
        call_command("reconcile_payments")
    assert end.value.returncode == 2
    assert not Reconciliation.objects.exists()


def test_the_command_refuses_a_database_of_another_mode(paid: TopUp) -> None:
    Installation.objects.update(mode=Mode.STRIPE_LIVE)
    with pytest.raises(CommandError, match="stripe_live"):
        call_command("reconcile_payments")
    assert not Reconciliation.objects.exists()


@pytest.mark.parametrize("since", ["2999-01-01", "yesterday"])
def test_the_command_refuses_times_that_it_cannot_look_back_to(db: None, since: str) -> None:
    with pytest.raises(CommandError):
        call_command("reconcile_payments", "--since", since)


def test_it_runs_by_night(paid: TopUp, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks.reconcile_payments()
    assert Reconciliation.objects.get().differences == []

    class Away(SandboxGateway):
        def payments(self, **_: datetime) -> Iterator[Payment]:
            raise Unavailable("refused")

    monkeypatch.setattr(gateways, "gateway", Away)
    tasks.reconcile_payments()
    assert Reconciliation.objects.count() == 1
    assert "did not happen. Unavailable: refused" in StaffNotice.objects.get().text


def test_it_is_not_silent_about_a_night_that_broke(paid: TopUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "_in_question", lambda _: 1 / 0)
    tasks.reconcile_payments()
    assert not Reconciliation.objects.exists()
    assert "did not happen. ZeroDivisionError" in StaffNotice.objects.get().text


def test_it_looks_further_back_once_a_week(paid: TopUp) -> None:
    copy(theirs(paid), created_at=clock() - 30 * DAY)
    tasks.reconcile_payments()
    assert kinds(Reconciliation.objects.latest("pk")) == []
    tasks.reconcile_payments(days=40)
    assert kinds(Reconciliation.objects.latest("pk")) == ["second_payment"]


def test_it_asks_nobody_inside_a_transaction(paid: TopUp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent processor must not hold a lock on anybody's money."""
    depth = len(connection.savepoint_ids)

    class Watches(SandboxGateway):
        def payment(self, payment_id: str) -> Payment:
            assert len(connection.savepoint_ids) == depth
            return super().payment(payment_id)

    monkeypatch.setattr(gateways, "gateway", Watches)
    copy(theirs(paid))
    assert kinds(run()) == ["second_payment"]
