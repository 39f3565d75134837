"""Answers to flags, told: in the dashboard and by email, once, also when every nudge was lost."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission

from accounts.models import Mail, User
from alerts import due, facts
from alerts.models import Notification
from tests.usage.flagging import a_charge, asked, staff
from tests.usage.renting import on
from usage import flags

pytestmark = pytest.mark.django_db
NOW, MINUTE = on("10 March"), timedelta(minutes=1)


def answer(ada: User, outcome: str, text: str) -> Notification:
    """What was told about an answered flag, and the proof that it is told once."""
    flag = asked(ada, a_charge(ada, at=NOW), at=NOW)
    facts.evaluate_due(now=NOW + 5 * MINUTE)
    assert not Notification.objects.filter(kind="flag").exists()
    flags.answer(flag, staff=staff(), outcome=outcome, text=text, now=NOW + 6 * MINUTE)
    assert due.accounts(now=NOW + 7 * MINUTE) == [ada.account_id]
    facts.evaluate_due(now=NOW + 7 * MINUTE)
    facts.evaluate_due(now=NOW + 8 * MINUTE)
    assert ada.account_id not in due.accounts(now=NOW + 8 * MINUTE)
    return Notification.objects.get(kind="flag")


@pytest.fixture(autouse=True)
def rights() -> None:
    Group.objects.get(name="billing").permissions.add(Permission.objects.get(codename="change_flag"))


def test_an_answer_is_told_to_the_account(ada: User, bo: User) -> None:
    told = answer(ada, "explained", "It was one message of 1,250 tokens.")
    assert told.title == "Your question about a charge is answered"
    assert told.body == "The charge stays as it is. We wrote: “It was one message of 1,250 tokens.”"
    assert told.href.startswith("/settings/billing/records/bill_")
    letter = Mail.objects.get(user=ada, subject__contains=told.title)
    assert "It was one message of 1,250 tokens." in letter.text
    assert told.in_dashboard, "where Bo, a viewer, reads it"


def test_money_that_went_back_is_good_news(ada: User) -> None:
    told = answer(ada, "reversed", "Sorry.")
    assert (told.title, told.level) == ("You have $0.0003915 back", "good")
    assert told.body == "The charge was given back to your balance. We wrote: “Sorry.”"


def test_the_longest_answer_is_told_whole(ada: User) -> None:
    told = answer(ada, "explained", "y" * flags.LONGEST)
    assert "y" * flags.LONGEST in told.body
