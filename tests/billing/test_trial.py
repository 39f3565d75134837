"""Trial credit: by itself, worth a first agent, once per person, for ever."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts import people
from accounts.models import User
from billing import ledger, selectors
from billing.errors import NoBalance
from billing.models import LedgerEntry, PaymentMethod, TopUp
from tests import factories
from tests.factories import BIRTHDAY
from tests.usage.events import chat, voice
from usage import metering

D = Decimal


def test_a_new_account_gets_trial_credit_by_itself(ada: User) -> None:
    """S6: when the email address is confirmed, and not a moment earlier."""
    entry = LedgerEntry.objects.get()
    assert (entry.kind, entry.granted, entry.paid, entry.recorded_at) == ("grant", D(1), 0, BIRTHDAY)
    unconfirmed = people.register(
        email="dee@example.com", password="correct horse", name="Dee", timezone="UTC", now=BIRTHDAY
    )
    with pytest.raises(NoBalance):
        selectors.balance_of(unconfirmed.account_id)


def test_it_buys_ten_minutes_of_voice_or_about_a_hundred_messages(ada: User, cy: User) -> None:
    """S7: ten minutes exactly; at GPT-4o with a look into the knowledge base some 117 messages."""
    assert metering.record(ada.account_id, voice("call", 600)).is_recorded
    assert not metering.record(ada.account_id, voice("one second more", 1)).is_recorded
    messages = [chat(f"m{n}", "gpt-4o", 1250, 340, retrieval_queries=1) for n in range(130)]
    outcomes = metering.record_many(cy.account_id, messages)
    assert 90 <= sum(outcome.is_recorded for outcome in outcomes) <= 120


def test_it_does_not_expire(ada: User) -> None:
    """S8: ten years later it pays for a message like any dollar."""
    later = BIRTHDAY + timedelta(days=3653)
    assert metering.record(ada.account_id, chat("late"), now=later).balance == D("0.999608500")


def test_first_use_needs_no_payment_details(ada: User) -> None:
    """S10: from sign-up to the first charge without a card or a top-up."""
    assert metering.record(ada.account_id, chat("first")).is_recorded
    assert not PaymentMethod.objects.exists()
    assert not TopUp.objects.exists()


@pytest.mark.parametrize("again", ["ADA@example.com", "ada+second@example.com", "ada+x+y@Example.com"])
def test_one_person_gets_it_once_however_the_address_is_spelt(ada: User, again: str) -> None:
    User.objects.update(email="moved@example.net")
    second = factories.owner(again)
    assert selectors.balance_of(second.account_id).balance == 0


def test_dots_do_not_count_at_gmail_and_the_claim_outlives_the_account(db: None) -> None:
    first = factories.owner("a.d.a@gmail.com")
    User.objects.filter(pk=first.pk).update(email="gone@example.net")
    assert selectors.balance_of(factories.owner("ada@googlemail.com").account_id).balance == 0


def test_granted_credit_is_spent_before_paid(ada: User) -> None:
    ledger.credit_topup(ada.account_id, D(5), key="t", actor="t", now=datetime.now(UTC))
    metering.record(ada.account_id, voice("call", 60))
    funds = selectors.balance_of(ada.account_id)
    assert (funds.granted, funds.paid) == (D("0.9"), D(5))
