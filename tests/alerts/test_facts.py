"""What is always told: each fact once, by whoever notices first, and by the sweep if nobody did."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from unittest.mock import patch

import pytest
import time_machine
from django.db import transaction

from accounts.models import Mail, User
from alerts import due, facts, number_facts, rules
from alerts.models import Delivery, Notification, Watched
from billing import auto_topup, disputes, ledger, selectors
from billing.gateways import Dispute as BankDispute
from billing.models import AutoTopup, Refund, TopUp
from tests import factories
from tests.accounts import mailbox
from tests.alerts.platform import endpoint
from tests.alerts.watching import told
from tests.billing.paying import in_parallel, save_card
from tests.usage import events
from tests.usage.renting import DAY, HOUR, leave, on, rent, top_up
from usage import campaigns, metering, phone_numbers

pytestmark = pytest.mark.django_db
NOW = on("10 March")
MINUTE = timedelta(minutes=1)
RAN_OUT = "Your balance ran out: your agents are paused"
BACK = "Your balance is back"


def evaluate(user: User, *, at: datetime) -> list[str]:
    """What an evaluation newly told, and the proof that another has nothing more to tell."""
    before = told(user)
    facts.evaluate(user.account_id, now=at)
    now_told = told(user)
    facts.evaluate(user.account_id, now=at)
    assert told(user) == now_told
    assert user.account_id not in due.accounts(now=at)
    return now_told[len(before) :]


def without_rules(user: User) -> None:
    for rule in rules.of_account(user.account_id):
        rules.remove(rule)


@pytest.fixture
def ada(ada: User) -> User:
    """Ada with $5.00 paid and no rules: here it is about what is always told."""
    without_rules(ada)
    top_up(ada, "5.00", at=NOW - DAY)
    facts.evaluate(ada.account_id, now=NOW - DAY)
    Notification.objects.all().delete()
    Mail.objects.all().delete()
    return ada


def latest(user: User) -> Notification:
    return Notification.objects.filter(account_id=user.account_id).latest("created_at", "id")


# --- Running out ----------------------------------------------------------------------------------------------


def test_a_new_account_has_nothing_to_tell() -> None:
    bo = factories.owner("bo@example.org", now=NOW)
    assert bo.account_id not in due.accounts(now=NOW)
    assert evaluate(bo, at=NOW) == []


def test_an_account_that_never_had_funds_has_not_run_out() -> None:
    account = factories.account_without_trial(now=NOW)
    facts.evaluate(account.pk, now=NOW)
    assert not Notification.objects.exists()


def test_it_tells_once_that_the_balance_ran_out(ada: User) -> None:
    """S43, S48: by email and in the dashboard: what is left, what stops, what is kept, and the next step."""
    leave(ada, "0.00", at=NOW)
    assert due.accounts(now=NOW) == [ada.account_id]
    assert evaluate(ada, at=NOW) == [RAN_OUT]
    row = latest(ada)
    assert (row.level, row.href, row.emailed, row.in_dashboard) == (
        "bad",
        "/settings/billing/add-funds/",
        True,
        True,
    )
    for words in ("$0.00 is left", "402", "calls are not placed", "Nothing is deleted", "once you add funds"):
        assert words in row.body
    assert mailbox.subjects(ada.email) == [RAN_OUT]
    mail = Mail.objects.get(subject=RAN_OUT)
    assert ("Add funds:\n" in mail.text, mail.unsubscribe_url) == (True, "")
    assert evaluate(ada, at=NOW + 30 * DAY) == []


def test_it_tells_of_each_time_the_balance_runs_out(ada: User) -> None:
    for day in range(2):
        leave(ada, "0.00", at=NOW + day * DAY)
        assert evaluate(ada, at=NOW + day * DAY) == [RAN_OUT]
        leave(ada, "3.00", at=NOW + day * DAY + HOUR)
        assert evaluate(ada, at=NOW + day * DAY + HOUR) == [BACK]
    assert mailbox.subjects(ada.email) == [RAN_OUT, RAN_OUT]


def test_it_says_that_spending_is_still_frozen(ada: User) -> None:
    leave(ada, "0.00", at=NOW)
    evaluate(ada, at=NOW)
    ledger.freeze(ada.account_id, by="owner", frozen=True, now=NOW)
    leave(ada, "3.00", at=NOW + HOUR)
    evaluate(ada, at=NOW + HOUR)
    assert "Spending is frozen, so nothing goes on yet" in latest(ada).body


def test_it_tells_of_a_refused_request_once_a_day(ada: User) -> None:
    """The day is the account's: 22:00 in New York is the day after in UTC."""
    ada.account.timezone = "America/New_York"
    ada.account.save()
    for at, expected in ((NOW, 1), (NOW + HOUR, 0), (NOW + 17 * HOUR, 0), (NOW + 20 * HOUR, 1)):
        refuse(ada, at=at)
        assert len(evaluate(ada, at=at)) == expected, at
        leave(
            ada, str(selectors.balance_of(ada.account_id).balance + 1), at=at + MINUTE
        )  # a credit clears it
    assert mailbox.subjects(ada.email) == ["A request for $100.00 did not fit your balance"] * 2


def refuse(user: User, *, at: datetime) -> None:
    outcome = metering.record(
        user.account_id, events.chat(f"large {at}", "gpt-4o", 10_000_000, 7_500_000), now=at
    )
    assert outcome.status == "short"


def test_neither_mutes_the_other(ada: User) -> None:
    refuse(ada, at=NOW)
    assert len(evaluate(ada, at=NOW)) == 1
    leave(ada, "0.00", at=NOW + MINUTE)
    assert evaluate(ada, at=NOW + MINUTE) == [RAN_OUT]


# --- Phone numbers --------------------------------------------------------------------------------------------


def test_it_tells_of_a_number_on_days_0_3_and_6_of_its_grace_then_suspended_then_back(ada: User) -> None:
    """S46: the grace period, told as it passes; in service again once the rent is paid."""
    number = rent(ada, at=NOW)
    phone_numbers.provision(number, "+12025550123")
    leave(ada, "1.00", at=NOW)
    unpaid = NOW + 30 * DAY
    news = {day: evaluate(ada, at=unpaid + day * DAY) for day in range(10)}
    assert {day: titles for day, titles in news.items() if titles} == {
        0: ["Out of service in 7 days: +12025550123"],
        3: ["Out of service in 4 days: +12025550123"],
        6: ["Out of service in 1 day: +12025550123"],
        7: ["Suspended: +12025550123"],
    }
    top_up(ada, "5.00", at=unpaid + 10 * DAY)
    phone_numbers.renew_account(ada.account_id, now=unpaid + 10 * DAY)
    assert evaluate(ada, at=unpaid + 10 * DAY) == ["Back in service: +12025550123"]
    assert latest(ada).level == "good"
    assert len([subject for subject in mailbox.subjects(ada.email) if "+1202" in subject]) == 5


def test_it_names_numbers_that_change_together_in_one_letter(ada: User) -> None:
    for digits in ("+12025550123", "+12025550124"):
        phone_numbers.provision(rent(ada, at=NOW), digits)
    leave(ada, "0.00", at=NOW + DAY)
    assert evaluate(ada, at=NOW + DAY) == [RAN_OUT, "Out of service in 7 days: +12025550124, +12025550123"]


def test_it_does_not_call_a_freeze_good_news(ada: User) -> None:
    rent(ada, at=NOW)
    leave(ada, "0.00", at=NOW + DAY)
    evaluate(ada, at=NOW + DAY)
    ledger.freeze(ada.account_id, by="owner", frozen=True, now=NOW + 2 * DAY)
    assert evaluate(ada, at=NOW + 2 * DAY) == []
    ledger.freeze(ada.account_id, by="owner", frozen=False, now=NOW + 3 * DAY)
    assert evaluate(ada, at=NOW + 3 * DAY) == ["Out of service in 7 days: a phone number being set up"]


def test_it_tells_nothing_more_about_a_released_number(ada: User) -> None:
    number = rent(ada, at=NOW)
    leave(ada, "1.00", at=NOW)
    evaluate(ada, at=NOW + 30 * DAY)
    phone_numbers.release(ada.account_id, number.pk, actor="t", now=NOW + 31 * DAY)
    assert evaluate(ada, at=NOW + 40 * DAY) == []


# --- Campaigns ------------------------------------------------------------------------------------------------


def launch(user: User, name: str, *, at: datetime) -> campaigns.Campaign:
    plan = campaigns.Plan(name, None, 10, 60)
    campaign = campaigns.create(user.account_id, plan, now=at)
    campaigns.launch(campaign, actor=user.public_id, now=at)
    return campaign


def test_it_tells_that_campaigns_pause_and_go_on(ada: User) -> None:
    """S47: by the balance, with the reason; mailed where no other letter says that something stopped."""
    launch(ada, "Spring", at=NOW)
    launch(ada, "Autumn", at=NOW)
    assert evaluate(ada, at=NOW) == []
    leave(ada, "0.09", at=NOW + HOUR)
    assert evaluate(ada, at=NOW + HOUR) == ["Paused: Autumn, Spring"]
    assert "does not cover one minute" in latest(ada).body
    assert mailbox.subjects(ada.email) == ["Paused: Autumn, Spring"]
    leave(ada, "1.00", at=NOW + DAY)
    assert evaluate(ada, at=NOW + DAY) == ["Resumed: Autumn, Spring"]
    leave(ada, "0.00", at=NOW + 2 * DAY)
    assert evaluate(ada, at=NOW + 2 * DAY) == [RAN_OUT, "Paused: Autumn, Spring"]
    assert mailbox.subjects(ada.email)[1:] == [RAN_OUT]


def test_it_tells_nobody_what_its_owner_did_but_that_it_is_finished(ada: User) -> None:
    campaign = launch(ada, "Spring", at=NOW)
    campaigns.pause(campaign, now=NOW)
    assert evaluate(ada, at=NOW) == []
    campaigns.resume(campaign, now=NOW + HOUR)
    assert evaluate(ada, at=NOW + HOUR) == []
    campaigns.finish(campaign, now=NOW + DAY)
    assert evaluate(ada, at=NOW + DAY) == ["Finished: Spring"]
    assert evaluate(ada, at=NOW + 30 * DAY) == []


def messages(type_: str) -> list[dict[str, str]]:
    bodies = Delivery.objects.filter(type=type_).order_by("created_at", "pk").values_list("body", flat=True)
    return [json.loads(body)["data"] for body in bodies]


def test_the_platform_hears_of_every_pause_and_why(ada: User) -> None:
    endpoint("https://platform.example/hook")
    campaign = launch(ada, "Spring", at=NOW)
    evaluate(ada, at=NOW)
    campaigns.pause(campaign, now=NOW + HOUR)
    evaluate(ada, at=NOW + HOUR)
    campaigns.resume(campaign, now=NOW + 2 * HOUR)
    evaluate(ada, at=NOW + 2 * HOUR)
    ledger.freeze(ada.account_id, by="staff", frozen=True, now=NOW + 3 * HOUR)
    evaluate(ada, at=NOW + 3 * HOUR)
    ledger.freeze(ada.account_id, by="staff", frozen=False, now=NOW + 4 * HOUR)
    evaluate(ada, at=NOW + 4 * HOUR)
    leave(ada, "0.00", at=NOW + 5 * HOUR)
    evaluate(ada, at=NOW + 5 * HOUR)
    paused, resumed = messages("campaign.paused"), messages("campaign.resumed")
    assert [data["reason"] for data in paused] == ["owner", "frozen", "balance"]
    assert [(data["id"], data["state"]) for data in resumed] == [(campaign.public_id, "active")] * 2
    (out,) = messages("balance.depleted")
    assert (out["account"], out["balance"]) == (ada.account.public_id, "0.000000000")


def test_the_platform_hears_of_each_number_once(ada: User) -> None:
    """S46: as the API shows it, and not again on the days on which members are reminded."""
    endpoint("https://platform.example/hook")
    numbers = {rent(ada, at=NOW).public_id for _ in range(2)}
    leave(ada, "0.00", at=NOW + DAY)
    for day in range(1, 12):
        evaluate(ada, at=NOW + day * DAY)
    grace, suspended = messages("phone_number.grace_started"), messages("phone_number.suspended")
    assert [{data["id"] for data in told} for told in (grace, suspended)] == [numbers, numbers]
    assert (len(grace), len(suspended)) == (2, 2)
    assert {(data["state"], data["reason"], data["until"]) for data in grace} == {
        ("grace", "balance", "2026-03-18T09:00:00Z")
    }
    leave(ada, "5.00", at=NOW + 12 * DAY)
    evaluate(ada, at=NOW + 12 * DAY)
    assert {data["id"] for data in messages("phone_number.restored")} == numbers


# --- Payments -------------------------------------------------------------------------------------------------


def topup(user: User, status: str, *, at: datetime, origin: str = "auto", **more: object) -> TopUp:
    received = Decimal(25) if status == "succeeded" else None
    facts_ = {"ended_at": at, "next_look_at": None} if status != "requires_action" else {"next_look_at": at}
    return TopUp.objects.create(
        account=user.account, mode="sandbox", origin=origin, actor="t", amount=Decimal(25), received=received,
        created_at=at, status=status, brand="visa", last4="4242", **(facts_ | more),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "origin", "more", "expected"),
    [
        ("succeeded", "auto", {}, ["Auto-topup added $25.00"]),
        (
            "failed",
            "auto",
            {"decline_code": "insufficient_funds"},
            ["The automatic top-up of $25.00 did not go through"],
        ),
        ("requires_action", "auto", {}, ["Confirm the automatic top-up of $25.00"]),
        ("canceled", "auto", {"failure_code": "superseded"}, []),
        (
            "failed",
            "page",
            {"decline_code": "insufficient_funds"},
            ["Your top-up of $25.00 did not go through"],
        ),
        ("canceled", "page", {}, []),
    ],
)
def test_it_tells_in_the_dashboard_what_billing_has_mailed(
    ada: User, status: str, origin: str, more: dict[str, str], expected: list[str]
) -> None:
    topup(ada, status, at=NOW, origin=origin, **more)
    assert ada.account_id in due.accounts(now=NOW)
    assert evaluate(ada, at=NOW) == expected
    assert mailbox.subjects(ada.email) == []


def test_it_mails_a_failure_that_came_when_nobody_looked_any_more(ada: User) -> None:
    topup(
        ada, "failed", at=NOW + DAY, origin="page", decline_code="insufficient_funds", ended_at=NOW + 2 * DAY
    )
    assert evaluate(ada, at=NOW + 2 * DAY) == ["Your top-up of $25.00 did not go through"]
    assert "not enough funds" in latest(ada).body
    assert mailbox.subjects(ada.email) == ["Your top-up of $25.00 did not go through"]


def test_it_tells_a_stop_of_auto_topup_and_not_the_failure_too(ada: User) -> None:
    AutoTopup.objects.create(
        account=ada.account, mode="sandbox", threshold=10, amount=25, monthly_limit=500, card=save_card(ada),
        enabled=True, consented_at=NOW,
    )  # fmt: skip
    failed = topup(ada, "failed", at=NOW, decline_code="lost_card")
    auto_topup.stop(ada.account_id, AutoTopup.Stopped.DECLINED, now=NOW, topup=failed)
    assert evaluate(ada, at=NOW) == ["Auto-topup is off"]
    assert "for good" in latest(ada).body
    assert len([subject for subject in mailbox.subjects(ada.email) if "Auto-topup is off" in subject]) == 1
    AutoTopup.objects.update(month_limit_told_on=NOW.date(), monthly_limit=20)
    assert evaluate(ada, at=NOW) == ["Auto-topup waits: a limit is reached"]
    assert "It resumes by itself on 1 April 2026, 00:00 (UTC), if your balance" in latest(ada).body
    assert evaluate(ada, at=NOW + HOUR) == []


def test_it_mails_a_dispute_and_its_end(ada: User) -> None:
    """Billing has no letter about a dispute to the members."""
    paid = TopUp.objects.get(account=ada.account)
    for status, expected in (
        ("warning_needs_response", []),
        ("needs_response", ["A payment of $5.00 is disputed"]),
        ("under_review", []),
        ("won", ["The dispute of $5.00 is over"]),
    ):
        with time_machine.travel(NOW, tick=False):
            disputes.record(bank_dispute(paid, status), paid, now=NOW)
        assert [title for title in evaluate(ada, at=NOW) if "$5.00" in title] == expected, status
    assert len([subject for subject in mailbox.subjects(ada.email) if "dispute" in subject]) == 2


def test_it_tells_of_a_refund_and_of_its_failure(ada: User) -> None:
    """Billing has mailed both."""
    paid = TopUp.objects.get(account=ada.account)
    refund = Refund.objects.create(
        account=ada.account, topup=paid, mode="sandbox", origin="staff", actor="t", amount=Decimal(5),
        taken=Decimal(4), created_at=NOW, next_look_at=NOW,
    )  # fmt: skip
    assert ada.account_id in due.accounts(now=NOW)
    assert evaluate(ada, at=NOW) == ["$5.00 is on its way back to you"]
    assert "$4.00 left your balance" in latest(ada).body
    Refund.objects.filter(pk=refund.pk).update(status="succeeded", ended_at=NOW + DAY, next_look_at=None)
    assert evaluate(ada, at=NOW + DAY) == []
    Refund.objects.filter(pk=refund.pk).update(status="failed", ended_at=NOW + 20 * DAY)
    assert ada.account_id in due.accounts(now=NOW + 20 * DAY)
    assert evaluate(ada, at=NOW + 20 * DAY) == ["The refund of $5.00 failed"]
    assert mailbox.subjects(ada.email) == []


def bank_dispute(paid: TopUp, status: str) -> BankDispute:
    return BankDispute(id="dp_1", payment_id=paid.payment_id or "", amount=500, status=status)


# --- Once, whatever happens -----------------------------------------------------------------------------------


def test_the_sweep_makes_good_what_every_lost_nudge_left_untold(ada: User, cy: User) -> None:
    rent(ada, at=NOW)
    launch(ada, "Spring", at=NOW)
    leave(ada, "0.00", at=NOW + DAY)
    facts.evaluate_due(now=NOW + DAY)
    assert told(ada) == [RAN_OUT, "Out of service in 7 days: a phone number being set up", "Paused: Spring"]
    assert told(cy) == []
    facts.evaluate_due(now=NOW + DAY + MINUTE)
    assert len(told(ada)) == 3
    assert due.accounts(now=NOW + DAY) == []


def test_one_account_that_fails_does_not_silence_the_others(ada: User, cy: User) -> None:
    rent(ada, at=NOW)
    leave(ada, "0.00", at=NOW + DAY)
    leave(cy, "0.00", at=NOW + DAY)
    with patch.object(number_facts, "tell_numbers", wraps=number_facts.tell_numbers) as broken:
        broken.side_effect = lambda look: 1 / 0 if look.account.pk == ada.account_id else None
        facts.evaluate_due(now=NOW + DAY)
    assert (told(ada), told(cy)[:1]) == ([], [RAN_OUT])
    facts.evaluate_due(now=NOW + DAY)
    assert told(ada)[0] == RAN_OUT


def test_it_told_nothing_when_it_was_rolled_back(ada: User) -> None:
    leave(ada, "0.00", at=NOW)
    with transaction.atomic():
        facts.tell_facts(ada.account_id, now=NOW)
        assert told(ada) == [RAN_OUT]
        transaction.set_rollback(True)
    assert told(ada) == []
    assert evaluate(ada, at=NOW) == [RAN_OUT]


@pytest.mark.django_db(transaction=True)
def test_sixteen_evaluations_at_once_tell_once(ada: User) -> None:
    rent(ada, at=NOW)
    launch(ada, "Spring", at=NOW)
    leave(ada, "0.00", at=NOW + DAY)
    in_parallel(16, lambda turn: facts.evaluate(ada.account_id, now=NOW + DAY + turn * MINUTE))
    assert told(ada) == [RAN_OUT, "Out of service in 7 days: a phone number being set up", "Paused: Spring"]
    assert len(mailbox.subjects(ada.email)) == 2


def test_what_happened_before_watching_began_is_no_news(ada: User) -> None:
    """The first evaluation of an account from before there were alerts tells no old news."""
    topup(ada, "failed", at=NOW, origin="page")
    leave(ada, "0.00", at=NOW)
    Watched.objects.all().delete()
    Watched.objects.create(account=ada.account, subject="watch", state="on", since=NOW + HOUR)
    facts.evaluate_due(now=NOW + DAY)
    assert told(ada) == []
    assert ada.account_id not in due.accounts(now=NOW + DAY)
    leave(ada, "3.00", at=NOW + DAY)
    assert evaluate(ada, at=NOW + DAY) == [BACK]


def test_a_closed_account_has_nobody_to_tell(ada: User) -> None:
    leave(ada, "0.00", at=NOW)
    ada.account.closed_at = NOW
    ada.account.save()
    facts.evaluate_due(now=NOW)
    assert told(ada) == []
