"""The way out of optional email: signed out, one click, and back again."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.core import signing
from django.test import Client

from accounts import recipients
from accounts.models import Emails, Mail, User
from alerts import subscriptions
from tests import factories
from tests.alerts.test_telling import letters, say

pytestmark = pytest.mark.django_db


def link(user: User) -> str:
    return subscriptions.url(user).removeprefix(settings.SITE_URL)


def wants_optional(user: User) -> bool:
    """As it is kept now."""
    return subscriptions.wants_optional(User.objects.get(pk=user.pk))


def test_it_does_nothing_when_a_link_is_only_looked_at(ada: User) -> None:
    """Mail scanners follow links."""
    page = Client().get(link(ada)).content.decode()
    assert "Stop optional email?" in page
    assert wants_optional(ada) is True


def test_it_unsubscribes_signed_out_by_the_link_of_the_email(ada: User) -> None:
    say(ada.account_id, optional=True)
    (mail,) = Mail.objects.filter(subject="Your agents are paused")
    client = Client(enforce_csrf_checks=True)
    answer = client.post(mail.unsubscribe_url.removeprefix(settings.SITE_URL))
    assert (answer.status_code, "You are unsubscribed" in answer.content.decode()) == (200, True)
    say(ada.account_id, key="paused:2", optional=True)
    assert len(letters(ada)) == 1


def test_it_takes_the_one_click_of_a_mail_program(ada: User) -> None:
    """RFC 8058: a POST without cookies, answered without a redirect."""
    client = Client(enforce_csrf_checks=True)
    answer = client.post(link(ada), {"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, wants_optional(ada)) == (200, False)


def test_it_gives_nobody_more_email_than_before(ada: User) -> None:
    """An admin who wants none at all follows the link of an old email."""
    al = factories.member(ada.account, email="al@example.com", role="admin")
    recipients.choose(al, Emails.NONE)
    for _ in range(2):
        Client().post(link(al))
    assert recipients.wish_of(User.objects.get(pk=al.pk)) == Emails.NONE


def test_it_takes_back_a_click_by_mistake(ada: User) -> None:
    Client().post(link(ada))
    page = Client().post(link(ada), {"subscribe": "yes"}).content.decode()
    assert "You get optional email again" in page
    assert wants_optional(ada) is True


def test_it_ends_the_email_of_one_person_only(ada: User, cy: User) -> None:
    al = factories.member(ada.account, email="al@example.com", role="admin")
    Client().post(link(ada))
    assert [wants_optional(user) for user in (ada, al, cy)] == [False, True, True]


@pytest.mark.parametrize(
    "forge",
    [
        lambda user: user.public_id,
        lambda user: f"{user.public_id}:{'A' * 43}",
        lambda user: signing.Signer(salt="accounts.confirm").sign(user.public_id),
        lambda user: signing.Signer(salt="alerts.unsubscribe").sign("usr_nonsense"),
    ],
)
def test_it_takes_no_link_that_is_not_ours(ada: User, forge: Callable[[User], str]) -> None:
    for send in (Client().get, Client().post):
        answer = send(f"/unsubscribe/{forge(ada)}/")
        assert (answer.status_code, "Nothing has changed" in answer.content.decode()) == (404, True)
    assert wants_optional(ada) is True


def test_it_knows_nobody_who_is_gone(ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert Client().post(link(ada)).status_code == 404


def test_it_tells_nobody_whose_link_it_is(ada: User) -> None:
    """Emails are forwarded; the page names no address."""
    assert "ada@example.com" not in Client().get(link(ada)).content.decode()


def test_it_begins_with_every_owner_and_admin_subscribed(ada: User, bo: User) -> None:
    al = factories.member(ada.account, email="al@example.com", role="admin")
    assert [subscriptions.wants_optional(user) for user in (ada, al, bo)] == [True, True, False]
