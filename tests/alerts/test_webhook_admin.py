"""Endpoints in Django admin: made with a secret that is shown once, tested, turned off and on, their log."""

import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from pytest_django import Settings
from standardwebhooks import Webhook

from accounts.models import ApiKey, StaffAct, User
from alerts import endpoints, signing, webhooks
from alerts.models import Delivery, Endpoint
from tests import factories
from tests.alerts.platform import Platform, clock, endpoint

pytestmark = pytest.mark.django_db
LIST = "/admin/alerts/endpoint/"
SECRET = r"whsec_[A-Za-z0-9+/=]{44}"


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root@example.com", factories.PASSWORD))
    return client


def page(row: Endpoint) -> str:
    return f"{LIST}{row.pk}/change/"


def queue(user: User) -> Delivery:
    webhooks.queue(user.account_id, key="k", type=webhooks.Type.BALANCE_LOW, data={}, now=clock())
    return Delivery.objects.latest("created_at")


def test_it_makes_an_endpoint_and_shows_its_secret_once(root: Client, platform_key: str) -> None:
    key = ApiKey.objects.get()
    form = {"api_key": str(key.pk), "url": " https://platform.example.com/hooks "}
    answer = root.post(f"{LIST}add/", form, follow=True).content.decode()
    row = Endpoint.objects.get()
    assert (row.api_key, row.url) == (key, "https://platform.example.com/hooks")
    assert re.search(SECRET, answer)[0] == row.secret
    for again in (page(row), LIST, f"{page(row).replace('change', 'history')}"):
        assert "whsec_" not in root.get(again).content.decode()


def test_it_offers_only_platform_keys_that_work(root: Client, ada_key: str, platform_key: str) -> None:
    answer = root.get(f"{LIST}add/").content.decode()
    platform, own = ApiKey.objects.get(account=None), ApiKey.objects.get(account__isnull=False)
    assert str(platform.pk) in answer
    assert str(own.pk) not in answer


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://platform.example.com/", "The address must begin with https://"),
        ("ftp://platform.example.com/", "The address must begin with https://"),
        ("https://ada:secret@platform.example.com/", "must not hold a user name or a password"),
        ("https://platform.example.com/#here", "Leave out what follows the #"),
        ("https://platform.example.com:99999/", "The host or the port is not understood"),
        ("https://platform.example.com:0/", "There is no port 0."),
        ("https:///hooks", "The host is not understood"),
        ("https://plat_form!/", "The host is not understood"),
        ("https://127.0.0.1/", "127.0.0.1 is not on the public internet"),
        ("https://[::1]:8443/", "::1 is not on the public internet"),
        ("https://169.254.169.254/latest", "169.254.169.254 is not on the public internet"),
        ("https://localhost:8000/", "localhost is not on the public internet"),
        ("https://größe.example.com/", "only ASCII characters"),
        ("https://platform.example.com/a b", "no spaces"),
        ("https://platform.example.com/" + "a" * 480, "at most 500 characters"),
    ],
)
def test_it_says_what_is_wrong_with_an_address(root: Client, platform_key: str, url: str, said: str) -> None:
    form = {"api_key": str(ApiKey.objects.get().pk), "url": url}
    answer = root.post(f"{LIST}add/", form).content.decode()
    assert said in answer
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize(
    "url", ["https://platform.example.com", "https://platform.example.com:8443/a?b=c", "https://8.8.8.8/"]
)
def test_it_takes_an_address_on_the_public_internet(url: str) -> None:
    assert endpoints.refusal(url) == ""


def test_it_takes_a_private_address_where_the_operator_allows_it(settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    assert endpoints.refusal("https://10.0.0.7:8443/hooks") == ""
    assert endpoints.refusal("https://localhost/hooks") == ""
    assert endpoints.refusal("http://localhost/hooks") != ""


def test_it_changes_the_address_and_never_the_key(root: Client, platform_key: str) -> None:
    row = endpoint("https://platform.example.com/")
    other = ApiKey.objects.exclude(pk=row.pk).get()
    Endpoint.objects.update(failing_since=clock())
    root.post(page(row), {"api_key": str(other.pk), "url": "https://new.example.com/"})
    after = Endpoint.objects.get()
    assert (after.pk, after.url, after.secret) == (row.pk, "https://new.example.com/", row.secret)
    assert after.failing_since is None


def test_it_makes_a_new_secret_shown_once(root: Client, platform: Platform, ada: User) -> None:
    row = endpoint(platform.url)
    answer = root.post(f"{LIST}{row.pk}/rotate/", follow=True).content.decode()
    new = re.search(SECRET, answer)[0]
    assert new != row.secret
    root.post(f"{LIST}{row.pk}/test/")
    headers, body = platform.heard[0]
    assert Webhook(new).verify(body, headers)["type"] == "test"
    assert "whsec_" not in root.get(page(row)).content.decode()
    act = StaffAct.objects.get(act="rotate endpoint's secret")
    assert "whsec_" not in str(act.details)


def test_it_sends_a_test_and_tells_the_answer(root: Client, platform: Platform) -> None:
    row = endpoint(platform.url)
    said = root.post(f"{LIST}{row.pk}/test/", follow=True).content.decode()
    assert "The test was accepted: the endpoint answered 200." in said
    platform.mood, platform.says = 401, b"who <are> you"
    said = root.post(f"{LIST}{row.pk}/test/", follow=True).content.decode()
    assert "The test was not accepted. It answered 401: who &lt;are&gt; you" in said
    row.refresh_from_db()
    assert (row.failing_since, row.disabled_at) == (None, None)
    log = Delivery.objects.order_by("created_at").values_list("type", "account", "status", "next_try_at")
    assert list(log) == [("test", None, 200, None), ("test", None, 401, None)]


def test_it_turns_an_endpoint_off_and_on(root: Client, platform: Platform, ada: User) -> None:
    row = endpoint(platform.url)
    queue(ada)
    root.post(f"{LIST}{row.pk}/turn_off/")
    row.refresh_from_db()
    assert row.disabled_at is not None
    assert "Kept: its endpoint is off" in root.get("/admin/alerts/delivery/").content.decode()
    said = root.post(f"{LIST}{row.pk}/turn_on/", follow=True).content.decode()
    assert "Messages that were kept and go out now: 1." in said
    row.refresh_from_db()
    assert row.disabled_at is None


def test_it_shows_the_log_and_sends_a_message_again(root: Client, platform: Platform, ada: User) -> None:
    row = endpoint(platform.url)
    delivery = queue(ada)
    Delivery.objects.filter(pk=delivery.pk).update(
        next_try_at=None, tries=8, status=500, error="It answered 500."
    )
    log = root.get(f"/admin/alerts/delivery/?endpoint__pk__exact={row.pk}").content.decode()
    assert "It answered 500." in log
    assert "Given up" in log
    shown = root.get(f"/admin/alerts/delivery/{delivery.pk}/change/").content.decode()
    assert signing.message_id(delivery.pk) in shown
    assert ada.account.public_id in shown
    assert (
        ada.account.public_id
        in root.get(f"/admin/alerts/delivery/?q={ada.account.public_id}").content.decode()
    )
    root.post(f"/admin/alerts/delivery/{delivery.pk}/again/")
    delivery.refresh_from_db()
    assert (delivery.tries, delivery.next_try_at is None) == (0, False)


@pytest.mark.parametrize("group", ["support", "billing", "pricing"])
def test_it_lets_only_superusers_touch_endpoints(
    client: Client, platform: Platform, ada: User, group: str
) -> None:
    """Staff of the groups read, as they read everything."""
    row = endpoint(platform.url)
    delivery = queue(ada)
    person = User.objects.create_user("staff@example.com", factories.PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    client.force_login(person)
    shown = client.get(page(row))
    assert shown.status_code == 200
    assert "Send a test" not in shown.content.decode()
    assert "whsec_" not in shown.content.decode()
    acts = [f"{LIST}{row.pk}/{name}/" for name in ("test", "rotate", "turn_on", "turn_off")]
    for path in (*acts, f"{LIST}add/", f"/admin/alerts/delivery/{delivery.pk}/again/"):
        assert client.post(path).status_code == 403
    row_before, row = row, Endpoint.objects.get()
    assert (row.secret, row.disabled_at, platform.heard) == (row_before.secret, None, [])


def test_it_does_nothing_for_a_link(root: Client, platform: Platform) -> None:
    row = endpoint(platform.url)
    for name in ("test", "rotate", "turn_off"):
        assert root.get(f"{LIST}{row.pk}/{name}/").status_code == 302
    after = Endpoint.objects.get()
    assert (after.secret, after.disabled_at, platform.heard) == (row.secret, None, [])
