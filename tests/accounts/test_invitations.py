"""Inviting somebody by email, and joining."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import invitations, members, people
from accounts.invitations import NotJoined, NotSent, State
from accounts.models import Account, Invitation, Mail, User
from billing.models import LedgerEntry
from tests import factories
from tests.accounts.mailbox import links, subjects
from tests.accounts.test_members import at_once
from tests.factories import BIRTHDAY as NOW
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
PAGE = "/settings/account/members/"
EVE = "eve@example.org"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def browser(client: Client, ada: User) -> Client:
    client.force_login(ada)
    return client


@pytest.fixture
def eve(ada: User) -> Invitation:
    """Ada's invitation of Eve, a moment old."""
    return invitations.invite(EVE, "admin", by=ada, now=timezone.now())


def invite(browser: Client, email: str = EVE, role: str = "viewer") -> HttpResponse:
    return browser.post(PAGE, {"email": email, "role": role})


def path_of(email: str = EVE) -> str:
    """Where the link of the last email leads."""
    return next(link for link in links(email) if "/invitation/" in link)


def join(path: str, password: str = PASSWORD) -> HttpResponse:
    return Client().post(path, {"password": password})


def text_of(answer: HttpResponse) -> str:
    return answer.content.decode()


# --- Inviting -------------------------------------------------------------------------------------------------


def test_it_invites_by_email_and_the_invited_joins(browser: Client, ada: User) -> None:
    """S10: no payment details; and no trial either, which the account had."""
    assert invite(browser, "  EVE@Example.org ", "admin")["Location"] == PAGE
    assert "eve@example.org is invited" in text_of(browser.get(PAGE))
    client = Client()
    page = text_of(client.get(path_of()))
    assert "ada@example.com invites you as an admin. An admin runs the account" in page
    assert "Ada&#x27;s agents" in page
    grants = LedgerEntry.objects.count()
    answer = client.post(path_of(), {"password": PASSWORD})
    assert answer["Location"] == "/settings/billing/"
    member = User.objects.get(email=EVE)
    assert (member.account, member.role) == (ada.account, "admin")
    assert member.email_confirmed_at is not None
    assert LedgerEntry.objects.count() == grants
    assert "You are an admin of Ada&#x27;s agents now" in text_of(client.get("/settings/billing/"))


def test_it_tells_the_invited_everything_in_both_forms(ada: User, eve: Invitation) -> None:
    mail = Mail.objects.get(to=EVE)
    assert mail.subject == "ada@example.com invites you to “Ada's agents”"
    for form in (mail.text, mail.html):
        assert "as an admin" in form
        assert "/invitation/" in form
        assert "costs you nothing" in form
        assert f"{eve.expires_at:%-d %B %Y}" in form
    assert mail.secret


def test_it_tells_every_owner_who_joined(ada: User, eve: Invitation) -> None:
    factories.member(ada.account, email="di@example.com", role="owner")
    factories.member(ada.account, email="al@example.com", role="admin")
    invitations.accept(eve, password=PASSWORD, now=timezone.now())
    for owner in ("ada@example.com", "di@example.com"):
        assert subjects(owner) == ["eve@example.org has joined as an admin"]
    assert subjects("al@example.com") == []


def test_it_lists_open_invitations_with_who_and_until_when(browser: Client, eve: Invitation) -> None:
    page = text_of(browser.get(PAGE))
    assert EVE in page
    assert "1 open" in page
    assert f"{eve.expires_at.day} {eve.expires_at:%b}" in page
    with time_machine.travel(eve.expires_at + HOUR, tick=False):
        browser.force_login(User.objects.get(email="ada@example.com"))
        assert "Expired" in text_of(browser.get(PAGE))


def test_it_shows_viewers_what_is_open_but_no_buttons(client: Client, bo: User, eve: Invitation) -> None:
    client.force_login(bo)
    page = text_of(client.get(PAGE))
    assert EVE in page
    assert "Withdraw" not in page
    assert "Invite somebody" not in page


@pytest.mark.parametrize(
    ("email", "role", "says"),
    [
        ("", "viewer", "This field is required"),
        ("eve", "viewer", "Enter a valid email address"),
        ("a" * 250 + "@example.org", "viewer", "at most 254 characters"),
        ("eve@example.org\nBcc: x@example.org", "viewer", "valid email address"),
        (EVE, "owner", "not one of the available choices"),
        (EVE, "", "This field is required"),
        ("ada@example.com", "viewer", "is a member of this account already"),
    ],
)
def test_it_invites_nobody_and_says_why(browser: Client, email: str, role: str, says: str) -> None:
    page = text_of(invite(browser, email, role))
    assert "Nobody was invited" in page
    assert says in page
    assert not Invitation.objects.exists()
    assert not Mail.objects.filter(secret=True).exists()


def test_it_sends_one_invitation_of_a_form_sent_twice(browser: Client) -> None:
    invite(browser)
    assert "is invited already" in text_of(invite(browser))
    assert len(subjects(EVE)) == 1


def test_it_advertises_nothing_to_strangers(ada: User) -> None:
    """An account may have any name, and an invitation goes to anybody."""
    Account.objects.filter(pk=ada.account_id).update(name="Win now: https://evil.example/win")
    ada.refresh_from_db()
    invitations.invite(EVE, "viewer", by=ada, now=NOW)
    mail = Mail.objects.get(to=EVE)
    assert "evil" not in mail.subject + mail.text + mail.html
    assert mail.subject == "ada@example.com invites you to an account"


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_it_lets_owners_alone_invite(client: Client, ada: User, eve: Invitation, role: str) -> None:
    client.force_login(factories.member(ada.account, email="bo@example.com", role=role))
    assert invite(client, "x@example.org").status_code == 403
    for act in ("again", "withdraw"):
        assert client.post(f"/settings/account/invitations/{eve.public_id}/{act}/").status_code == 403
    assert Invitation.objects.filter(withdrawn_at=None).count() == 1


def test_it_asks_again_whether_the_inviter_is_an_owner_still(ada: User, bo: User) -> None:
    bo.role = User.Role.OWNER  # as the request remembers
    with pytest.raises(PermissionDenied):
        invitations.invite(EVE, "viewer", by=bo, now=NOW)


def test_it_knows_no_invitation_of_another_account(client: Client, cy: User, eve: Invitation) -> None:
    client.force_login(cy)
    assert EVE not in text_of(client.get(PAGE))
    for act in ("again", "withdraw"):
        for name in (eve.public_id, "inv_nonsense", "%00"):
            assert client.post(f"/settings/account/invitations/{name}/{act}/").status_code == 404
    assert Invitation.objects.filter(withdrawn_at=None).exists()


# --- Limits: nobody sends spam through us ---------------------------------------------------------------------


def test_it_keeps_a_number_of_open_invitations(ada: User) -> None:
    for number in range(invitations.OPEN_AT_MOST):
        invitations.invite(f"{number}@example.org", "viewer", by=ada, now=NOW + number * 2 * HOUR)
    with pytest.raises(NotSent, match="20 invitations are open"):
        invitations.invite(EVE, "viewer", by=ada, now=NOW + 3 * DAY)
    assert subjects(EVE) == []


def test_it_keeps_a_number_of_invitations_a_day_withdrawn_ones_too(ada: User) -> None:
    for number in range(invitations.A_DAY):
        row = invitations.invite(f"{number}@example.org", "viewer", by=ada, now=NOW)
        invitations.withdraw(row, by=ada, now=NOW)
    with pytest.raises(NotSent, match="within 24 hours"):
        invitations.invite(EVE, "viewer", by=ada, now=NOW + DAY - HOUR)
    assert invitations.invite(EVE, "viewer", by=ada, now=NOW + DAY + HOUR)


def test_it_floods_no_mailbox_from_many_accounts_and_spellings(ada: User, cy: User) -> None:
    di = factories.owner("di@example.org")
    for owner, email in ((ada, "e.ve@gmail.com"), (cy, "eve+1@gmail.com"), (di, "eve@gmail.com")):
        invitations.invite(email, "viewer", by=owner, now=NOW)
    with pytest.raises(NotSent, match="several times today"):
        invitations.invite("eve+2@gmail.com", "viewer", by=ada, now=NOW)


def test_it_sends_again_after_an_hour(browser: Client, ada: User) -> None:
    """For seven more days; who sends again is who invites."""
    row = invitations.invite(EVE, "viewer", by=ada, now=timezone.now() - timedelta(days=8))
    again = f"/settings/account/invitations/{row.public_id}/again/"
    assert join(path_of()).status_code == 410
    assert browser.post(again)["Location"] == PAGE
    assert "again. The link works for 7 more days" in text_of(browser.get(PAGE))
    assert len(subjects(EVE)) == 2
    browser.post(again)
    assert "less than an hour ago" in text_of(browser.get(PAGE))
    assert len(subjects(EVE)) == 2
    assert join(path_of()).status_code == 302


def test_it_withdraws(browser: Client, eve: Invitation) -> None:
    withdraw = f"/settings/account/invitations/{eve.public_id}/withdraw/"
    assert browser.post(withdraw)["Location"] == PAGE
    page = text_of(browser.get(PAGE))
    assert "Its link lets nobody in" in page
    assert "No open invitations" in page
    assert browser.post(withdraw).status_code == 404
    answer = join(path_of())
    assert (answer.status_code, "was withdrawn" in text_of(answer)) == (410, True)
    assert not User.objects.filter(email=EVE).exists()
    assert invite(browser).status_code == 302  # and may invite anew


# --- Joining --------------------------------------------------------------------------------------------------


def test_it_joins_nobody_who_only_looks(eve: Invitation) -> None:
    """Mail scanners follow links."""
    for _ in range(2):
        assert Client().get(path_of()).status_code == 200
    assert not User.objects.filter(email=EVE).exists()


@pytest.mark.parametrize(
    ("password", "says"),
    [("", "required"), ("short", "at least 10"), (EVE, "too similar"), ("password123", "too common")],
)
def test_it_asks_for_a_good_password(eve: Invitation, password: str, says: str) -> None:
    page = text_of(join(path_of(), password))
    assert "You have not joined yet" in page
    assert says in page
    assert not User.objects.filter(email=EVE).exists()


def test_it_works_once(eve: Invitation) -> None:
    path = path_of()
    assert join(path).status_code == 302
    for answer in (join(path, "another password"), Client().get(path)):
        assert (answer.status_code, "used already" in text_of(answer)) == (410, True)
    assert User.objects.get(email=EVE).check_password(PASSWORD)


def test_it_expires_after_seven_days(ada: User) -> None:
    invitations.invite(EVE, "viewer", by=ada, now=timezone.now() - timedelta(days=7))
    answer = join(path_of())
    assert (answer.status_code, "has expired" in text_of(answer)) == (410, True)


def test_it_lets_nobody_into_a_closed_account(ada: User, eve: Invitation) -> None:
    Account.objects.filter(pk=ada.account_id).update(closed_at=NOW)
    assert join(path_of()).status_code == 410
    with pytest.raises(NotJoined):
        invitations.accept(eve, password=PASSWORD, now=timezone.now())


@pytest.mark.parametrize(
    "forge",
    [
        lambda row: row.public_id,
        lambda row: f"{row.public_id}:{'A' * 43}",
        lambda row: signing.Signer(salt="accounts.confirm").sign(row.public_id),
        lambda row: signing.Signer(salt="accounts.invite").sign("inv_00000000000000000000000000"),
        lambda row: signing.Signer(salt="accounts.invite").sign("nonsense"),
        lambda row: "x" * 2_000,
        lambda row: "%00",
    ],
)
def test_it_takes_no_link_that_is_not_ours(eve: Invitation, forge: Callable[[Invitation], str]) -> None:
    path = f"/invitation/{forge(eve)}/"
    assert [Client().get(path).status_code, join(path).status_code] == [404, 404]
    assert not User.objects.filter(email=EVE).exists()


def test_it_says_when_somebody_else_is_signed_in(client: Client, cy: User, eve: Invitation) -> None:
    client.force_login(cy)
    page = text_of(client.get(path_of()))
    assert "You are signed in as somebody else" in page
    assert "cy@example.net" in page
    client.post(path_of(), {"password": PASSWORD})
    assert not User.objects.filter(email=EVE).exists()
    answer = client.post("/sign-out/", {"next": path_of()})
    assert answer["Location"] == path_of()
    assert "Choose a password" in text_of(client.get(path_of()))


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/"])
def test_it_leads_nobody_elsewhere_by_signing_out(client: Client, ada: User, target: str) -> None:
    client.force_login(ada)
    assert client.post("/sign-out/", {"next": target})["Location"] == "/sign-in/"


# --- An address that has a user -------------------------------------------------------------------------------


def test_it_tells_the_inviter_nothing_about_addresses_elsewhere(browser: Client, cy: User) -> None:
    """The same words and the same kind of email, whether or not the address has a user."""
    said = []
    for email in ("cy@example.net", "no@example.net"):
        assert invite(browser, email)["Location"] == PAGE
        page = text_of(browser.get(PAGE)).replace(email, "x@example.net")
        said.append(re.findall(r"x@example\.net is invited[^<]*", page))
        row = Invitation.objects.get(email=email)
        invitations.withdraw(row, by=User.objects.get(email="ada@example.com"), now=timezone.now())
    assert said[0] == said[1]
    assert subjects("cy@example.net") == subjects("no@example.net")


def test_it_tells_whoever_reads_the_mailbox_why_not(browser: Client, cy: User) -> None:
    """One person, one account: refused, with what to do."""
    invite(browser, "cy@example.net")
    for answer in (Client().get(path_of(cy.email)), join(path_of(cy.email))):
        assert "has an account already" in text_of(answer)
    cy.refresh_from_db()
    assert (cy.account.name, cy.check_password(PASSWORD)) == ("Cy's shop", True)
    assert Invitation.objects.get().accepted_at is None


def test_it_lets_in_who_left_the_other_account_meanwhile(browser: Client, ada: User, cy: User) -> None:
    factories.member(cy.account, email="zoe@example.net", role="owner")
    invite(browser, "cy@example.net")
    members.leave(cy, now=timezone.now())
    path = next(link for link in all_links("cy@example.net") if "/invitation/" in link)
    assert join(path).status_code == 302
    assert User.objects.get(email="cy@example.net").account == ada.account


def all_links(email: str) -> list[str]:
    texts = Mail.objects.filter(to=email).values_list("text", flat=True)
    return [path for text in texts for path in re.findall(r"http://[^/]+(/\S+)", text)]


def test_it_invites_a_removed_member_again(browser: Client, ada: User, bo: User) -> None:
    """A new user of the account: nothing of the old one comes back."""
    members.remove(bo, by=ada, revoke_keys=False, now=timezone.now())
    assert invite(browser, "bo@example.com", "admin")["Location"] == PAGE
    assert join(path_of("bo@example.com"), "quite another one").status_code == 302
    again = User.objects.get(email="bo@example.com")
    assert (again.account, again.role, again.pk != bo.pk) == (ada.account, "admin", True)
    assert not again.check_password(PASSWORD)


def test_it_comes_before_a_sign_up_that_proved_nothing(ada: User, eve: Invitation) -> None:
    """Somebody took the address by signing up with it: whoever reads the mailbox has it."""
    people.sign_up(email=EVE, password="the stranger's", name="E", timezone="UTC", now=NOW)
    assert join(path_of_invitation()).status_code == 302
    member = User.objects.get(email=EVE)
    assert (member.account, member.check_password(PASSWORD)) == (ada.account, True)
    assert not Account.objects.filter(name="E").exists()


def path_of_invitation() -> str:
    return next(link for link in all_links(EVE) if "/invitation/" in link)


def test_it_leaves_a_confirmed_sign_up_alone(ada: User, eve: Invitation) -> None:
    own = factories.owner(EVE, name="Eve's own")
    assert "has an account already" in text_of(join(path_of_invitation()))
    own.refresh_from_db()
    assert own.account.name == "Eve's own"


# --- Twice at once --------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_user_of_two_who_join_at_once(ada: User, eve: Invitation) -> None:
    now = timezone.now()
    ended = at_once(*[lambda: invitations.accept(eve, password=PASSWORD, now=now)] * 4)
    assert ended == ["", "NotJoined", "NotJoined", "NotJoined"]
    assert User.objects.filter(email=EVE).count() == 1
    assert subjects("ada@example.com") == ["eve@example.org has joined as an admin"]


@pytest.mark.django_db(transaction=True)
def test_it_lets_in_to_one_account_who_is_invited_to_two(ada: User, cy: User, eve: Invitation) -> None:
    now = timezone.now()
    other = invitations.invite(EVE, "viewer", by=cy, now=now)
    ended = at_once(
        lambda: invitations.accept(eve, password=PASSWORD, now=now),
        lambda: invitations.accept(other, password=PASSWORD, now=now),
    )
    assert ended == ["", "NotJoined"]
    assert User.objects.filter(email=EVE).count() == 1


@pytest.mark.django_db(transaction=True)
def test_it_withdraws_or_lets_in_but_never_both(ada: User, eve: Invitation) -> None:
    now = timezone.now()
    at_once(
        lambda: invitations.accept(eve, password=PASSWORD, now=now),
        lambda: invitations.withdraw(eve, by=ada, now=now),
    )
    eve.refresh_from_db()
    assert (eve.accepted_at is None) != (eve.withdrawn_at is None)
    assert User.objects.filter(email=EVE).exists() == (eve.accepted_at is not None)


@pytest.mark.django_db(transaction=True)
def test_it_sends_one_invitation_of_two_at_once(ada: User) -> None:
    ended = at_once(*[lambda: invitations.invite(EVE, "viewer", by=ada, now=NOW)] * 3)
    assert ended == ["", "NotSent", "NotSent"]
    assert len(subjects(EVE)) == 1


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, State.OPEN),
        ({"accepted_at": NOW, "withdrawn_at": None}, State.USED),
        ({"withdrawn_at": NOW}, State.WITHDRAWN),
        ({"expires_at": NOW}, State.EXPIRED),
    ],
)
def test_it_is_in_one_state(ada: User, changes: dict[str, datetime], state: State) -> None:
    row = Invitation(account=ada.account, email=EVE, created_at=NOW - DAY, expires_at=NOW + DAY)
    for name, value in changes.items():
        setattr(row, name, value)
    assert invitations.state_of(row, now=NOW) == state


# --- In the sandbox -------------------------------------------------------------------------------------------


def test_the_outbox_shows_the_inviter_the_link(
    browser: Client, cy: User, eve: Invitation, settings: Settings
) -> None:
    """Without a mail server nobody could follow it."""
    settings.SANDBOX_ALLOW_PUBLIC = True
    assert "/invitation/" in text_of(browser.get("/sandbox/outbox/"))
    stranger = Client()
    stranger.force_login(cy)
    assert EVE not in text_of(stranger.get("/sandbox/outbox/"))
