"""Email as rows: kept without a mail server, else sent after the commit and retried."""

from datetime import timedelta

import pytest
from django.core import mail as django_mail
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts import mail, tasks
from accounts.models import Mail, User
from tests.factories import BIRTHDAY as NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def mail_server(settings: Settings) -> None:
    settings.EMAIL_URL = "smtp://mail.example:25"  # pytest-django puts its own box behind it


def write(user: User, *, secret: bool = False) -> Mail:
    return mail.send(user.email, "password_changed", {"at": NOW}, user=user, now=NOW, secret=secret)


def test_it_keeps_mail_where_there_is_no_mail_server(ada: User) -> None:
    row = write(ada)
    assert (row.next_try_at, row.sent_at) == (None, None)
    assert mail.deliver(now=NOW) == 0
    assert django_mail.outbox == []


@pytest.mark.usefixtures("mail_server")
def test_it_sends_text_and_html_once(ada: User) -> None:
    row = write(ada)
    assert mail.deliver(now=NOW) == 1
    assert mail.deliver(now=NOW + timedelta(days=1)) == 0
    (sent,) = django_mail.outbox
    assert (sent.to, sent.subject) == (["ada@example.com"], "Your password was changed")
    assert "1 March 2026 at 09:00 UTC" in sent.body
    assert sent.alternatives[0][1] == "text/html"
    assert sent.extra_headers["Message-ID"] == f"<{row.pk}@localhost>"
    row.refresh_from_db()
    assert (row.sent_at, row.next_try_at, row.tries) == (NOW, None, 1)
    assert row.text


@pytest.mark.usefixtures("mail_server")
def test_it_forgets_a_link_that_signs_in_once_it_is_sent(ada: User) -> None:
    row = write(ada, secret=True)
    mail.deliver(now=NOW)
    row.refresh_from_db()
    assert (row.text, row.html) == ("", "")


@pytest.mark.usefixtures("mail_server")
def test_it_asks_for_delivery_only_after_the_commit(
    ada: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nudged: list[object] = []
    monkeypatch.setattr(mail, "nudge", lambda task: nudged.append(task))
    with django_capture_on_commit_callbacks(execute=True):
        write(ada)
        assert nudged == []
    assert nudged == [tasks.deliver_mail]


@pytest.mark.usefixtures("mail_server")
def test_it_writes_nothing_when_its_cause_is_rolled_back(ada: User) -> None:
    with transaction.atomic():
        write(ada)
        transaction.set_rollback(True)
    assert not Mail.objects.exists()


@pytest.mark.usefixtures("mail_server")
def test_it_tries_again_later_and_gives_up_in_the_end(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    row, now, waits = write(ada), NOW, []

    def refuse(mail_row: Mail) -> None:
        raise ConnectionRefusedError("the server is away")

    monkeypatch.setattr(mail, "_hand_over", refuse)
    while row.next_try_at is not None:
        assert mail.deliver(now=now - timedelta(seconds=1)) == 0 or now == NOW
        mail.deliver(now=now)
        row.refresh_from_db()
        if row.next_try_at:
            waits.append((row.next_try_at - now).total_seconds() / 60)
            now = row.next_try_at
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 1280]
    assert (row.tries, row.sent_at, row.error) == (10, None, "the server is away")


@pytest.mark.usefixtures("mail_server")
def test_it_sends_a_row_once_when_two_workers_meet(ada: User) -> None:
    row = write(ada)
    assert mail._try(row, now=NOW) is True
    assert mail._try(row, now=NOW) is False
    assert len(django_mail.outbox) == 1


def test_it_leaves_apostrophes_alone_in_text(ada: User) -> None:
    ada.email = "o'brien@example.com"
    row = write(ada)
    assert "o'brien@example.com" in row.text
    assert "o&#x27;brien@example.com" in row.html
