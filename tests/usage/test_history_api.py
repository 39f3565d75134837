"""GET /billing/history/{user_id}: exactly the seed's records, in pages that never skip or repeat one."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from accounts import ids
from accounts.models import Scope, User
from tests import factories
from tests.api_client import ApiClient, read
from tests.usage import events, spending
from tests.usage.spending import NOW, agent, use
from usage import metering, reversals
from usage.models import Agent, Charge
from usage.pricing import Usage

pytestmark = pytest.mark.django_db
D = Decimal
MORNING = datetime(2026, 3, 5, 10, 30, tzinfo=UTC)
KEYS = ["id", "type", "agent", "model", "input_tokens", "output_tokens", "cost", "timestamp"]


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def records(api: ApiClient, query: str, key: str, *, user: str = "me") -> list[dict[str, Any]]:
    answer = api.get(f"/billing/history/{user}{query}", key=key)
    assert answer.status_code == 200, answer.content
    return read(answer)["records"]


def refusal(api: ApiClient, query: str, key: str, *, user: str = "me") -> tuple[int, str]:
    answer = api.get(f"/billing/history/{user}{query}", key=key)
    body = read(answer)
    return answer.status_code, body["errors"][0]["pointer"] if "errors" in body else body["code"]


@pytest.mark.parametrize("path", ["/billing/history", "/billing/v3/history"])
def test_it_answers_the_seeds_own_example(api: ApiClient, ada: User, ada_key: str, path: str) -> None:
    """S36 S37 S38 S39: the path, the query and the record as printed, key for key and in the same order."""
    message = events.chat("e1", "gpt-4o-mini", 1250, 340, agent=agent("Customer Support"))
    charge = use(ada.account_id, message, at=MORNING + timedelta(milliseconds=250))
    answer = api.get(f"{path}/{ada.public_id}?limit=10", key=ada_key)
    assert answer.status_code == 200
    assert answer.content.decode() == (
        '{"records":[{"id":"' + charge.public_id + '","type":"chat","agent":"Customer Support",'
        '"model":"gpt-4o-mini","input_tokens":1250,"output_tokens":340,"cost":0.0004,'
        '"timestamp":"2026-03-05T10:30:00Z"}]}'
    )


def test_every_kind_of_charge_keeps_all_eight_keys(api: ApiClient, ada: User, ada_key: str) -> None:
    """S11 S36: rent of a number is voice; what does not apply is null, and no agent is Unassigned."""
    spending.fund(ada.account_id, "5.00", at=MORNING)
    used = [
        events.voice("v", 252), events.voice("n", 30, answered=False), events.pages("k", 12),
        events.event("r", Usage("number")),
    ]  # fmt: skip
    for number, event in enumerate(used):
        use(ada.account_id, event, at=MORNING + timedelta(minutes=number))
    found = records(api, "", ada_key)
    assert all(list(record) == KEYS for record in found)
    assert [(r["type"], r["agent"], r["model"], r["input_tokens"], r["cost"]) for r in found] == [
        ("voice", "Unassigned", None, None, D("2.0000")),
        ("knowledge", "Unassigned", None, None, D("0.1200")),
        ("voice", "Unassigned", None, None, 0),
        ("voice", "Unassigned", None, None, D("0.4200")),
    ]


@pytest.mark.parametrize(
    ("tokens", "cost"),
    [(1, "0.000000075"), (13, "0.00000098"), (1_333, "0.0001"), (1_334, "0.0001"), (0, "0")],
)
def test_a_real_charge_is_never_shown_as_nothing(
    api: ApiClient, ada: User, ada_key: str, tokens: int, cost: str
) -> None:
    """S39: four decimals; below $0.0001 two significant digits, in plain notation."""
    use(ada.account_id, events.chat("e", "gemini-1.5-flash", tokens, 0), at=MORNING)
    printed = re.search(rb'"cost":([0-9.]+),', api.get("/billing/history/me", key=ada_key).content)
    assert D(printed[1].decode()) == D(cost)


def test_a_reversed_charge_appears_once_more_with_a_negative_cost(
    api: ApiClient, ada: User, ada_key: str
) -> None:
    """So that a period's records add up to its total."""
    charge = use(ada.account_id, events.chat("e1"), at=MORNING)
    reversals.reverse(
        ada.account_id, charge.id, actor="tests", reason="Wrong", now=MORNING + timedelta(hours=1)
    )
    newest, oldest = records(api, "?expand=exact,quantity", ada_key)
    assert (newest["cost"], newest["cost_exact"]) == (D("-0.0004"), "-0.000391500")
    assert (newest["input_tokens"], oldest["input_tokens"]) == (-1250, 1250)
    assert newest["id"] != oldest["id"] == charge.public_id


def test_it_tells_more_when_asked(api: ApiClient, ada: User, ada_key: str) -> None:
    before = MORNING - timedelta(minutes=3)
    chat = events.chat("e1", retrieval_queries=1, occurred_at=before)
    use(ada.account_id, chat, at=MORNING)
    use(ada.account_id, events.voice("e2", 252), at=MORNING + timedelta(minutes=1))
    use(ada.account_id, events.pages("e3", 3), at=MORNING + timedelta(minutes=2))
    pages, call, message = records(api, "?expand=exact,quantity,rates,occurred_at", ada_key)
    assert message["cost_exact"] == "0.002391500"
    assert message["quantity"] == {"input_tokens": 1250, "output_tokens": 340, "retrieval_queries": 1}
    assert message["rates"] == {
        "gpt-4o-mini.input": D("0.15"), "gpt-4o-mini.output": D("0.6"), "retrieval.query": D("0.002"),
    }  # fmt: skip
    assert message["occurred_at"] == "2026-03-05T10:27:00Z"
    assert call["quantity"] == {"seconds": 252, "answered": True}
    assert pages["quantity"] == {"pages": 3}


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_never_skip_or_repeat(api: ApiClient, ada: User, ada_key: str, limit: int) -> None:
    """By following the Link header, also while new charges arrive: newest first, by ledger order."""
    made = spending.random_month(ada.account_id, seed=5, count=30)
    seen: list[str] = []
    url: str | None = f"/billing/history/me?limit={limit}"
    while url:
        answer = api.get(url, key=ada_key)
        seen += [record["id"] for record in read(answer)["records"]]
        late = events.chat(f"late {len(seen)}", "gpt-4o-mini", 1, 1)
        metering.record(ada.account_id, late, now=NOW + timedelta(seconds=len(seen)))
        link = answer.headers.get("Link")
        url = link and re.fullmatch(r'<http://[^/]+(/.*)>; rel="next"', link)[1]
    assert seen == [charge.public_id for charge in reversed(made)]


def test_a_page_costs_the_same_wherever_it_is(
    api: ApiClient, ada: User, ada_key: str, django_assert_num_queries: Any
) -> None:
    """The key, the cursor, the page, the agents' names; neither OFFSET nor COUNT."""
    made = spending.random_month(ada.account_id, seed=5, count=30)
    api.get("/billing/history/me", key=ada_key)
    with django_assert_num_queries(4) as seen:
        api.get(f"/billing/history/me?starting_after={made[20].public_id}", key=ada_key)
    asked = " ".join(query["sql"].upper() for query in seen.captured_queries)
    assert "OFFSET" not in asked
    assert "COUNT(" not in asked


@pytest.fixture
def mixed(ada: User) -> list[Charge]:
    """One charge a day from 1 March on."""
    support, sales = agent("Customer Support"), agent("Sales Assistant")
    month = [
        events.chat("1", "gpt-4o", agent=support), events.chat("2", "gpt-4o-mini", agent=sales),
        events.voice("3", 60, agent=sales), events.pages("4", 2), events.chat("5", "gpt-4o"),
    ]  # fmt: skip
    start = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
    return [use(ada.account_id, event, at=start + timedelta(days=n)) for n, event in enumerate(month)]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("type=chat", "521"), ("type=voice", "3"), ("type=knowledge", "4"), ("model=gpt-4o", "51"),
        ("agent=Customer%20Support", "1"), ("agent=sales%20ASSISTANT", "32"), ("agent=Unassigned", "54"),
        ("from=2026-03-03", "543"), ("to=2026-03-02", "21"), ("from=2026-03-02&to=2026-03-03", "32"),
        ("from=2026-03-04&to=2026-03-04", "4"), ("from=0001-01-01&to=9999-12-31", "54321"),
        ("type=chat&agent=Unassigned&model=gpt-4o&from=2026-03-01", "5"), ("to=2026-02-28", ""),
        ("model=gemini-1.5-pro", ""),
    ],
)  # fmt: skip
def test_it_filters(api: ApiClient, mixed: list[Charge], ada_key: str, query: str, places: str) -> None:
    found = [record["id"] for record in records(api, f"?{query}", ada_key)]
    assert found == [mixed[int(place) - 1].public_id for place in places]


def test_an_agent_may_be_named_by_its_id(api: ApiClient, mixed: list[Charge], ada_key: str) -> None:
    sales = Agent.objects.get(name="Sales Assistant")
    assert len(records(api, f"?agent={sales.public_id}", ada_key)) == 2


def test_filters_go_by_the_stored_day(api: ApiClient) -> None:
    """In Auckland 12:00 UTC on 5 March is the sixth."""
    ada = factories.owner(timezone="Pacific/Auckland")
    use(ada.account_id, events.chat("e"), at=MORNING.replace(hour=12))
    key = factories.key(ada.account)
    assert not records(api, "?to=2026-03-05", key)
    assert len(records(api, "?from=2026-03-06&to=2026-03-06", key)) == 1


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"), ("limit=101", "/limit"), ("limit=ten", "/limit"), ("limit=1&limit=2", "/limit"),
        ("type=number", "/type"), ("type=", "/type"), ("model=gpt-9", "/model"), ("from=2026-13-01", "/from"),
        ("to=5", "/to"), ("to=1700000000", "/to"), ("from=2026-03-05&to=2026-03-04", "/to"),
        ("starting_after=bill_nonsense", "/starting_after"), ("starting_after=", "/starting_after"),
        ("expand=rate", "/expand"), ("page=2", "/page"), ("Type=chat", "/Type"),
    ],
)  # fmt: skip
def test_it_names_what_it_does_not_accept(
    api: ApiClient, ada: User, ada_key: str, query: str, pointer: str
) -> None:
    assert refusal(api, f"?{query}", ada_key) == (422, pointer)


def test_a_cursor_of_somebody_else_is_no_cursor(api: ApiClient, ada: User, cy: User, ada_key: str) -> None:
    theirs = use(cy.account_id, events.chat("e"), at=MORNING)
    assert refusal(api, f"?starting_after={theirs.public_id}", ada_key) == (422, "/starting_after")


@pytest.mark.parametrize("named", ["agent_00000000000000000000000000", "agent_", "Nobody", "%20", "a" * 200])
def test_an_unknown_agent_is_told_first(api: ApiClient, ada: User, ada_key: str, named: str) -> None:
    assert refusal(api, f"?agent={named}&expand=nonsense", ada_key) == (404, "not_found")


def test_a_colleague_is_the_same_account(api: ApiClient, ada: User, bo: User, ada_key: str) -> None:
    use(ada.account_id, events.chat("e"), at=MORNING)
    assert len(records(api, "", ada_key, user=bo.public_id)) == 1


def test_a_stranger_does_not_exist(api: ApiClient, ada: User, cy: User, ada_key: str) -> None:
    """404 before 422, and the same for everybody who is not of this account."""
    for user in (cy.public_id, ids.public("usr", ids.uuid7()), "usr_1", "you", "%F0%9F%90%98"):
        assert refusal(api, "?limit=0&page=2", ada_key, user=user) == (404, "user_not_found")


def test_a_platform_key_names_a_user(api: ApiClient, ada: User, cy: User, platform_key: str) -> None:
    use(ada.account_id, events.chat("e"), at=MORNING)
    assert len(records(api, "", platform_key, user=ada.public_id)) == 1
    assert refusal(api, "", platform_key) == (404, "user_not_found")
    matching = f"?account={ada.account.public_id}"
    assert len(records(api, matching, platform_key, user=ada.public_id)) == 1
    assert refusal(api, matching, platform_key, user=cy.public_id) == (404, "account_not_found")


def test_it_needs_its_scope(api: ApiClient, ada: User) -> None:
    key = factories.key(ada.account, scopes=[Scope.BALANCE_READ])
    assert refusal(api, "", key) == (403, "missing_scope")
