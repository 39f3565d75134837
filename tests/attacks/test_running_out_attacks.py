"""Pages and API used as nobody should: refused in words, nothing written, and nothing is a 500.

The pages are found from the URLs: a new one is attacked without being named here, once it has a `World` to open in.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts import ids
from accounts.models import Account, ApiKey, User
from alerts import endpoints, rules, subscriptions
from alerts.models import Channel, Rule
from alerts.rule_wishes import Wish
from alerts.telling import tell
from tests import factories
from tests.api_client import ApiClient, read
from tests.billing.paying import clock
from tests.usage import campaigning, renting
from usage import campaigns
from usage.models import Agent, Campaign, Charge, PhoneNumber

pytestmark = pytest.mark.django_db
NOWHERE = "Z" * 26  # no uuid has so many bits
NASTY = ["\0", "NaN", "-1", "1e400", "9" * 5000, "\u202e", f"ntf_{NOWHERE}", f"top_{NOWHERE}", "'", "1"]
ASKED = (
    "before",
    "after",
    "page",
    "q",
    "period",
    "agent",
    "type",
    "from",
    "to",
    "card",
    "threshold",
    "amount",
)
SENT = (
    "id", "name", "agent", "calls", "seconds_per_call", "starts", "shown", "amount", "ways", "kind", "channel",
    "optional", "through", "wish", "refund", "topup", "preset", "method", "card", "threshold", "monthly_limit",
    "enabled", "consent", "address", "tax_id", "change", "model", "subscribe",
)  # fmt: skip
ENTRANCES = {
    "sign_up", "sign_in", "sign_out", "password_reset", "password_reset_confirm", "confirm_email", "check_email",
}  # fmt: skip
OPEN = ENTRANCES | {
    "theme",
    "healthz",
    "readyz",
    "live",
}  # live: 204 for who is signed out, to be asked no more
SIGNED = {
    "stripe_webhook",
    "unsubscribe",
    "invitation",
    "confirm_new_email",
}  # the signature is the permission
OWN = {  # of whoever is signed in, viewers too
    "read_notifications", "account", "change_password", "change_email", "export", "sign_out_everywhere",
    "leave_account", "choose_email", "flag_record", "withdraw_flag",
}  # fmt: skip
EVERYTHING = {"wish": "freeze", "change": "name", "name": "Taken", "confirm": "1", "ways": "email"}


class World:
    """One of everything that has an address, of one account."""

    def __init__(self, owner: User) -> None:
        now = clock()
        self.topup = renting.top_up(owner, "25.00", at=now)
        self.number = renting.rent(owner, at=now)
        self.campaign = campaigning.draft(owner, now=now)
        self.agent = Agent.objects.get(account=owner.account)
        self.rule = rules.add(owner.account_id, Wish(Rule.Kind.DAILY_SPEND, Decimal(7)), now=now)
        factories.key(owner.account)
        tell(
            owner.account_id, key="k", kind="k", level="info", title="T", body="B", channel=Channel.BOTH, now=now
        )  # fmt: skip
        self.ids = {
            "topup_id": self.topup.public_id,
            "rule": self.rule.public_id,
            "token": subscriptions.url(owner).rstrip("/").rpartition("/")[2],
            "user": owner.public_id,
            "card": self.topup.card,
            "key": ApiKey.objects.get(account=owner.account).public_id,
        }

    def address(self, page: URLPattern) -> str:
        """Of the page, where it opens."""
        kinds = {"campaign": self.campaign, "number": self.number, "agent": self.agent}
        named = next((row for kind, row in kinds.items() if kind in page.name), Charge.objects.first())
        known = self.ids | {"public_id": named.public_id}
        return reverse(page.name, kwargs={name: known[name] for name in page.pattern.converters})

    def pages(self) -> dict[str, str]:
        return {page.name: self.address(page) for page in found(get_resolver().url_patterns)}


def found(patterns: list[Any]) -> Iterator[URLPattern]:
    """Every page of ours: not the API, which has keys, not the admin, not the sandbox's processor."""
    for one in patterns:
        if isinstance(one, URLResolver):
            if not one.namespace:
                yield from found(one.url_patterns)
        elif one.name and not one.name.startswith(("sandbox", "api_docs")):
            yield one


@pytest.fixture
def world(ada: User) -> World:
    return World(ada)


def signed_in(user: User, *, strict: bool = False) -> Client:
    client = Client(enforce_csrf_checks=strict, raise_request_exception=False)
    client.force_login(user)
    return client


def writes(client: Client, method: str, address: str) -> tuple[HttpResponse, list[str]]:
    """The answer, and what was written before it, sessions aside."""
    with CaptureQueriesContext(connection) as queries:
        told = client.get(address) if method == "get" else client.post(address, EVERYTHING)
    said = [query["sql"] for query in queries.captured_queries if "django_session" not in query["sql"]]
    return told, [sql for sql in said if sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE"))]


# --- Every page -----------------------------------------------------------------------------------------------


def test_looking_writes_nothing(world: World, ada: User) -> None:
    for name, address in world.pages().items():
        told, written = writes(signed_in(ada), "get", address)
        assert (written, told.status_code < 500) == ([], True), name


def test_a_form_without_its_token_writes_nothing(world: World, ada: User) -> None:
    for name, address in world.pages().items():
        if name not in SIGNED:
            told, written = writes(signed_in(ada, strict=True), "post", address)
            assert (written, told.status_code in (403, 405)) == ([], True), name


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_gets_in_without_signing_in(world: World, method: str) -> None:
    wrong = []
    for name, address in world.pages().items():
        if name not in OPEN | SIGNED:
            told, written = writes(Client(), method, address)
            is_refused = told.status_code == 405 or "/sign-in/" in told.get("Location", "")
            wrong += [] if is_refused and not written else [(name, told.status_code, written)]
    assert wrong == []


def test_a_viewer_writes_nothing(world: World, bo: User) -> None:
    wrong = []
    for name, address in world.pages().items():
        if name not in OPEN | SIGNED | OWN:
            told, written = writes(signed_in(bo), "post", address)
            is_refused = told.status_code in (403, 405) and not written
            wrong += [] if is_refused else [(name, told.status_code, written)]
    assert wrong == []


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_finds_nothing_of_hers(world: World, cy: User, method: str) -> None:
    for page in found(get_resolver().url_patterns):
        if page.pattern.converters and page.name not in ENTRANCES | SIGNED:
            told, written = writes(signed_in(cy), method, world.address(page))
            assert (written, told.status_code in (404, 405)) == ([], True), page.name


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_no_question_and_no_form_crashes(world: World, ada: User, text: str) -> None:
    client = signed_in(ada)
    for name, address in world.pages().items():
        assert client.get(address, dict.fromkeys(ASKED, text)).status_code < 500, name
        if name not in ENTRANCES | OWN:
            assert client.post(address, dict.fromkeys(SENT, text)).status_code < 500, name


@pytest.mark.parametrize("bad", ["%00", "%ff", "%0a", "9" * 3000, f"num_{NOWHERE}", f"top_{NOWHERE}"])
def test_an_id_that_is_none_is_nowhere(world: World, ada: User, bad: str) -> None:
    client = signed_in(ada)
    for page in found(get_resolver().url_patterns):
        if page.pattern.converters and page.name not in ENTRANCES:
            whole = world.address(page)
            shown = next(part for part in whole.split("/") if "_" in part)
            for told in (client.get(whole.replace(shown, bad)), client.post(whole.replace(shown, bad))):
                assert told.status_code in (404, 405), page.name


def test_an_account_that_is_not_open_yet_crashes_no_page(world: World) -> None:
    """It has no balance before its owner confirms the email address."""
    account = Account.objects.create(name="Waiting", created_at=clock())
    owner = factories.member(account, email="dee@example.com", role=User.Role.OWNER)
    for name, address in world.pages().items():
        for method in ("get", "post"):
            assert writes(signed_in(owner), method, address)[0].status_code < 500, (name, method)


def test_nul_in_an_id_is_no_row_of_the_admin(world: World) -> None:
    client = signed_in(User.objects.create_superuser("root@example.com", factories.PASSWORD))
    for model in admin.site._registry:
        rows = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert client.get(f"{rows}%00/change/").status_code in (302, 403, 404), rows
        assert client.get(rows, {"q": "\0"}).status_code < 500, rows


# --- Forms ----------------------------------------------------------------------------------------------------


def test_a_number_is_not_rented_by_the_form_of_another_account(world: World, cy: User) -> None:
    renting.top_up(cy, "25.00", at=clock())
    form = {"id": str(world.number.pk), "agent": ""}
    told = signed_in(cy).post("/settings/phone-numbers/rent/", form)
    assert b"Nothing was rented" in told.content
    assert PhoneNumber.objects.get().account_id == world.number.account_id


@pytest.mark.parametrize("name", ["\u200b", "\u00ad", "a\u202eb", "a\u2028b", "a\tb"])
def test_a_campaign_has_a_name_that_can_be_read(ada: User, name: str) -> None:
    """Its name is the link to it."""
    form = {"name": name, "calls": 1, "seconds_per_call": 1}
    assert signed_in(ada).post("/settings/campaigns/", form).status_code == 200
    assert not Campaign.objects.exists()


@pytest.mark.parametrize("act", ["pause", "resume"])
def test_an_old_page_of_a_finished_campaign_promises_nothing(ada: User, act: str) -> None:
    campaigning.fund(ada)
    row = campaigning.launched(ada)
    campaigns.finish(row, now=clock())
    told = signed_in(ada).post(reverse(f"{act}_campaign", args=[row.public_id]), follow=True).content
    assert b"It is finished: all its calls are placed. Nothing was changed." in told
    row.refresh_from_db()
    assert (row.paused_by_owner_at, row.resumed_at) == (None, None)


def test_one_way_of_telling_that_is_sent_twice_is_one(ada: User) -> None:
    form = {"id": str(ids.uuid7()), "kind": Rule.Kind.DAILY_SPEND, "amount": "3", "ways": ["email", "email"]}
    assert signed_in(ada).post("/settings/billing/alerts/", form).status_code == 303
    assert Rule.objects.get(kind=Rule.Kind.DAILY_SPEND).channel == Channel.EMAIL


HOSTS = [
    "0x7f.1", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "0", "0.0.0.0", "127.0.0.1.", "1.2.3.4.5",
    "169.254.169.254.", "[::ffff:10.0.0.1]", "[fe80::1%25eth0]", "[2002:7f00:1::]", "[64:ff9b::7f00:1]", "[::]",
    "localhost.", "LOCALHOST", "a..b", "-a.com", "a" * 64 + ".com", "a_b.com", "a.com\\@b", "example.com:+443",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_no_message_goes_to_a_host_in_disguise(host: str) -> None:
    """inet_aton reads 0x7f.1 as 127.0.0.1. What is sent is checked again, but a form says it in time."""
    assert endpoints.refusal(f"https://{host}/hooks") != ""


# --- The API --------------------------------------------------------------------------------------------------

LISTS = ["agents", "campaigns", "phone-numbers"]
QUERIES = [
    "limit=0", "limit=101", "limit=x", "limit=1.5", "limit=", "limit=1&limit=2", "limit=%00", "nope=1",
    "starting_after=%00", "starting_after=", "starting_after=x", "account=%00", f"account=acct_{NOWHERE}",
    "limit=" + "9" * 5000,
]  # fmt: skip
BODIES = [
    "", "[]", "null", "7", "{", '{"x":1}', '{"account":7}', '{"account":"\\u0000"}', '{"account":"\\ud800"}',
    '{"number":7}', '{"number":null}', '{"number":"+1202"}', '{"number":"+120255501234567890"}',
    '{"number":"+12025550123\\n"}', '{"number":"+١٢٣٤٥٦٧٨"}', '{"number":"+01234567890"}',
    '{"number":"+1202\\u00000123"}',
]  # fmt: skip


@pytest.mark.parametrize("what", LISTS)
@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_a_list_asked_for_with_nonsense_says_so(
    world: World, api: ApiClient, ada_key: str, platform_key: str, what: str, query: str
) -> None:
    for key in (ada_key, platform_key):
        told = api.get(f"/billing/v3/{what}?{query}", key=key)
        assert told.status_code in (400, 404, 422)
        assert told["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize("what", LISTS)
def test_a_list_goes_on_after_nothing_of_somebody_else(
    world: World, api: ApiClient, cy: User, what: str
) -> None:
    row = {"agents": world.agent, "campaigns": world.campaign, "phone-numbers": world.number}[what]
    told = api.get(f"/billing/v3/{what}?starting_after={row.public_id}", key=factories.key(cy.account))
    assert told.status_code == 422


@pytest.mark.parametrize("what", LISTS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"])
def test_a_list_is_only_read(api: ApiClient, ada_key: str, what: str, method: str) -> None:
    assert api.send(method, f"/billing/v3/{what}", "{}", key=ada_key).status_code == 405


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("sends_account", [False, True])
def test_nonsense_sets_up_no_number_and_finishes_no_campaign(
    world: World, api: ApiClient, ada: User, platform_key: str, body: str, sends_account: bool
) -> None:
    if sends_account and body.startswith('{"'):
        body = body.replace("{", f'{{"account":"{ada.account.public_id}",', 1)
    number, campaign = world.number, world.campaign
    for method, path in (
        ("PATCH", f"phone-numbers/{number.public_id}"), ("POST", f"campaigns/{campaign.public_id}/finish"),
    ):  # fmt: skip
        told = api.send(method, f"/billing/v3/{path}", body.encode(), key=platform_key)
        assert told.status_code in (400, 404, 409, 415, 422)
    number.refresh_from_db()
    campaign.refresh_from_db()
    assert (number.number, campaign.finished_at) == ("", None)


def test_only_the_right_account_s_number_and_campaign_are_told_of(
    world: World, api: ApiClient, ada: User, ada_key: str, cy: User, platform_key: str
) -> None:
    number = f"/billing/v3/phone-numbers/{world.number.public_id}"
    finish = f"/billing/v3/campaigns/{world.campaign.public_id}/finish"
    digits, his = {"number": "+12025550123"}, {"account": cy.account.public_id}
    assert api.send("PATCH", number, digits | his, key=platform_key).status_code == 404
    assert api.post(finish, his, key=platform_key).status_code == 404
    assert api.send("PATCH", number, digits, key=ada_key).status_code == 403
    assert api.post(finish, {}, key=ada_key).status_code == 403
    early = api.post(finish, {"account": ada.account.public_id}, key=platform_key)
    assert (early.status_code, read(early)["code"]) == (409, "campaign_not_launched")
