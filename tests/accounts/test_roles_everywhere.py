"""Who may do what, at every address of the product: one table, in which a new address must be written down.

Each is asked, by GET and by POST, as its owner, an admin, a viewer, a stranger (owner elsewhere), and signed out. What
belongs to somebody else answers like what does not exist; what a role may not do answers 403 and changes nothing.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from django.conf import settings as conf
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from accounts import api_keys, email_change, ids, invitations, links
from accounts.models import ApiKey, Scope, User
from alerts import subscriptions
from alerts.models import Rule
from billing import holds, topups
from tests import factories
from tests.billing.paying import begin, clock, save_card
from tests.usage import events
from tests.usage.campaigning import draft
from tests.usage.renting import rent
from thinnest_billing.api import api as the_api
from usage import agents, flags, metering
from usage.models import Agent, Charge

pytestmark = pytest.mark.django_db
ANYONE, NOBODY = "anyone", "nobody"  # signed out as well; that method is not taken
MISSING = "missing"  # answers 404 to everybody
SIGNED_IN = "signed in"  # whether or not they belong to an account
VIEWER, ADMIN, OWNER = "viewer", "admin", "owner"
RANK = [VIEWER, ADMIN, OWNER]
Names = Callable[["World"], dict[str, str]]


def nothing(_: "World") -> dict[str, str]:
    """The address names nothing of an account."""
    return {}


@dataclass(frozen=True)
class Door:
    """The least that it takes to look (GET) and to act (POST); `names` fills the address with things of Ada's."""

    get: str
    post: str
    names: Names = nothing


@dataclass
class World:
    """Ada's account with one of everything that an address can name."""

    ada: User
    al: User  # an admin
    bo: User  # a viewer
    cy: User  # a stranger: the owner of another account

    def __post_init__(self) -> None:
        now, account_id = clock(), self.ada.account_id
        self.card = save_card(self.ada)
        self.topup = topups.pay(begin(self.ada, card=self.card))
        self.page = topups.pay(begin(self.ada))
        self.asks = topups.pay(begin(self.ada, card=save_card(self.ada, "pm_card_authenticationRequired")))
        agents.resolve(account_id, agents.reference("Sales"))
        metering.record(account_id, events.chat("one"), now=now)
        self.charge = Charge.objects.get(account_id=account_id)
        flags.flag(account_id, self.charge, by=self.ada, text="Why?", now=now)
        self.agent = Agent.objects.get(account_id=account_id)
        self.campaign = draft(self.ada)
        self.number = rent(self.ada, at=now)
        self.rule = Rule.objects.get(account_id=account_id)
        self.key = api_keys.create(account=self.ada.account, name="ci", scopes=["balance:read"], now=now)[0]
        self.invitation = invitations.invite("eve@example.org", "viewer", by=self.ada, now=now)
        self.sessions = {name: self._sign_in(name) for name in (OWNER, ADMIN, VIEWER, "stranger")}
        self.client = Client(raise_request_exception=False)  # one for all: it loads the middleware once
        self.stays = factories.member(self.ada.account, email="zoe@example.com", role=OWNER)

    def _sign_in(self, name: str) -> str:
        client = Client()
        client.force_login(self.person(name))
        return client.cookies[conf.SESSION_COOKIE_NAME].value

    def person(self, name: str) -> User | None:
        return {OWNER: self.ada, ADMIN: self.al, VIEWER: self.bo, "stranger": self.cy}.get(name)


def last_part(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2]


def named(attribute: str, parameter: str = "public_id") -> Names:
    return lambda world: {parameter: getattr(world, attribute).public_id}


TOPUP = named("topup", "topup_id")
RECORD, MEMBER, INVITATION = named("charge"), named("bo"), named("invitation")
CAMPAIGN, NUMBER = named("campaign"), named("number")
RULE, CARD = named("rule", "rule"), lambda world: {"card": world.card}
ASKS = named("asks", "topup_id")

DOORS: dict[str, Door] = {
    # Around everything
    "": Door(ANYONE, ANYONE),
    "healthz": Door(ANYONE, ANYONE),
    "readyz": Door(ANYONE, ANYONE),
    "metrics": Door(ANYONE, NOBODY),  # with a token of its own
    "theme/": Door(NOBODY, ANYONE),
    "settings/live/": Door(ANYONE, NOBODY),  # says nothing to who is signed out
    "billing/docs": Door(ANYONE, ANYONE),
    "billing/openapi.json": Door(ANYONE, ANYONE),
    "billing/": Door(MISSING, MISSING),
    "billing/webhooks/stripe": Door(NOBODY, ANYONE),  # the signature is the permission
    # Coming in and going out
    "sign-up/": Door(ANYONE, ANYONE),
    "check-email/": Door(ANYONE, NOBODY),
    "confirm/<str:token>/": Door(
        ANYONE, ANYONE, lambda world: {"token": last_part(links.confirm_url(world.bo))}
    ),
    "sign-in/": Door(ANYONE, ANYONE),
    "sign-out/": Door(NOBODY, ANYONE),
    "sign-out/everywhere/": Door(SIGNED_IN, SIGNED_IN),
    "invitation/<str:token>/": Door(
        ANYONE, ANYONE, lambda world: {"token": last_part(links.invitation_url(world.invitation))}
    ),
    "password-reset/": Door(ANYONE, ANYONE),
    "password-reset/<str:user>/<str:token>/": Door(
        ANYONE,
        ANYONE,
        lambda world: {"user": world.stays.public_id, "token": last_part(links.reset_url(world.stays))},
    ),
    "new-email/<str:token>/": Door(
        ANYONE, ANYONE, lambda world: {"token": last_part(email_change.url(world.bo, "bo@example.org"))}
    ),
    "unsubscribe/<str:token>/": Door(
        ANYONE, ANYONE, lambda world: {"token": last_part(subscriptions.url(world.bo))}
    ),
    # Settings
    "settings/account/": Door(VIEWER, OWNER),
    "settings/account/password/": Door(NOBODY, VIEWER),
    "settings/account/email/": Door(VIEWER, VIEWER),
    "settings/account/export/": Door(VIEWER, VIEWER),
    "settings/account/close/": Door(OWNER, OWNER),
    "settings/account/channel/": Door(NOBODY, ADMIN),
    "settings/account/members/": Door(VIEWER, OWNER),
    "settings/account/members/leave/": Door(VIEWER, VIEWER),
    "settings/account/members/<str:public_id>/": Door(OWNER, OWNER, MEMBER),
    "settings/account/members/<str:public_id>/owner/": Door(OWNER, OWNER, MEMBER),
    "settings/account/members/<str:public_id>/remove/": Door(OWNER, OWNER, MEMBER),
    "settings/account/invitations/<str:public_id>/again/": Door(NOBODY, OWNER, INVITATION),
    "settings/account/invitations/<str:public_id>/withdraw/": Door(NOBODY, OWNER, INVITATION),
    "settings/api-keys/": Door(VIEWER, ADMIN),
    "settings/api-keys/<str:key>/revoke/": Door(ADMIN, ADMIN, named("key", "key")),
    "settings/notifications/": Door(VIEWER, NOBODY),
    "settings/notifications/read/": Door(NOBODY, VIEWER),
    "settings/notifications/email/": Door(NOBODY, VIEWER),
    # Seeing
    "settings/billing/": Door(VIEWER, NOBODY),
    "settings/billing/usage/": Door(VIEWER, NOBODY),
    "settings/billing/usage.csv": Door(VIEWER, NOBODY),
    "settings/billing/statement/": Door(VIEWER, NOBODY),
    "settings/billing/statement.csv": Door(VIEWER, NOBODY),
    "settings/billing/records/": Door(VIEWER, NOBODY),
    "settings/billing/records.csv": Door(VIEWER, NOBODY),
    "settings/billing/records/<str:public_id>/": Door(VIEWER, NOBODY, RECORD),
    "settings/billing/records/<str:public_id>/flag/": Door(VIEWER, VIEWER, RECORD),  # a question to staff
    "settings/billing/records/<str:public_id>/flag/withdraw/": Door(NOBODY, VIEWER, RECORD),
    "settings/billing/receipts/": Door(VIEWER, NOBODY),
    "settings/billing/receipts/<str:topup_id>/": Door(VIEWER, NOBODY, TOPUP),
    "settings/billing/pricing/": Door(VIEWER, NOBODY),
    "settings/billing/pricing/voice/": Door(VIEWER, NOBODY),
    # Paying
    "settings/billing/add-funds/": Door(ADMIN, ADMIN),
    "settings/billing/topups/<str:topup_id>/": Door(VIEWER, NOBODY, TOPUP),
    "settings/billing/topups/<str:topup_id>/confirm/": Door(NOBODY, ADMIN, ASKS),
    "settings/billing/topups/<str:topup_id>/cancel/": Door(NOBODY, ADMIN, ASKS),
    "settings/billing/topups/<str:topup_id>/refund/": Door(OWNER, OWNER, TOPUP),
    "settings/billing/auto-topup/": Door(VIEWER, OWNER),
    "settings/billing/freeze/": Door(OWNER, OWNER),
    "settings/billing/details/": Door(VIEWER, ADMIN),
    "settings/billing/payment-methods/": Door(VIEWER, NOBODY),
    "settings/billing/payment-methods/add/": Door(ADMIN, ADMIN),
    "settings/billing/payment-methods/<str:card>/default/": Door(NOBODY, ADMIN, CARD),
    "settings/billing/payment-methods/<str:card>/remove/": Door(ADMIN, ADMIN, CARD),
    "sandbox/checkout/<slug:page_id>/": Door(ADMIN, ADMIN, lambda world: {"page_id": world.page.page_id}),
    "sandbox/3ds/<slug:payment_id>/": Door(ADMIN, ADMIN, lambda world: {"payment_id": world.asks.payment_id}),
    "sandbox/outbox/": Door(ANYONE, NOBODY),  # each sees their own
    # Alerts
    "settings/billing/alerts/": Door(VIEWER, ADMIN),
    "settings/billing/alerts/<str:rule>/": Door(ADMIN, ADMIN, RULE),
    "settings/billing/alerts/<str:rule>/remove/": Door(ADMIN, ADMIN, RULE),
    # Agents, numbers, campaigns
    "settings/agents/": Door(VIEWER, NOBODY),
    "settings/agents/<str:public_id>/": Door(VIEWER, ADMIN, named("agent")),
    "settings/phone-numbers/": Door(VIEWER, NOBODY),
    "settings/phone-numbers/rent/": Door(ADMIN, ADMIN),
    "settings/phone-numbers/<str:public_id>/": Door(VIEWER, NOBODY, NUMBER),
    "settings/phone-numbers/<str:public_id>/release/": Door(OWNER, OWNER, NUMBER),
    "settings/campaigns/": Door(VIEWER, ADMIN),
    "settings/campaigns/<str:public_id>/": Door(VIEWER, ADMIN, CAMPAIGN),
    "settings/campaigns/<str:public_id>/discard/": Door(ADMIN, ADMIN, CAMPAIGN),
    "settings/campaigns/<str:public_id>/launch/": Door(NOBODY, OWNER, CAMPAIGN),
    "settings/campaigns/<str:public_id>/pause/": Door(NOBODY, OWNER, CAMPAIGN),
    "settings/campaigns/<str:public_id>/resume/": Door(NOBODY, OWNER, CAMPAIGN),
}

# The API asks no person and no session, but a key: what scope each operation takes.
API: dict[str, dict[str, Scope]] = {
    "/v3/topup": {"POST": Scope.TOPUP_WRITE},
    "/v3/payment-methods": {"GET": Scope.TOPUP_WRITE},
    "/v3/balance": {"GET": Scope.BALANCE_READ},
    "/v3/prices": {"GET": Scope.BALANCE_READ},
    "/v3/history/{user_id}": {"GET": Scope.HISTORY_READ},
    "/history/{user_id}": {"GET": Scope.HISTORY_READ},
    "/v3/usage": {"POST": Scope.USAGE_WRITE},
    "/v3/usage/batch": {"POST": Scope.USAGE_WRITE},
    "/v3/authorize": {"GET": Scope.USAGE_WRITE},
    "/v3/holds": {"POST": Scope.USAGE_WRITE},
    "/v3/holds/{hold}/extend": {"POST": Scope.USAGE_WRITE},
    "/v3/holds/{hold}/capture": {"POST": Scope.USAGE_WRITE},
    "/v3/holds/{hold}/release": {"POST": Scope.USAGE_WRITE},
    "/v3/agents": {"GET": Scope.USAGE_WRITE},
    "/v3/campaigns": {"GET": Scope.USAGE_WRITE},
    "/v3/campaigns/{campaign}/finish": {"POST": Scope.USAGE_WRITE},
    "/v3/phone-numbers": {"GET": Scope.USAGE_WRITE},
    "/v3/phone-numbers/{number}": {"PATCH": Scope.USAGE_WRITE},
}
PLATFORM_ONLY = {"/v3/campaigns/{campaign}/finish", "/v3/phone-numbers/{number}"}  # the platform reports back


@pytest.fixture
def world(ada: User, bo: User, cy: User, settings: Settings) -> World:
    settings.SANDBOX_ALLOW_PUBLIC = True
    settings.METRICS_TOKEN = "t" * 32
    return World(ada, factories.member(ada.account, email="al@example.com", role=ADMIN), bo, cy)


def routes(patterns: Any = None, before: str = "") -> Iterator[str]:
    for pattern in patterns or get_resolver().url_patterns:
        route = f"{before}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            assert isinstance(pattern, URLPattern)
            yield route


def is_api(route: str) -> bool:
    return route.startswith(("billing/v3/", "billing/history/"))


ALL = list(routes())
PAGES = list(
    dict.fromkeys(route for route in ALL if not is_api(route) and not route.startswith(conf.ADMIN_PATH))
)
STAFF = [route for route in ALL if route.startswith(conf.ADMIN_PATH)]


def test_it_has_every_address_in_the_table() -> None:
    """Whoever adds an address says here who may go there."""
    assert sorted(set(PAGES) - DOORS.keys()) == []
    assert sorted(DOORS.keys() - set(PAGES)) == []


def test_it_opens_to_whom_the_table_says(world: World) -> None:
    found = {}
    for route, door in DOORS.items():
        path = path_of(route, door.names(world))
        for method, who in product(("get", "post"), (OWNER, ADMIN, VIEWER, "stranger", "")):
            got, wanted = outcome(ask(world, who, method, path)), expected(door, method, who)
            if got not in wanted:
                found[route, method, who or "signed out"] = f"{got}, not {wanted}"
    assert found == {}


def path_of(route: str, names: dict[str, str]) -> str:
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda part: names[part[1]], route)


def ask(world: World, who: str, method: str, path: str) -> HttpResponse:
    """What the address answers; whatever it did is undone."""
    before, client = transaction.savepoint(), world.client
    client.cookies.clear()
    client.cookies[conf.SESSION_COOKIE_NAME] = world.sessions.get(who, "")
    answer = getattr(client, method)(path)
    transaction.savepoint_rollback(before)
    return answer


def outcome(answer: HttpResponse) -> str:
    """open, sign in, forbidden, missing, not taken, or broken."""
    if answer.status_code == 302 and answer["Location"].startswith("/sign-in/?next="):
        return "sign in"
    words = {403: "forbidden", 404: "missing", 405: "not taken", 500: "broken"}
    return words.get(answer.status_code, "open")


def expected(door: Door, method: str, who: str) -> set[str]:
    least = getattr(door, method)
    if least == MISSING:
        return {MISSING}
    if least == NOBODY:
        return {"not taken"} if who == OWNER else {"not taken", "sign in", "forbidden", "missing"}
    if least == ANYONE or (least == SIGNED_IN and who):
        return {"open"}
    if not who:
        return {"sign in"}
    if who == "stranger":  # an owner, of something else
        return {"open"} if door.names is nothing else {"missing"}
    return {"open"} if RANK.index(who) >= RANK.index(least) else {"forbidden"}


def test_it_keeps_members_out_of_the_pages_of_staff(client: Client, ada: User) -> None:
    """Every address of the admin: only its door opens, and the way out."""
    doors = {"login/", "logout/", "jsi18n/"}
    inside = [route for route in STAFF if route.removeprefix(conf.ADMIN_PATH) not in doors]
    assert len(inside) > 100
    client.force_login(ada)
    found = {}
    for route, ask_it in product(inside, (client.get, client.post, Client().get)):
        answer = ask_it(sample_of(route))
        if not (answer.status_code == 302 and "/login/" in answer["Location"]):
            found[route] = answer.status_code
    assert found == {}


def sample_of(route: str) -> str:
    """An address of that route; the admin's own are partly regular expressions."""
    plain = route.replace("(?P<app_label>accounts|billing|usage|alerts|auth)", "accounts")
    plain = re.sub(r"\(\?P<url>\.\*\)", "nowhere", plain).replace("^", "").replace("$", "")
    return "/" + re.sub(r"\(\?P<\w+>[^)]*\)|<[^>]+>", "1", plain)


# --- The API asks for a key ---------------------------------------------------------------------------------


def test_it_has_every_operation_of_the_api_in_the_table() -> None:
    documented = the_api.get_openapi_schema()["paths"]
    found = {
        path.removeprefix("/billing"): {method.upper() for method in operations}
        for path, operations in documented.items()
    }
    assert found == {path: set(methods) for path, methods in API.items()}


def test_it_asks_for_a_key_with_the_scope(world: World) -> None:
    """No key, a session instead of one, every other scope, a stranger's key; then the right one."""
    names, found = api_names(world), {}
    for path, methods in API.items():
        address = "/billing" + path.format_map(names)
        for method, scope in methods.items():
            found[method, path] = answers_by_key(world, address, method, scope)
            strangers, own = ("404" if "{" in path else "let in"), "let in"
            if path in PLATFORM_ONLY:
                strangers = own = "missing_scope"
            assert found[method, path] == ["401", "401", "missing_scope", strangers, own], path
    assert len(found) == 18


def answers_by_key(world: World, address: str, method: str, scope: Scope) -> list[str]:
    others = factories.key(world.ada.account, scopes=[one for one in Scope.values if one != scope])
    theirs = factories.key(world.cy.account, scopes=[scope])
    right = factories.key(world.ada.account, scopes=[scope])
    answers = [call(address, method), call(address, method, person=world.ada)]
    return [
        verdict(answer)
        for answer in (*answers, *(call(address, method, key=k) for k in (others, theirs, right)))
    ]


def verdict(answer: HttpResponse) -> str:
    if answer.status_code in (401, 404):
        return str(answer.status_code)
    is_problem = answer["Content-Type"] == "application/problem+json"
    code = json.loads(answer.content)["code"] if is_problem else ""
    return code if code == "missing_scope" else "let in"


def api_names(world: World) -> dict[str, str]:
    held = holds.hold(
        world.ada.account_id, key="call", request_hash=b"call", amount=Decimal("0.5"), purpose="call",
        terms={}, lifetime=timedelta(hours=1), now=clock(),
    )  # fmt: skip
    return {
        "user_id": world.ada.public_id, "hold": ids.public("hold", held.hold_id), "campaign": world.campaign.public_id,
        "number": world.number.public_id,
    }  # fmt: skip


def call(address: str, method: str, *, key: str = "", person: User | None = None) -> HttpResponse:
    client = Client(raise_request_exception=False)
    if person:
        client.force_login(person)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = {} if method == "GET" else {"data": "{}", "content_type": "application/json"}
    return client.generic(method, address, headers=headers, **body)


def test_it_gives_nobody_a_scope_above_their_role(world: World) -> None:
    """Keys that add funds are made by owners; viewers make none."""
    made = {}
    for who in RANK:
        client = Client()
        client.force_login(world.person(who))
        for scope in Scope:
            form = {"id": str(ids.uuid7()), "name": f"{who} {scope}", "scopes": [scope], "expires": ""}
            client.post("/settings/api-keys/", form)
        keys = ApiKey.objects.filter(created_by=world.person(who))
        made[who] = {scope for key in keys for scope in key.scopes}
    assert made == {VIEWER: set(), ADMIN: set(Scope.values) - {Scope.TOPUP_WRITE}, OWNER: set(Scope.values)}
