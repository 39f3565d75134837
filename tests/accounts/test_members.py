"""Members: what role each has, how they leave, and that an account always keeps an owner."""

from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.test import Client

from accounts import api_keys, members
from accounts.models import ApiKey, Invitation, Mail, User
from alerts import reading
from alerts.models import Reader
from tests import factories
from tests.accounts.mailbox import subjects
from tests.api_client import ApiClient
from tests.factories import BIRTHDAY as NOW
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
PAGE = "/settings/account/members/"


@pytest.fixture
def browser(client: Client, ada: User) -> Client:
    client.force_login(ada)
    return client


@pytest.fixture
def al(ada: User) -> User:
    """Ada's admin."""
    return factories.member(ada.account, email="al@example.com", role="admin")


def role_of(user: User) -> str:
    return User.objects.get(pk=user.pk).role


def address(user: User, act: str = "") -> str:
    return f"{PAGE}{user.public_id}/{act}"


# --- The page -------------------------------------------------------------------------------------------------


def test_it_lists_the_members_of_this_account_only(client: Client, ada: User, bo: User, cy: User) -> None:
    client.force_login(bo)
    page = client.get(PAGE).content.decode()
    assert "ada@example.com" in page
    assert "bo@example.com" in page
    assert "cy@example.net" not in page


def test_it_tells_since_when_and_when_last(browser: Client, ada: User, bo: User) -> None:
    """Where the account is."""
    User.objects.filter(pk=ada.pk).update(last_login=NOW + timedelta(hours=1))
    ada.account.timezone = "Asia/Kolkata"
    ada.account.save()
    page = browser.get(PAGE).content.decode()
    assert "1 Mar 2026, 14:30" in page or "1 Mar, 14:30" in page
    assert "1 Mar 2026, 15:30" in page or "1 Mar, 15:30" in page
    assert "Never" in page


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("admin", False), ("owner", True)])
def test_it_explains_roles_to_all_and_offers_acts_to_owners(
    client: Client, ada: User, role: str, may: bool
) -> None:
    client.force_login(factories.member(ada.account, email="di@example.com", role=role))
    page = client.get(PAGE).content.decode()
    assert "and changes nothing." in page
    assert "Create API keys that add funds" in page
    assert ("Invite somebody" in page) is may
    assert (f"{ada.public_id}/" in page) is may
    assert "leave/" in page


# --- Roles ----------------------------------------------------------------------------------------------------


def test_it_changes_a_role_and_tells_the_member(browser: Client, bo: User) -> None:
    assert browser.post(address(bo), {"role": "admin"})["Location"] == PAGE
    assert role_of(bo) == "admin"
    mail = Mail.objects.get(to="bo@example.com")
    assert mail.subject == "Your role has changed: you are an admin now"
    assert "ada@example.com changed your role: you were a viewer" in mail.text
    assert "bo@example.com is an admin now" in browser.get(PAGE).content.decode()


def test_it_counts_from_the_next_click(ada: User, al: User) -> None:
    signed_in = Client()
    signed_in.force_login(al)
    assert signed_in.get("/settings/billing/add-funds/").status_code == 200
    members.change_role(al, "viewer", by=ada, now=NOW)
    assert signed_in.get("/settings/billing/add-funds/").status_code == 403


def test_it_tells_nobody_when_nothing_changed(browser: Client, bo: User) -> None:
    browser.post(address(bo), {"role": "viewer"})
    assert subjects("bo@example.com") == []


@pytest.mark.parametrize("role", ["owner", "", "root", "💥"])
def test_it_makes_nobody_an_owner_by_the_form_of_roles(browser: Client, bo: User, role: str) -> None:
    page = browser.post(address(bo), {"role": role}).content.decode()
    assert "Their role was not changed" in page
    assert role_of(bo) == "viewer"


def test_it_makes_a_second_owner_and_tells_all_owners(browser: Client, ada: User, bo: User) -> None:
    di = factories.member(ada.account, email="di@example.com", role="owner")
    assert "An owner can also remove you" in browser.get(address(bo, "owner/")).content.decode()
    assert browser.post(address(bo, "owner/"), {"me": "owner"})["Location"] == PAGE
    assert [role_of(user) for user in (ada, bo, di)] == ["owner"] * 3
    assert subjects("bo@example.com") == ["Your role has changed: you are an owner now"]
    for owner in (ada, di):
        assert subjects(owner.email) == ["bo@example.com is an owner of your account now"]


def test_it_hands_over_in_one_step(browser: Client, ada: User, bo: User) -> None:
    browser.post(address(bo, "owner/"), {"me": "admin"})
    assert (role_of(bo), role_of(ada)) == ("owner", "admin")
    assert "is an admin from now on" in Mail.objects.get(to=ada.email).text
    assert browser.get(address(bo)).status_code == 403


def test_it_hands_over_nothing_without_saying_what_becomes_of_oneself(browser: Client, bo: User) -> None:
    assert "This field is required" in browser.post(address(bo, "owner/"), {}).content.decode()
    assert role_of(bo) == "viewer"


def test_it_never_takes_the_last_owner_away(browser: Client, ada: User) -> None:
    """By the form of roles, by removing, by leaving."""
    assert "always has an owner" in browser.post(address(ada), {"role": "viewer"}).content.decode()
    assert browser.post(address(ada, "remove/"))["Location"] == f"{PAGE}leave/"
    page = browser.post(f"{PAGE}leave/").content.decode()
    assert "You are the only owner" in page
    assert (role_of(ada), members.of_account(ada.account_id).count()) == ("owner", 1)


def test_a_colleague_who_is_gone_is_no_owner(browser: Client, ada: User) -> None:
    di = factories.member(ada.account, email="di@example.com", role="owner")
    User.objects.filter(pk=di.pk).update(is_active=False)
    browser.post(address(ada), {"role": "viewer"})
    assert role_of(ada) == "owner"


# --- Removing -------------------------------------------------------------------------------------------------


def test_it_removes_a_member_whose_sessions_end_at_once(browser: Client, ada: User, bo: User) -> None:
    signed_in = Client()
    signed_in.force_login(bo)
    assert signed_in.get("/settings/account/").status_code == 200
    assert "signed out everywhere at once" in browser.get(address(bo, "remove/")).content.decode()
    assert browser.post(address(bo, "remove/"))["Location"] == PAGE
    assert signed_in.get("/settings/account/")["Location"].startswith("/sign-in/")
    page = browser.get(PAGE).content.decode()
    assert "bo@example.com is removed" in page
    assert "1 member<" in page
    assert subjects("bo@example.com") == ["You are no longer a member of “Ada's agents”"]


def test_it_forgets_who_was_removed(ada: User, bo: User) -> None:
    """Nothing personal stays: no address, no password, no mail, nothing about what they read."""
    reading.read(bo, through=NOW)
    Mail.objects.create(user=bo, to=bo.email, subject="s", text="t", html="h")
    members.remove(bo, by=ada, revoke_keys=False, now=NOW)
    row = User.objects.get(pk=bo.pk)
    assert (row.is_active, row.has_usable_password()) == (False, False)
    assert row.email == f"{bo.public_id.lower()}@removed.invalid"
    assert not Reader.objects.filter(user=bo).exists()
    assert not Mail.objects.filter(user=bo).exists()


def test_it_tells_the_other_owners(ada: User, bo: User) -> None:
    factories.member(ada.account, email="di@example.com", role="owner")
    members.remove(bo, by=ada, revoke_keys=False, now=NOW)
    assert subjects("di@example.com") == ["bo@example.com was removed from your account"]
    assert subjects("ada@example.com") == []


@pytest.mark.parametrize("revoke", [False, True])
def test_it_asks_what_becomes_of_the_keys_they_made(
    browser: Client, ada: User, al: User, api: ApiClient, revoke: bool
) -> None:
    """Keys are the account's: they work on unless the owner says otherwise."""
    make = {"account": ada.account, "scopes": ["balance:read"], "now": NOW}
    _, plain = api_keys.create(name="al's bot", created_by=al, **make)
    _, adas = api_keys.create(name="ada's bot", created_by=ada, **make)
    page = browser.get(address(al, "remove/")).content.decode()
    assert "al&#x27;s bot" in page
    assert "ada&#x27;s bot" not in page
    browser.post(address(al, "remove/"), {"revoke_keys": "on"} if revoke else {})
    balance = "/billing/v3/balance"
    assert api.get(balance, key=plain).status_code == (401 if revoke else 200)
    assert api.get(balance, key=adas).status_code == 200


def test_it_keeps_the_address_of_the_api_that_names_who_left(ada: User, api: ApiClient, ada_key: str) -> None:
    """S37: programs that were set up by somebody who left go on."""
    factories.member(ada.account, email="di@example.com", role="owner")
    members.leave(ada, now=NOW)
    assert api.get(f"/billing/history/{ada.public_id}?limit=10", key=ada_key).status_code == 200


def test_it_lets_who_was_removed_open_an_account_of_their_own(browser: Client, bo: User) -> None:
    browser.post(address(bo, "remove/"))
    form = {"email": "bo@example.com", "password": PASSWORD, "name": "Bo & Co", "timezone": "UTC"}
    assert Client().post("/sign-up/", form)["Location"] == "/check-email/"
    assert subjects("bo@example.com")[-1] == "Confirm your email address"


def test_it_keeps_staff_who_are_no_member_any_more(ada: User, bo: User) -> None:
    User.objects.filter(pk=bo.pk).update(is_staff=True)
    members.remove(bo, by=ada, revoke_keys=False, now=NOW)
    row = User.objects.get(pk=bo.pk)
    assert (row.email, row.is_active, row.account_id) == ("bo@example.com", True, None)


def test_it_removes_nobody_twice(browser: Client, bo: User) -> None:
    browser.post(address(bo, "remove/"))
    assert browser.post(address(bo, "remove/")).status_code == 404
    assert len(subjects("bo@example.com")) == 1


# --- Leaving --------------------------------------------------------------------------------------------------


def test_it_lets_a_member_leave(client: Client, ada: User, bo: User) -> None:
    client.force_login(bo)
    assert "The owners are told" in client.get(f"{PAGE}leave/").content.decode()
    assert members.of_account(ada.account_id).count() == 2
    answer = client.post(f"{PAGE}leave/", follow=True)
    assert "You have left the account" in answer.content.decode()
    assert client.get(PAGE)["Location"].startswith("/sign-in/")
    assert subjects("ada@example.com") == ["bo@example.com has left your account"]
    assert subjects("bo@example.com") == ["You have left “Ada's agents”"]


def test_it_lets_an_owner_leave_whom_another_follows(ada: User, bo: User) -> None:
    members.make_owner(bo, by=ada, stays=True, now=NOW)
    members.leave(ada, now=NOW)
    assert [member.email for member in members.of_account(ada.account_id)] == ["bo@example.com"]


# --- Wrong people, wrong ids, twice at once -------------------------------------------------------------------


@pytest.mark.parametrize("act", ["", "owner/", "remove/"])
def test_it_knows_no_member_of_another_account(client: Client, cy: User, bo: User, act: str) -> None:
    client.force_login(cy)
    for name in (bo.public_id, "usr_nonsense", str(bo.pk), "usr_00000000000000000000000000", "%00"):
        assert client.get(f"{PAGE}{name}/{act}").status_code == 404
        answer = client.post(f"{PAGE}{name}/{act}", {"role": "admin", "me": "admin"})
        assert answer.status_code == 404
    assert (role_of(bo), subjects("bo@example.com")) == ("viewer", [])


@pytest.mark.parametrize(
    "act",
    [
        lambda bo, al: members.change_role(bo, "admin", by=al, now=NOW),
        lambda bo, al: members.make_owner(bo, by=al, stays=True, now=NOW),
        lambda bo, al: members.remove(bo, by=al, revoke_keys=True, now=NOW),
    ],
)
def test_it_asks_again_who_acts(bo: User, al: User, act: Callable[[User, User], None]) -> None:
    """Who was an owner when the page was shown need not be one any more."""
    al.role = User.Role.OWNER  # as the request remembers
    with pytest.raises(PermissionDenied):
        act(bo, al)
    assert (role_of(bo), members.of_account(bo.account_id).count()) == ("viewer", 3)


def at_once(*acts: Callable[[], object]) -> list[str]:
    """What each of them ended with: the name of what it raised, or nothing."""
    start, ended = Barrier(len(acts)), []

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            act()
            ended.append("")
        except Exception as error:
            ended.append(type(error).__name__)
        connection.close()

    threads = [Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(ended)


@pytest.mark.django_db(transaction=True)
def test_it_keeps_an_owner_when_two_leave_at_once(ada: User) -> None:
    di = factories.member(ada.account, email="di@example.com", role="owner")
    ended = at_once(lambda: members.leave(ada, now=NOW), lambda: members.leave(di, now=NOW))
    assert ended == ["", "NotChanged"]
    assert [member.role for member in members.of_account(ada.account_id)] == ["owner"]


@pytest.mark.django_db(transaction=True)
def test_it_keeps_an_owner_when_two_remove_each_other(ada: User) -> None:
    di = factories.member(ada.account, email="di@example.com", role="owner")
    ended = at_once(
        lambda: members.remove(di, by=ada, revoke_keys=False, now=NOW),
        lambda: members.remove(ada, by=di, revoke_keys=False, now=NOW),
    )
    assert ended == ["", "PermissionDenied"]
    assert [member.role for member in members.of_account(ada.account_id)] == ["owner"]


@pytest.mark.django_db(transaction=True)
def test_it_keeps_an_owner_when_two_demote_each_other(ada: User) -> None:
    di = factories.member(ada.account, email="di@example.com", role="owner")
    ended = at_once(
        lambda: members.change_role(di, "viewer", by=ada, now=NOW),
        lambda: members.change_role(ada, "viewer", by=di, now=NOW),
    )
    assert ended == ["", "PermissionDenied"]


@pytest.mark.django_db(transaction=True)
def test_it_makes_nobody_wait_who_spends(ada: User) -> None:
    """The lock lets rows that point to the account be written: no charge waits for the members page."""
    written = Thread(target=write_invitation, args=[ada])
    with transaction.atomic():
        members.lock(ada.account_id)
        written.start()
        written.join(timeout=10)
        assert not written.is_alive()
    assert Invitation.objects.count() == 1


def write_invitation(ada: User) -> None:
    Invitation.objects.create(
        account_id=ada.account_id, email="x@example.com", created_at=NOW, expires_at=NOW + timedelta(days=7)
    )
    connection.close()


# --- Sessions -------------------------------------------------------------------------------------------------


def test_it_signs_out_everywhere(client: Client, ada: User, bo: User) -> None:
    """Every session of this person, nobody else's; the next sign-in lasts."""
    elsewhere, bos = Client(), Client()
    for one, person in ((client, ada), (elsewhere, ada), (bos, bo)):
        one.force_login(person)
    assert "Sign out everywhere?" in client.get("/sign-out/everywhere/").content.decode()
    assert elsewhere.get(PAGE).status_code == 200
    assert client.post("/sign-out/everywhere/")["Location"] == "/sign-in/"
    assert [one.get(PAGE).status_code for one in (client, elsewhere, bos)] == [302, 302, 200]
    elsewhere.post("/sign-in/", {"email": "ada@example.com", "password": PASSWORD})
    assert elsewhere.get(PAGE).status_code == 200


def test_it_leaves_keys_alone_when_somebody_signs_out(client: Client, ada: User, ada_key: str) -> None:
    client.force_login(ada)
    client.post("/sign-out/everywhere/")
    assert ApiKey.objects.get().is_usable(NOW)
