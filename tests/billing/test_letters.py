"""Emails about money: what they tell, to whom, and when there are none."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.db import transaction

from accounts import recipients
from accounts.models import Emails, Mail, User
from billing import auto_topup, holds, ledger, letters, topups
from billing.declines import SENTENCES, sentence_of
from billing.gateways import HARD_DECLINES
from billing.models import AutoTopup, BillingDetails, Mode, Refund, TopUp
from tests import factories
from tests.billing.paying import begin, save_card
from tests.billing.topping_up import (
    DECLINES,
    MUST_CONFIRM,
    NOON,
    attempt,
    auto_topups,
    run_low,
    turn_on,
    watching,
)

HOUR = timedelta(hours=1)
NOTHING_HAPPENED = ("You have not been charged", "your balance has not changed")


def added(user: User, amount: str = "25.00") -> TopUp:
    """A top-up that arrived at noon."""
    topup = begin(user, amount=Decimal(amount), card=save_card(user), now=NOON)
    return topups.pay(topup, now=NOON)


def refund_of(topup: TopUp, **changes: Any) -> Refund:
    facts = {
        "mode": topup.mode, "origin": Refund.Origin.STAFF, "actor": "usr_1", "amount": Decimal(25),
        "taken": Decimal(25), "created_at": NOON,
    }  # fmt: skip
    return Refund.objects.create(account=topup.account, topup=topup, **(facts | changes))


def told(tell: Callable[..., Any], *args: Any, **kwargs: Any) -> Mail:
    """The one letter that a call writes to its one owner."""
    Mail.objects.all().delete()
    tell(*args, **kwargs)
    return Mail.objects.get()


def forms_of(mail: Mail) -> list[str]:
    """What each of its two forms says, on one line and without markup."""
    html = unescape(re.sub(r"<[^>]+>", " ", mail.html.partition("<body")[2]))
    return [" ".join(form.split()) for form in (mail.text, html)]


def assert_says(mail: Mail, *facts: str) -> None:
    for form in forms_of(mail):
        assert [fact for fact in facts if fact not in form] == [], form


# --- Money arrives --------------------------------------------------------------------------------------------


def test_it_tells_of_a_topup_with_its_receipt(ada: User) -> None:
    mail = told(added, ada, "999.99")
    topup = TopUp.objects.get()
    assert (mail.subject, mail.to, mail.user) == ("$999.99 added to your balance", ada.email, ada)
    assert_says(
        mail, "$999.99 is on your balance and ready to use.", "Visa •••• 4242", "12 May 2026, 12:00 (UTC)",
        "$1,000.99", topup.public_id,
    )  # fmt: skip
    assert f"/settings/billing/receipts/{topup.public_id}/" in mail.text
    assert f"/settings/billing/receipts/{topup.public_id}/" in mail.html


def test_it_tells_why_auto_topup_charged(ada: User) -> None:
    """S45: auto-topup replenishes; the owner reads why, what and how to stop it."""
    watching(ada)
    run_low(ada, Decimal("9.99"))
    mail = told(attempt, ada)
    assert mail.subject == "$25.00 added to your balance"
    assert_says(
        mail, "We added $25.00 automatically because your balance fell below $10.00.", "$34.99",
        "for at most $500.00 a month", "Change or stop auto-topup",
    )  # fmt: skip
    assert "/settings/billing/auto-topup/" in mail.text


def test_it_tells_of_money_that_staff_entered(ada: User) -> None:
    wire = {"actor": "usr_1", "reason": "Wire 7", "now": NOON}
    mail = told(topups.record_manual, ada.account_id, Decimal("1234.56"), **wire)
    assert mail.subject == "$1,234.56 added to your balance"
    assert_says(mail, "We received your payment of $1,234.56", "Bank transfer or other", "$1,235.56")
    assert "Wire 7" not in mail.text  # staff's own words


def test_it_says_when_another_amount_arrived(ada: User) -> None:
    topup = added(ada)
    topup.amount = Decimal("40.00")
    mail = told(letters.topup_added, topup, now=NOON)
    assert_says(mail, "$25.00 is on your balance", "The payment was meant to be $40.00; $25.00 arrived")


def test_it_tells_the_balance_as_the_topup_left_it(ada: User) -> None:
    topup = added(ada)
    ledger.adjust(ada.account_id, Decimal(-20), key="spent", actor="test", reason="spent since", now=NOON)
    mail = told(letters.topup_added, topup, now=NOON + HOUR)
    assert_says(mail, "$26.00")


def test_it_prints_the_billing_details_and_the_processors_receipt(ada: User) -> None:
    BillingDetails.objects.create(
        account=ada.account, name="Ada Ltd", address="1 Main Street\nOslo", tax_id="NO 1"
    )
    topup = added(ada)
    topup.receipt_url = "https://pay.example.com/receipt/1"
    mail = told(letters.topup_added, topup, now=NOON)
    assert_says(mail, "Ada Ltd, 1 Main Street, Oslo", "NO 1")
    assert 'href="https://pay.example.com/receipt/1"' in mail.html
    assert "https://pay.example.com/receipt/1" in mail.text


# --- Auto-topup -----------------------------------------------------------------------------------------------


def test_it_confirms_what_was_agreed_to(ada: User) -> None:
    """The agreement: what, when, on which card, up to which limit, by whom, and how to end it."""
    mail = told(watching, ada)
    assert mail.subject == "Auto-topup is on: $25.00 below $10.00"
    assert_says(
        mail, "charge $25.00 to Visa •••• 4242 whenever your available balance falls below $10.00",
        "stop it at any time on the Auto-topup page", "Turning it on has charged nothing.", "$500.00", "5 top-ups",
        "12 May 2026, 12:00 (UTC)", ada.email,
    )  # fmt: skip


def test_it_says_that_the_first_topup_follows_at_once(ada: User) -> None:
    turn_on(ada)
    on = Mail.objects.get(subject__startswith="Auto-topup is on")
    assert_says(on, "Your balance is below $10.00 now, so the first top-up follows at once.")


def test_it_says_why_it_failed_and_when_it_tries_again(ada: User) -> None:
    ada.account.timezone = "America/New_York"
    ada.account.save()
    watching(ada, card=save_card(ada, DECLINES))
    run_low(ada)
    mail = told(attempt, ada)
    assert mail.subject == "Your automatic top-up of $25.00 did not go through"
    assert_says(
        mail, *NOTHING_HAPPENED, "The bank gave no reason; it can tell you more.",
        "We try again on 12 May 2026, 09:00 (America/New York)", "Balance now", "$1.00", auto_topups(ada)[0].public_id,
    )  # fmt: skip
    assert "/settings/billing/add-funds/" in mail.text


def test_it_does_not_promise_a_time_that_has_come(ada: User) -> None:
    watching(ada, card=save_card(ada, DECLINES))
    run_low(ada)
    topup = attempt(ada)
    assert topup is not None
    mail = told(letters.auto_topup_failed, topup, next_attempt_at=NOON, now=NOON)
    assert_says(mail, "We try again now.")


REASONS = {
    "declined": ("trying again would not help", "choose another card", *NOTHING_HAPPENED),
    "declined_repeatedly": ("was declined four times", "ask your bank about the card", *NOTHING_HAPPENED),
    "confirmation_expired": ("nobody did within 23 hours", "turn auto-topup on again", *NOTHING_HAPPENED),
    "card_removed": ("is no longer saved", "choose a card", "Nothing was charged."),
    "refunded": ("is being paid back", "turn them on", "Nothing was charged."),
    "disputed": ("was disputed", "tell your bank", "Nothing more was charged."),
}


@pytest.mark.parametrize("reason", AutoTopup.Stopped.values)
def test_it_says_why_it_stopped_and_the_next_step(ada: User, reason: str) -> None:
    watching(ada)
    topup = added(ada)
    topup.decline_code = "expired_card"
    mail = told(letters.auto_topup_stopped, ada.account_id, reason=reason, topup=topup, now=NOON)
    assert re.match(r"Auto-topup is off: \S.*", mail.subject)
    assert ("$25.00" in mail.subject) == (reason != "card_removed")
    assert_says(mail, *REASONS[reason], "Your agents keep working for as long as your balance lasts.")
    is_decline = reason.startswith("declined")
    assert ("This card has expired." in mail.text) == is_decline


@pytest.mark.parametrize("reason", AutoTopup.Stopped.values)
def test_it_says_why_it_stopped_without_a_payment_too(ada: User, reason: str) -> None:
    watching(ada)
    mail = told(auto_topup.stop, ada.account_id, AutoTopup.Stopped(reason), now=NOON)
    assert re.match(r"Auto-topup is off: [^$]*[a-z]$", mail.subject)
    assert_says(mail, "Off since", "12 May 2026, 12:00 (UTC)")


def test_it_tells_until_when_the_days_limit_holds(ada: User) -> None:
    watching(ada, monthly_limit=Decimal(500))
    for hour in range(5):
        run_low(ada)
        assert attempt(ada, now=NOON + hour * HOUR)
    run_low(ada)
    mail = told(attempt, ada, now=NOON + 5 * HOUR)
    assert mail.subject == "Auto-topup waits: the limit of 5 top-ups in 24 hours is reached"
    assert_says(
        mail, "has charged your card 5 times within 24 hours", "Your card was not charged again.",
        "resumes by itself on 13 May 2026, 12:00 (UTC)", "$125.00 of $500.00",
    )  # fmt: skip
    assert "/settings/billing/records/" in mail.text


def test_it_tells_until_when_the_months_limit_holds(ada: User) -> None:
    ada.account.timezone = "Europe/Oslo"
    ada.account.save()
    watching(ada, monthly_limit=Decimal(30))
    run_low(ada)
    attempt(ada)
    run_low(ada)
    mail = told(attempt, ada, now=NOON + HOUR)
    assert mail.subject == "Auto-topup waits: your monthly limit of $30.00 is reached"
    assert_says(
        mail, "another $25.00 would exceed your monthly limit of $30.00", "Your card was not charged again.",
        "resumes by itself on 1 June 2026, 00:00 (Europe/Oslo)", "raise the limit", "$25.00 of $30.00",
    )  # fmt: skip


def test_it_asks_to_confirm_the_same_payment_in_time(ada: User) -> None:
    """S45: a card that wants 3-D Secure: nothing is charged, and the link leads to that very payment."""
    watching(ada, card=save_card(ada, MUST_CONFIRM))
    run_low(ada)
    mail = told(attempt, ada)
    topup = auto_topups(ada)[0]
    assert mail.subject == "Confirm your payment of $25.00"
    assert_says(
        mail, "You have not been charged yet", "Confirm it by 13 May 2026, 11:00 (UTC).", "turn auto-topup off",
        "no other automatic payment is tried",
    )  # fmt: skip
    assert f"/settings/billing/topups/{topup.public_id}/" in mail.text


# --- Money goes back ------------------------------------------------------------------------------------------


def test_it_tells_of_a_refund(ada: User) -> None:
    refund = refund_of(added(ada), amount=Decimal(5), taken=Decimal(5))
    mail = told(letters.refunded, refund, now=NOON)
    assert mail.subject == "Your refund of $5.00 is on its way"
    assert_says(
        mail, "It goes back to Visa •••• 4242.", "5 to 10 days", "$5.00 has left your balance.",
        refund.public_id, f"$25.00, {refund.topup.public_id}", "Balance now",
    )  # fmt: skip
    assert "As you asked" not in mail.text


def test_it_tells_of_a_refund_that_its_owner_asked_for(ada: User) -> None:
    asked = refund_of(added(ada), origin=Refund.Origin.CUSTOMER, actor=ada.public_id)
    assert_says(told(letters.refunded, asked, now=NOON), "As you asked, we are paying back $25.00.")
    factories.member(ada.account, email="al@example.com", role=User.Role.ADMIN)
    letters.refunded(asked, now=NOON)
    assert_says(
        Mail.objects.get(to="al@example.com"), "As an owner of your account asked, we are paying back"
    )


def test_it_tells_what_of_a_refund_the_balance_paid(ada: User) -> None:
    mail = told(letters.refunded, refund_of(added(ada), taken=Decimal(10)), now=NOON)
    assert_says(mail, "$10.00 of it has left your balance; the rest had already left it.")
    mail = told(letters.refunded, refund_of(TopUp.objects.get(), taken=Decimal(0)), now=NOON)
    assert_says(mail, "Your balance has not changed: this money had already left it.")


def test_it_says_what_a_balance_below_zero_means(ada: User) -> None:
    topup = added(ada)
    ledger.adjust(ada.account_id, Decimal(-20), key="spent", actor="test", reason="spent since", now=NOON)
    ledger.take_back(ada.account_id, ledger.Kind.REFUND, Decimal(25), key="r", actor="test", now=NOON)
    mail = told(letters.refunded, refund_of(topup), now=NOON)
    assert_says(mail, "below zero now, so new work is refused until you add funds", "−$19.00")


def test_it_names_no_card_for_a_refund_by_hand(ada: User) -> None:
    topup = topups.record_manual(ada.account_id, Decimal(25), actor="usr_1", reason="Wire", now=NOON)
    mail = told(letters.refunded, refund_of(topup), now=NOON)
    assert_says(mail, "It goes back the way it came; no card is involved.")


def test_it_tells_of_a_refund_that_failed(ada: User) -> None:
    mail = told(letters.refund_failed, refund_of(added(ada)), now=NOON)
    assert mail.subject == "Your refund of $25.00 did not go through"
    assert_says(mail, "It has not reached you.", "$25.00 is back on your balance", "write to us")


# --- All of them ----------------------------------------------------------------------------------------------


def every_letter(user: User) -> list[Mail]:
    auto, topup = watching(user), added(user)
    refund = refund_of(topup)
    letters.auto_topup_failed(topup, next_attempt_at=NOON + HOUR, now=NOON)
    letters.auto_topup_stopped(user.account_id, reason="declined", topup=topup, now=NOON)
    letters.auto_topup_limited(auto, limit="month", now=NOON)
    letters.confirm_payment(topup, now=NOON)
    letters.refunded(refund, now=NOON)
    letters.refund_failed(refund, now=NOON)
    return list(Mail.objects.order_by("pk"))


def test_it_gives_every_letter_an_amount_or_reason_and_one_button(ada: User) -> None:
    mails = every_letter(ada)
    assert len({mail.subject for mail in mails}) == 8
    for mail in mails:
        assert "$" in mail.subject
        assert mail.html.count("display:inline-block") == 1
        assert not re.search(r"[{}%]\}|\n\n\n\n", mail.text), mail.text
        assert all("  " not in line.strip() for line in mail.text.splitlines()), mail.text
        assert_says(mail, "Test mode: no real money moves.")


def test_it_escapes_names_in_html_alone(ada: User) -> None:
    ada.account.name = 'Ada <b>& "Sons"</b>'
    ada.account.save()
    BillingDetails.objects.create(account=ada.account, name="<script>alert(1)</script>")
    mails = every_letter(ada)
    assert [mail.subject for mail in mails if "<script>" in mail.html or "<b>" in mail.html] == []
    assert all('Ada <b>& "Sons"</b>' in mail.text for mail in mails)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in Mail.objects.get(subject__contains="added to").html


def test_it_writes_to_owners_and_admins(ada: User, bo: User, cy: User) -> None:
    """Every active owner and admin, and no viewer, former owner or stranger."""
    factories.member(ada.account, email="second@example.com", role=User.Role.OWNER)
    factories.member(ada.account, email="admin@example.com", role=User.Role.ADMIN)
    former = factories.member(ada.account, email="former@example.com", role=User.Role.OWNER)
    former.is_active = False
    former.save()
    every_letter(ada)
    assert set(Mail.objects.values_list("to", flat=True)) == {
        ada.email,
        "second@example.com",
        "admin@example.com",
    }
    assert Mail.objects.filter(to="second@example.com").count() == 8


def test_it_writes_to_whom_the_members_choices_say(ada: User, bo: User) -> None:
    """A viewer may subscribe, an admin may not want it, an owner always hears of the money."""
    al = factories.member(ada.account, email="al@example.com", role=User.Role.ADMIN)
    recipients.choose(bo, Emails.IMPORTANT)
    for member in (ada, al):
        recipients.choose(member, Emails.NONE)
    every_letter(ada)
    assert set(Mail.objects.values_list("to", flat=True)) == {ada.email, bo.email}


@pytest.mark.parametrize(("role", "may_add"), [("admin", True), ("viewer", False)])
def test_it_asks_nobody_for_what_they_may_not_do(ada: User, role: str, may_add: bool) -> None:
    reader = factories.member(ada.account, email="al@example.com", role=role)
    recipients.choose(reader, Emails.ALL)
    every_letter(ada)
    stopped = Mail.objects.get(to=reader.email, subject__startswith="Auto-topup is off")
    assert_says(stopped, "Only an owner of the account can change auto-topup.", f"{role} of the account")
    for form in forms_of(Mail.objects.get(to=reader.email, subject__startswith="Auto-topup is on")):
        assert "An owner of your account agreed that we charge" in form
        assert "change your password" not in form
    for mail in Mail.objects.filter(to=reader.email):
        assert ("/add-funds/" in mail.text) <= may_add
        assert "/settings/notifications/" in mail.text


def test_it_writes_nothing_for_what_did_not_happen(ada: User) -> None:
    """A letter is a row of the transaction that it tells about."""
    with transaction.atomic():
        topups.record_manual(ada.account_id, Decimal(25), actor="usr_1", reason="Wire", now=NOON)
        assert Mail.objects.count() == 1
        transaction.set_rollback(True)
    assert not Mail.objects.exists()


def test_it_tells_real_money_from_a_rehearsal(ada: User) -> None:
    topups.record_manual(ada.account_id, Decimal(25), actor="usr_1", reason="Wire", now=NOON)
    topup = TopUp.objects.get()
    topup.mode = Mode.STRIPE_LIVE
    mail = told(letters.topup_added, topup, now=NOON)
    assert "Test mode" not in mail.text + mail.html


def test_it_tells_what_is_held_back(ada: User) -> None:
    watching(ada, balance=Decimal(12))
    holds.hold(
        ada.account_id,
        key="call",
        request_hash=b"call",
        amount=Decimal(5),
        purpose="call",
        terms={},
        lifetime=HOUR,
    )
    mail = told(letters.auto_topup_stopped, ada.account_id, reason="card_removed", topup=None, now=NOON)
    assert_says(mail, "$12.00 ($7.00 available)")


# --- Declines -------------------------------------------------------------------------------------------------


def test_it_has_a_plain_sentence_for_every_final_decline() -> None:
    assert SENTENCES.keys() >= HARD_DECLINES
    assert all(re.fullmatch(r"[A-Z].*\.", sentence) for sentence in SENTENCES.values())


def test_it_prefers_the_reason_to_the_general_code() -> None:
    assert sentence_of(TopUp(failure_code="card_declined", decline_code="insufficient_funds")) == (
        "The bank said there are not enough funds on this card."
    )
    known = TopUp(failure_code="expired_card", decline_code="something_new", failure_message="No.")
    assert sentence_of(known) == "This card has expired."
    unknown = TopUp(failure_code="card_declined", decline_code="something_new", failure_message="Declined.")
    assert sentence_of(unknown) == "Declined."


@pytest.mark.parametrize("code", ["lost_card", "stolen_card", "fraudulent", "pickup_card"])
def test_it_never_tells_a_thief_what_the_bank_knows(code: str) -> None:
    assert sentence_of(TopUp(decline_code=code)) == "The bank declined this card. Please contact your bank."
