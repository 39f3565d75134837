"""GET /billing/v3/agents: what the platform must know about each agent, and nothing of anybody else's."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse

from accounts import ids
from accounts.models import Scope, User
from billing import ledger, selectors
from billing.models import LedgerEntry
from tests import factories
from tests.api_client import ApiClient, read
from tests.usage import events, spending
from tests.usage.spending import NOW, use
from usage import agents
from usage.models import Agent

pytestmark = pytest.mark.django_db
D = Decimal
Kind = LedgerEntry.Kind
AGENTS = "/billing/v3/agents"


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def make(owner: User, name: str, model: str = "", *, minutes: int = 0) -> Agent:
    at = NOW + timedelta(minutes=minutes)
    return Agent.objects.create(
        account_id=owner.account_id, name=name, name_key=agents.name_key(name), model=model, created_at=at
    )


def told(answer: HttpResponse) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    body = read(answer)
    assert list(body) == ["agents"]
    return body["agents"]


def test_it_tells_the_model_that_the_owner_chose(ada: User, api: ApiClient, ada_key: str) -> None:
    """S21: exactly these fields; null before a model was chosen."""
    old, new = make(ada, "FAQ bot", "gpt-4o-mini"), make(ada, "Research", minutes=1)
    assert told(api.get(AGENTS, key=ada_key)) == [
        {"id": new.public_id, "name": "Research", "model": None, "state": "active", "reason": None, "since": None},
        {
            "id": old.public_id, "name": "FAQ bot", "model": "gpt-4o-mini", "state": "active", "reason": None,
            "since": None,
        },
    ]  # fmt: skip


def test_it_tells_that_agents_pause_with_the_balance_and_resume(
    ada: User, api: ApiClient, ada_key: str
) -> None:
    """S43 S48: the whole trial on one call; a top-up brings them back, and the rows never changed."""
    make(ada, "FAQ bot")
    before = list(Agent.objects.values())
    use(ada.account_id, events.voice("all", 600), at=NOW)
    (agent,) = told(api.get(AGENTS, key=ada_key))
    assert (agent["state"], agent["reason"], agent["since"]) == ("paused", "balance", "2026-03-18T15:42:00Z")
    spending.fund(ada.account_id, "5.00", at=NOW)
    assert told(api.get(AGENTS, key=ada_key))[0]["state"] == "active"
    assert list(Agent.objects.values()) == before


@pytest.mark.parametrize("by", ["owner", "staff"])
def test_it_tells_that_a_freeze_pauses_them(ada: User, api: ApiClient, ada_key: str, by: str) -> None:
    make(ada, "FAQ bot")
    ledger.freeze(ada.account_id, by=by, frozen=True, now=NOW)
    (agent,) = told(api.get(AGENTS, key=ada_key))
    assert (agent["state"], agent["reason"], agent["since"]) == ("paused", "frozen", "2026-03-18T15:42:00Z")


def test_paid_below_zero_pauses_them_whatever_was_granted(ada: User, api: ApiClient, ada_key: str) -> None:
    """As the gate itself refuses: the states that are told and the answer to a message agree."""
    make(ada, "FAQ bot")
    spending.fund(ada.account_id, "5.00", at=NOW)
    ledger.take_back(ada.account_id, Kind.DISPUTE, D("5.25"), key="dispute", actor="tests", now=NOW)
    assert selectors.balance_of(ada.account_id).balance == D("0.75")
    (agent,) = told(api.get(AGENTS, key=ada_key))
    assert (agent["state"], agent["reason"]) == ("paused", "balance")
    message = {"event_id": "e", "type": "chat", "model": "gpt-4o-mini", "input_tokens": 1, "output_tokens": 1}
    assert api.post("/billing/v3/usage", message, key=ada_key).status_code == 402


def test_it_lists_in_pages_newest_first(ada: User, api: ApiClient, ada_key: str) -> None:
    """Ten unless told; three of them made in the same instant are neither lost nor told twice."""
    made = [make(ada, f"Agent {n}", minutes=n // 3) for n in range(25)]
    assert len(told(api.get(AGENTS, key=ada_key))) == 10
    seen, path = [], f"{AGENTS}?limit=7"
    while path:
        answer = api.get(path, key=ada_key)
        seen += [agent["name"] for agent in told(answer)]
        link = re.fullmatch(r'<https?://[^/]+(.+)>; rel="next"', answer.get("Link", ""))
        path = link[1] if link else ""
    newest = sorted(made, key=lambda agent: (agent.created_at, agent.id), reverse=True)
    assert seen == [agent.name for agent in newest]


def test_a_platform_key_names_the_account(
    ada: User, cy: User, api: ApiClient, platform_key: str, ada_key: str
) -> None:
    make(ada, "Ada's")
    make(cy, "Cy's")
    named = f"{AGENTS}?account={cy.account.public_id}"
    assert [agent["name"] for agent in told(api.get(named, key=platform_key))] == ["Cy's"]
    assert api.get(AGENTS, key=platform_key).status_code == 422
    assert api.get(f"{AGENTS}?account={ids.public('acct', ids.uuid7())}", key=platform_key).status_code == 404
    assert api.get(named, key=ada_key).status_code == 404


def test_it_never_pages_through_somebody_elses(ada: User, cy: User, api: ApiClient, ada_key: str) -> None:
    make(ada, "Ada's")
    theirs = make(cy, "Cy's", minutes=1)
    answer = api.get(f"{AGENTS}?starting_after={theirs.public_id}", key=ada_key)
    assert (answer.status_code, read(answer)["errors"][0]["pointer"]) == (422, "/starting_after")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("limit=0", "/limit"), ("limit=101", "/limit"), ("limit=x", "/limit"),
     ("starting_after=agent_1", "/starting_after"),
     ("starting_after=", "/starting_after"), ("agent=x", "/agent"), ("limit=1&limit=2", "/limit")],
)  # fmt: skip
def test_it_names_what_it_does_not_understand(api: ApiClient, ada_key: str, query: str, pointer: str) -> None:
    answer = api.get(f"{AGENTS}?{query}", key=ada_key)
    assert (answer.status_code, read(answer)["errors"][0]["pointer"]) == (422, pointer)


def test_it_needs_a_key_with_the_scope_of_the_platform(ada: User, api: ApiClient) -> None:
    reader = factories.key(ada.account, scopes=[Scope.BALANCE_READ])
    answer = api.get(AGENTS, key=reader)
    assert (answer.status_code, read(answer)["required_scope"]) == (403, "usage:write")
    assert api.get(AGENTS).status_code == 401
    assert api.post(AGENTS, {}, key=reader).status_code == 405


@pytest.mark.parametrize("name", ["a\u202eb", "a\u2069b", "\u200b", "two\u2028lines", "x" * 81, "Unassigned"])
def test_usage_makes_no_agent_with_a_name_that_the_page_would_refuse(
    api: ApiClient, ada_key: str, name: str
) -> None:
    event = {"event_id": "e", "type": "voice", "seconds": 1, "answered": True, "agent": name}
    answer = api.post("/billing/v3/usage", event, key=ada_key)
    assert (answer.status_code, read(answer)["errors"][0]["pointer"]) == (422, "/agent")
    assert not Agent.objects.exists()
