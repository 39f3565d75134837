"""The inbox: newest first, unread until seen, and the bell that counts."""

import re
from datetime import timedelta

import pytest
from django.test import Client

from accounts import recipients
from accounts.models import Emails, Mail, User
from alerts import reading, selectors, subscriptions
from alerts.models import Channel, Notification, Reader
from tests import factories
from tests.alerts.test_telling import say
from tests.factories import BIRTHDAY as NOW

pytestmark = pytest.mark.django_db
PAGE = "/settings/notifications/"


@pytest.fixture
def browser(client: Client, ada: User) -> Client:
    client.force_login(ada)
    return client


def page_of(client: Client, query: str = "") -> str:
    return str(client.get(f"{PAGE}{query}").content.decode())


def bell(page: str) -> str:
    found = re.search(r'aria-label="Notifications, (\S+) unread"', page)
    assert found
    return found[1]


def tell_many(user: User, count: int) -> None:
    for number in range(count):
        say(
            user.account_id, key=f"n:{number}", title=f"Told {number:03}", channel=Channel.DASHBOARD,
            now=NOW + timedelta(minutes=number),
        )  # fmt: skip


def titles(page: str) -> list[str]:
    return re.findall(r"Told \d{3}", page)


def read(client: Client) -> None:
    """As the button does: with what the page shows."""
    found = re.search(r'name="through" value="(\w+)"', page_of(client))
    assert found
    assert client.post(f"{PAGE}read/", {"through": found[1]}).status_code == 303


def test_it_says_where_news_will_be_when_there_is_none(browser: Client) -> None:
    page = page_of(browser)
    assert "Nothing yet" in page
    assert bell(page) == "0"
    assert "Mark all as read" not in page


def test_it_lists_what_was_told_newest_first(browser: Client, ada: User) -> None:
    """S42: the dashboard is one of the two ways to be told."""
    tell_many(ada, 3)
    page = page_of(browser)
    assert titles(page) == ["Told 002", "Told 001", "Told 000"]
    assert "Something stopped" in page
    assert 'href="/settings/billing/add-funds/"' in page
    assert "1 Mar, 09:02" in page
    assert bell(page) == "3"


def test_it_leaves_everything_unread_when_it_is_only_looked_at(browser: Client, ada: User) -> None:
    tell_many(ada, 2)
    for _ in range(2):
        assert bell(page_of(browser)) == "2"
    assert not Reader.objects.exists()


def test_it_marks_as_read_what_was_shown(browser: Client, ada: User) -> None:
    tell_many(ada, 2)
    read(browser)
    page = page_of(browser)
    assert bell(page) == "0"
    assert ">New<" not in page
    assert titles(page) == ["Told 001", "Told 000"]


def test_it_keeps_unread_what_came_after_the_page_was_made(browser: Client, ada: User) -> None:
    tell_many(ada, 1)
    shown = Notification.objects.get()
    say(ada.account_id, key="later", title="Told 999", now=NOW + timedelta(hours=1))
    browser.post(f"{PAGE}read/", {"through": shown.public_id})
    assert bell(page_of(browser)) == "1"


def test_it_never_makes_unread_again(ada: User) -> None:
    tell_many(ada, 2)
    for minutes in (1, 0):
        reading.read(ada, through=NOW + timedelta(minutes=minutes))
    assert selectors.unread(ada) == 0


def test_it_counts_for_each_member_by_itself(browser: Client, ada: User, bo: User) -> None:
    tell_many(ada, 2)
    read(browser)
    assert (selectors.unread(ada), selectors.unread(bo)) == (0, 2)


def test_it_shows_a_stranger_nothing_and_takes_nothing_from_him(ada: User, cy: User) -> None:
    tell_many(ada, 2)
    stranger = Client()
    stranger.force_login(cy)
    newest = Notification.objects.latest("created_at")
    assert titles(page_of(stranger)) == []
    assert titles(page_of(stranger, f"?before={newest.public_id}")) == []
    stranger.post(f"{PAGE}read/", {"through": newest.public_id})
    assert not Reader.objects.exists()


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}read/", f"{PAGE}email/"])
def test_it_asks_who_is_there(path: str, db: None) -> None:
    client = Client()
    answer = client.get(path) if path == PAGE else client.post(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/sign-in/?next={path}")


@pytest.mark.parametrize("path", ["read/", "email/"])
def test_it_never_writes_for_a_link(browser: Client, path: str) -> None:
    assert browser.get(f"{PAGE}{path}").status_code == 405


@pytest.mark.parametrize("through", ["", "ntf_", "ntf_00000000000000000000000000", "💥", "x" * 9_000])
def test_it_reads_nothing_where_nothing_is_named(browser: Client, ada: User, through: str) -> None:
    tell_many(ada, 1)
    assert browser.post(f"{PAGE}read/", {"through": through}).status_code == 303
    assert bell(page_of(browser)) == "1"


def test_it_pages_without_gaps_or_repeats(browser: Client, ada: User) -> None:
    tell_many(ada, 60)
    Notification.objects.filter(title__gte="Told 030").update(created_at=NOW + timedelta(hours=1))
    pages, query = [], ""
    while True:
        page = page_of(browser, query)
        pages.append(titles(page))
        older = re.search(r'href="(\?before=\w+)"', page)
        if not older:
            break
        query = older[1]
    assert [len(shown) for shown in pages] == [25, 25, 10]
    assert len({title for shown in pages for title in shown}) == 60
    newer = re.search(r'href="(\?after=\w+)"', page)
    assert newer
    assert titles(page_of(browser, newer[1])) == pages[1]


def test_it_offers_to_mark_as_read_only_where_the_newest_is_shown(browser: Client, ada: User) -> None:
    tell_many(ada, 26)
    older = Notification.objects.get(title="Told 001")
    assert "Mark all as read" in page_of(browser)
    assert "Mark all as read" not in page_of(browser, f"?before={older.public_id}")


def test_it_counts_no_further_than_the_bell_has_room(browser: Client, ada: User) -> None:
    tell_many(ada, 101)
    assert bell(page_of(browser)) == "99+"


def test_it_counts_on_every_page_with_the_frame(browser: Client, ada: User) -> None:
    tell_many(ada, 2)
    for path in ("/settings/billing/", "/settings/account/", "/no-such-page"):
        assert bell(browser.get(path).content.decode()) == "2"


def test_it_lists_nothing_that_was_only_emailed(browser: Client, ada: User) -> None:
    say(ada.account_id, title="Told 000", channel=Channel.EMAIL)
    page = page_of(browser)
    assert (titles(page), bell(page)) == ([], "0")


def test_it_shows_the_time_of_the_account(browser: Client, ada: User) -> None:
    ada.account.timezone = "Asia/Kolkata"
    ada.account.save()
    tell_many(ada, 1)
    assert "1 Mar, 14:30" in page_of(browser)


def wish_of(user: User) -> str:
    """As it is kept now."""
    return recipients.wish_of(User.objects.get(pk=user.pk))


def test_it_lets_a_member_choose_their_emails(browser: Client, ada: User) -> None:
    assert browser.post(f"{PAGE}email/", {"channel": "both", "emails": "important"}).status_code == 303
    assert wish_of(ada) == Emails.IMPORTANT
    page = page_of(browser)
    assert "no longer comes by email" in page
    assert re.search(r'value="important"[^>]* checked', page)
    browser.post(f"{PAGE}email/", {"channel": "both", "emails": "all"})
    assert wish_of(ada) == Emails.ALL


def test_it_remembers_where_new_rules_begin(browser: Client, ada: User, bo: User) -> None:
    assert subscriptions.channel_of(ada) == Channel.BOTH
    browser.post(f"{PAGE}email/", {"channel": "dashboard", "emails": "all"})
    assert (subscriptions.channel_of(ada), subscriptions.channel_of(bo)) == (Channel.DASHBOARD, Channel.BOTH)
    assert '<option value="dashboard" selected>' in page_of(browser)


@pytest.mark.parametrize("field", ["channel", "emails"])
@pytest.mark.parametrize("value", [None, "", "pigeon", "💥" * 4_000])
def test_it_saves_nothing_that_it_does_not_know(
    browser: Client, ada: User, field: str, value: str | None
) -> None:
    sent = {"channel": "dashboard", "emails": "important"} | {field: value}
    browser.post(f"{PAGE}email/", {name: text for name, text in sent.items() if text is not None})
    assert "Nothing was saved" in page_of(browser)
    assert (wish_of(ada), subscriptions.channel_of(ada)) == (Emails.ALL, Channel.BOTH)


def test_it_always_writes_to_an_owner_about_money(browser: Client, ada: User) -> None:
    assert 'value="none"' not in page_of(browser)
    browser.post(f"{PAGE}email/", {"channel": "both", "emails": "none"})
    assert "Nothing was saved" in page_of(browser)
    assert wish_of(ada) == Emails.ALL


def test_it_lets_a_viewer_subscribe(client: Client, ada: User, bo: User) -> None:
    """A viewer adds no rules, so nobody asks where a new one tells."""
    client.force_login(bo)
    page = page_of(client)
    assert "Viewers get no email unless" in page
    assert 'name="channel"' not in page
    assert client.post(f"{PAGE}email/", {"emails": "all", "channel": "email"}).status_code == 303
    assert (wish_of(bo), subscriptions.channel_of(bo)) == (Emails.ALL, Channel.BOTH)


@pytest.mark.parametrize(
    ("chosen", "role", "gets"),
    [("none", "owner", "important"), ("", "viewer", "none"), ("", "admin", "all"), ("all", "viewer", "all")],
)
def test_it_follows_the_role_where_it_must(bo: User, chosen: str, role: str, gets: str) -> None:
    """What a member chose survives a new role, but an owner always gets what matters."""
    bo.emails, bo.role = chosen, role
    assert recipients.wish_of(bo) == gets


def test_it_says_when_email_does_not_reach_its_reader(browser: Client, ada: User) -> None:
    say(ada.account_id)
    Mail.objects.filter(user=ada).update(tries=1, refused_at=NOW, error="550 No such user")
    page = page_of(browser)
    assert "Our last email to ada@example.com was refused" in page


def test_it_lets_staff_read_what_was_told_and_change_nothing(client: Client, ada: User) -> None:
    say(ada.account_id)
    row = Notification.objects.get()
    client.force_login(User.objects.create_superuser("root@example.com", factories.PASSWORD))
    listed = client.get(f"/admin/alerts/notification/?q={row.public_id}").content.decode()
    assert "Your agents are paused" in listed
    assert client.get(f"/admin/alerts/notification/{row.pk}/change/").status_code == 200
    assert client.post(f"/admin/alerts/notification/{row.pk}/change/", {"title": "x"}).status_code == 403
    assert client.post(f"/admin/alerts/notification/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/alerts/notification/add/").status_code == 403


@pytest.mark.parametrize(("role", "leads"), [("viewer", False), ("admin", True)])
def test_it_leads_nobody_to_a_page_that_is_closed_to_them(
    client: Client, ada: User, bo: User, role: str, leads: bool
) -> None:
    say(ada.account_id, key="low", title="Low", href="/settings/billing/add-funds/", now=NOW)
    bo.role = role
    bo.save()
    client.force_login(bo)
    assert ('href="/settings/billing/add-funds/"' in page_of(client)) is leads
