"""Telling: once per account and key, in the transaction of its cause, to those whom it concerns."""

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection, transaction

from accounts import recipients
from accounts.models import Emails, Mail, User
from alerts import selectors, subscriptions
from alerts.models import Channel, Notification
from alerts.telling import tell
from tests import factories
from tests.accounts import mailbox
from tests.factories import BIRTHDAY as NOW

pytestmark = pytest.mark.django_db


def say(account_id: UUID, **changes: Any) -> bool:
    said: dict[str, Any] = {
        "key": "paused:1", "kind": "running_out", "level": "bad", "title": "Your agents are paused",
        "body": "The balance fell below one cent. Nothing is deleted.", "href": "/settings/billing/add-funds/",
    }  # fmt: skip
    return tell(account_id, **(said | {"now": NOW} | changes))


def letters(user: User) -> list[str]:
    return [subject for subject in mailbox.subjects(user.email) if subject.startswith("Your agents")]


def test_it_tells_in_the_dashboard_and_by_email(ada: User) -> None:
    """S42: an alert reaches its reader by email or in the dashboard, here both."""
    assert say(ada.account_id) is True
    row = Notification.objects.get()
    assert (row.account_id, row.kind, row.level, row.created_at) == (
        ada.account_id,
        "running_out",
        "bad",
        NOW,
    )
    assert (row.in_dashboard, row.emailed, selectors.unread(ada)) == (True, True, 1)
    mail = Mail.objects.get(subject="Your agents are paused")
    assert (mail.to, mail.user, mail.unsubscribe_url) == ("ada@example.com", ada, "")
    for form in (mail.text, mail.html):
        assert "The balance fell below one cent." in form
        assert f"{settings.SITE_URL}/settings/billing/add-funds/" in form
        assert "Test mode: no real money moves." in form
        assert "Ada" in form


def test_it_tells_once(ada: User) -> None:
    assert say(ada.account_id) is True
    assert say(ada.account_id, title="Your agents are paused again", now=NOW + timedelta(days=1)) is False
    assert letters(ada) == ["Your agents are paused"]
    assert say(ada.account_id, key="paused:2") is True
    assert selectors.unread(ada) == 2


def test_it_tells_each_account_its_own(ada: User, cy: User) -> None:
    assert say(ada.account_id) is True
    assert say(cy.account_id) is True
    assert (letters(ada), letters(cy)) == (["Your agents are paused"], ["Your agents are paused"])
    assert (selectors.unread(ada), selectors.unread(cy)) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_it_tells_once_when_two_notice_at_once(ada: User) -> None:
    start, answers = Barrier(8), []

    def notice() -> None:
        start.wait()
        answers.append(say(ada.account_id))
        connection.close()

    threads = [Thread(target=notice) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 7 + [True]
    assert (Notification.objects.count(), letters(ada)) == (1, ["Your agents are paused"])


def test_it_told_nothing_when_its_cause_is_rolled_back(ada: User) -> None:
    with transaction.atomic():
        assert say(ada.account_id) is True
        transaction.set_rollback(True)
    assert (selectors.unread(ada), letters(ada)) == (0, [])
    assert say(ada.account_id) is True


@pytest.mark.parametrize(
    ("channel", "mail", "unread", "mailed"),
    [
        (Channel.BOTH, True, 1, 1),
        (Channel.EMAIL, True, 0, 1),
        (Channel.DASHBOARD, True, 1, 0),
        (Channel.BOTH, False, 1, 0),
    ],
)
def test_it_keeps_to_the_channel(ada: User, channel: str, mail: bool, unread: int, mailed: int) -> None:
    """S42: by email, in the dashboard, or both; `mail=False` where billing wrote the letter already."""
    assert say(ada.account_id, channel=channel, mail=mail) is True
    assert (selectors.unread(ada), len(letters(ada))) == (unread, mailed)
    assert Notification.objects.get().emailed is bool(mailed)


def test_it_writes_to_owners_and_admins_who_are_still_there(ada: User, bo: User, cy: User) -> None:
    al = factories.member(ada.account, email="al@example.com", role="admin")
    factories.member(ada.account, email="gone@example.com", role="admin")
    User.objects.filter(email="gone@example.com").update(is_active=False)
    say(ada.account_id)
    written = Mail.objects.filter(subject="Your agents are paused").values_list("to", flat=True)
    assert sorted(written) == ["ada@example.com", "al@example.com"]
    assert (selectors.unread(bo), selectors.unread(al), selectors.unread(cy)) == (1, 1, 0)
    text = Mail.objects.get(to="al@example.com").text
    assert "because you are an admin of the account “Ada's agents”" in text


def test_it_leaves_out_who_unsubscribed_where_that_is_possible(ada: User) -> None:
    al = factories.member(ada.account, email="al@example.com", role="admin")
    subscriptions.choose(ada, optional=False)
    say(ada.account_id, optional=True)
    assert (letters(ada), letters(al)) == ([], ["Your agents are paused"])
    assert selectors.unread(ada) == 1
    say(ada.account_id, key="paused:2")
    assert letters(ada) == ["Your agents are paused"]


def test_it_writes_to_a_viewer_who_wants_it(ada: User, bo: User) -> None:
    """Without a way to a page that is closed to viewers."""
    subscriptions.choose(bo, optional=True)
    say(ada.account_id, href="/settings/billing/add-funds/")
    text = Mail.objects.get(to=bo.email).text
    assert "because you are a viewer of the account" in text
    assert "Choose which emails you get" in text
    assert "/add-funds/" not in text


def test_it_lists_what_an_admin_wanted_no_email_about(ada: User) -> None:
    al = factories.member(ada.account, email="al@example.com", role="admin")
    recipients.choose(al, Emails.NONE)
    assert say(ada.account_id, channel=Channel.EMAIL) is True
    assert (len(letters(ada)), letters(al), selectors.unread(al)) == (1, [], 1)


def test_it_loses_nothing_that_was_meant_for_email_alone(ada: User, cy: User) -> None:
    """Nobody's unsubscribing makes a rule tell nobody: the dashboard has it then."""
    subscriptions.choose(ada, optional=False)
    for owner in (ada, cy):
        assert say(owner.account_id, optional=True, channel=Channel.EMAIL) is True
    assert (len(letters(ada)), selectors.unread(ada)) == (0, 1)
    assert (len(letters(cy)), selectors.unread(cy)) == (1, 0)
    assert Notification.objects.get(account=ada.account).emailed is False


def test_it_offers_the_way_out_of_optional_email_only(ada: User) -> None:
    say(ada.account_id, optional=True)
    say(ada.account_id, key="paused:2")
    optional, needed = Mail.objects.filter(subject="Your agents are paused").order_by("id")
    assert optional.unsubscribe_url == subscriptions.url(ada)
    for form in (optional.text, optional.html):
        assert subscriptions.url(ada) in form
    for form in (needed.text, needed.html):
        assert "/unsubscribe/" not in form


def test_it_leads_to_the_inbox_where_there_is_no_other_page(ada: User) -> None:
    say(ada.account_id, href="")
    assert "/settings/notifications/" in mailbox.links(ada.email)


def test_it_cuts_what_is_too_long_rather_than_telling_nothing(ada: User) -> None:
    assert say(ada.account_id, title="a" * 161, body="b" * 601) is True
    row = Notification.objects.get()
    assert (row.title, row.body) == ("a" * 159 + "…", "b" * 599 + "…")


def test_it_keeps_what_names_contain_harmless(ada: User) -> None:
    say(
        ada.account_id, title="Your agents’ <b>one</b>\nand two", body="It's <script>alert(1)</script> & more"
    )
    mail = Mail.objects.get(subject__startswith="Your agents’")
    assert mail.subject == "Your agents’ <b>one</b> and two"
    assert "It's <script>alert(1)</script> & more" in mail.text
    assert "<script>" not in mail.html
    assert "<b>one" not in mail.html
