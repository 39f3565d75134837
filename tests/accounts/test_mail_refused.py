"""What a mail server says over the wire, and what becomes of the email: tried again, or never."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from accounts import mail
from accounts.models import Mail, User
from tests import factories
from tests.accounts.smtp_server import MailServer, serving
from tests.factories import BIRTHDAY as NOW

pytestmark = pytest.mark.django_db
YEAR = timedelta(days=365)
Serve = Callable[[dict[str, str]], MailServer]


@pytest.fixture
def serve(settings: Settings) -> Iterator[Serve]:
    """A mail server with these answers, which the product then sends to."""
    with ExitStack() as servers:

        def serve(answers: dict[str, str]) -> MailServer:
            server = servers.enter_context(serving(answers))
            settings.EMAIL_URL = f"smtp://127.0.0.1:{server.port}"
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
            return server

        yield serve


def write(user: User, *, secret: bool = False, unsubscribe: str = "") -> Mail:
    context: dict[str, object] = {"at": NOW}
    return mail.send(
        user.email, "password_changed", context, user=user, secret=secret, unsubscribe=unsubscribe, now=NOW
    )


def deliver_for_a_year() -> None:
    for day in range(0, 366):
        mail.deliver(now=NOW + timedelta(days=day))


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"RCPT": "550 5.1.1 No such user"}, "550 5.1.1 No such user"),
        ({"DATA": "554 5.6.0 We take no such text"}, "554"),
    ],
)
def test_it_asks_once_where_the_server_refuses_for_good(
    ada: User, serve: Serve, answers: dict[str, str], said: str
) -> None:
    server = serve(answers)
    row = write(ada)
    deliver_for_a_year()
    row.refresh_from_db()
    assert server.heard.count("RCPT") == 1
    assert (row.tries, row.next_try_at, row.sent_at, row.refused_at) == (1, None, None, NOW)
    assert said in row.error
    assert mail.refusal_of(ada) == row


@pytest.mark.parametrize(
    "answers",
    [
        {"RCPT": "450 4.2.1 Mailbox busy"},
        {"DATA": "451 4.3.0 Try later"},
        {"MAIL": "550 5.7.1 We do not take mail from you"},
        {"EHLO": "554 Go away", "HELO": "554 Go away"},
    ],
)
def test_it_tries_again_where_waiting_or_an_operator_helps(
    ada: User, serve: Serve, answers: dict[str, str]
) -> None:
    server = serve(answers)
    row = write(ada)
    mail.deliver(now=NOW)
    row.refresh_from_db()
    assert (row.tries, row.next_try_at, row.refused_at) == (1, NOW + timedelta(minutes=5), None)
    server.answers.clear()
    assert mail.deliver(now=NOW + timedelta(minutes=5)) == 1
    assert mail.refusal_of(ada) is None
    assert server.messages[-1]["To"] == "ada@example.com"


def test_it_makes_no_storm_of_an_address_that_is_refused_for_now(ada: User, serve: Serve) -> None:
    """ "No retry storm": ten tries, then the row says why."""
    server = serve({"RCPT": "450 4.2.1 Mailbox busy"})
    row = write(ada)
    deliver_for_a_year()
    row.refresh_from_db()
    assert server.heard.count("RCPT") == row.tries == 10
    assert (row.next_try_at, row.refused_at, row.error) == (None, None, "450 4.2.1 Mailbox busy")


def test_it_delivers_the_mail_behind_one_that_is_refused(ada: User, cy: User, serve: Serve) -> None:
    server = serve({"RCPT": "550 No such user"})
    write(ada)
    mail.deliver(now=NOW)
    server.answers.clear()
    write(cy)
    assert mail.deliver(now=NOW) == 1
    assert server.messages[-1]["To"] == "cy@example.net"


def test_it_remembers_a_refusal_until_an_email_gets_through(ada: User, serve: Serve) -> None:
    server = serve({"RCPT": "550 No such user"})
    write(ada)
    mail.deliver(now=NOW)
    assert mail.refusal_of(ada) is not None
    server.answers.clear()
    write(ada)
    mail.deliver(now=NOW)
    assert mail.refusal_of(ada) is None


def test_it_forgets_the_secret_of_a_mail_that_nobody_gets(ada: User, serve: Serve) -> None:
    serve({"RCPT": "550 No such user"})
    row = write(ada, secret=True)
    mail.deliver(now=NOW)
    row.refresh_from_db()
    assert (row.text, row.html) == ("", "")


def test_it_sends_the_way_out_as_mail_programs_read_it(ada: User, serve: Serve) -> None:
    """RFC 8058: one address, one POST."""
    server = serve({})
    write(ada)
    write(ada, unsubscribe="https://billing.example/unsubscribe/abc/")
    assert mail.deliver(now=NOW) == 2
    plain, optional = sorted(server.messages, key=lambda message: "List-Unsubscribe" in message)
    assert "List-Unsubscribe" not in plain
    assert optional["List-Unsubscribe"] == "<https://billing.example/unsubscribe/abc/>"
    assert optional["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_it_shows_staff_what_was_refused(ada: User, serve: Serve, client: Client) -> None:
    serve({"RCPT": "550 No such user"})
    write(ada)
    mail.deliver(now=NOW)
    client.force_login(User.objects.create_superuser("root@example.com", factories.PASSWORD))
    page = client.get("/admin/accounts/mail/?refused_at__isempty=0").content.decode()
    assert "550 No such user" in page
    assert "ada@example.com" in page
