"""GET /billing/v3/balance: exactly the seed's body, and numbers that add up."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine

from accounts import ids
from accounts.models import Account, Scope, User
from billing import holds, ledger
from tests import factories
from tests.api_client import ApiClient, read
from tests.usage import events, spending
from tests.usage.spending import NOW
from usage.models import Charge

pytestmark = pytest.mark.django_db
D = Decimal
BALANCE = "/billing/v3/balance"


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def test_it_answers_the_seeds_own_example(api: ApiClient, ada: User, ada_key: str) -> None:
    """S34 S35: the path, the query and the body as printed, key for key and in the same order."""
    spending.the_seeds_month(ada.account_id)
    answer = api.get(f"{BALANCE}?period=month", key=ada_key)
    assert answer.status_code == 200
    assert answer.content == (
        b'{"period":"2026-03","total_spent":47.82,"balance":152.18,'
        b'"breakdown":{"chat":32.15,"voice":12.40,"knowledge":3.27},'
        b'"by_agent":[{"agent":"Customer Support","spent":28.50},{"agent":"Sales Assistant","spent":12.05},'
        b'{"agent":"Research Bot","spent":7.27}]}'
    )


def test_the_month_is_what_is_meant_when_nothing_is_said(api: ApiClient, ada: User, ada_key: str) -> None:
    spending.the_seeds_month(ada.account_id)
    assert api.get(BALANCE, key=ada_key).content == api.get(f"{BALANCE}?period=month", key=ada_key).content


def test_a_new_account_has_its_trial_and_no_spending(api: ApiClient, ada: User, ada_key: str) -> None:
    """S6 S29: the keys and their types are the same with nothing to tell."""
    assert read(api.get(BALANCE, key=ada_key)) == {
        "period": "2026-03", "total_spent": 0, "balance": 1, "breakdown": {"chat": 0, "voice": 0, "knowledge": 0},
        "by_agent": [],
    }  # fmt: skip


def test_a_charge_shows_at_once(api: ApiClient, ada: User, ada_key: str) -> None:
    """S3: spent is shown half up and the balance half down, so that they add up to what was granted."""
    spending.use(ada.account_id, events.chat("e1", "gpt-4o", 2_000, 0), at=NOW)
    body = read(api.get(BALANCE, key=ada_key))
    assert (body["total_spent"], body["balance"]) == (D("0.01"), D("0.99"))
    assert body["by_agent"] == [{"agent": "Unassigned", "spent": D("0.01")}]


@pytest.mark.parametrize(
    ("asked", "name", "spent"),
    [
        ("day", "2026-03-18", "0.01"), ("month", "2026-03", "0.07"), ("year", "2026", "0.15"),
        ("2026-03-01", "2026-03-01", "0.02"), ("2026-02", "2026-02", "0.08"), ("2026-02-28", "2026-02-28", "0.08"),
        ("2025", "2025", "0"), ("2019-12-31", "2019-12-31", "0"), ("0001", "0001", "0"),
    ],
)  # fmt: skip
def test_every_period_is_echoed_resolved(api: ApiClient, asked: str, name: str, spent: str) -> None:
    """S35: days are the account's local ones; before it existed there is nothing."""
    born = NOW - timedelta(days=60)
    ada = factories.owner(now=born)
    for number, (day, pages) in enumerate([(18, 8), (17, 2), (16, 4), (0, 1)]):
        spending.use(ada.account_id, events.pages(f"e{number}", pages), at=NOW - timedelta(days=day))
    body = read(api.get(f"{BALANCE}?period={asked}", key=factories.key(ada.account)))
    assert (body["period"], body["total_spent"], body["balance"]) == (name, D(spent), D("0.85"))


def test_days_begin_at_midnight_where_the_account_is(api: ApiClient) -> None:
    """15:42 in London is the day after in Auckland; the day of a charge is stored and never moves."""
    ada = factories.owner(timezone="Pacific/Auckland")
    spending.use(ada.account_id, events.pages("e1", 5), at=NOW)
    key = factories.key(ada.account)
    assert read(api.get(f"{BALANCE}?period=day", key=key))["period"] == "2026-03-19"
    Account.objects.filter(pk=ada.account_id).update(timezone="Pacific/Honolulu")
    body = read(api.get(f"{BALANCE}?period=day&expand=timezone", key=key))
    assert (body["period"], body["total_spent"]) == ("2026-03-19", D("0.05")), (
        "the ledger's day never goes back"
    )
    assert body["timezone"] == "Pacific/Honolulu"


@pytest.mark.parametrize(
    "period",
    ["2026-13", "2026-02-30", "2026-04", "2027", "2026-03-19", "week", "", "0000", "26-03", "2026-3", "2026-03-5",
     "٢٠٢٦", "2026-03-05T00:00", "-2026", "9999-12", "month,year"],
)  # fmt: skip
def test_it_refuses_nonsense_and_the_future(api: ApiClient, ada: User, ada_key: str, period: str) -> None:
    answer = api.get(f"{BALANCE}?period={period}", key=ada_key)
    assert (answer.status_code, read(answer)["errors"][0]["pointer"]) == (422, "/period")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("perod=day", "/perod"), ("expand=everything", "/expand"), ("expand=exact,dayly", "/expand"),
     ("period=day&period=month", "/period"), ("limit=3", "/limit"), ("a~/b=1", "/a~0~1b")],
)  # fmt: skip
def test_it_names_what_it_does_not_know(
    api: ApiClient, ada: User, ada_key: str, query: str, pointer: str
) -> None:
    answer = api.get(f"{BALANCE}?{query}", key=ada_key)
    assert (answer.status_code, read(answer)["errors"][0]["pointer"]) == (422, pointer)


def test_it_tells_more_when_asked(api: ApiClient, ada: User, ada_key: str) -> None:
    spending.the_seeds_month(ada.account_id)
    holds.hold(
        ada.account_id, key="h", request_hash=b"h", amount=D("2.18"), purpose="chat", terms={},
        lifetime=timedelta(days=4_000), now=NOW,
    )  # fmt: skip
    body = read(api.get(f"{BALANCE}?expand=exact,by_model,daily,held,granted,timezone", key=ada_key))
    assert (body["total_spent_exact"], body["balance_exact"]) == ("47.820000000", "152.180000000")
    assert body["by_model"] == [
        {"model": "gpt-4o", "spent": D("32.15")},
        {"model": "Voice minutes", "spent": D("12.40")},
        {"model": "Knowledge ingestion", "spent": D("3.27")},
    ]
    assert (body["held"], body["available"]) == (D("2.18"), D("150.00"))
    assert (body["granted"], body["paid"], body["timezone"]) == (0, D("152.18"), "UTC")
    assert len(body["daily"]) == 18, "a month that runs ends today"
    assert body["daily"][1] == {"day": "2026-03-02", "spent": D("28.50")}


@pytest.mark.parametrize("seed", range(4))
def test_every_list_adds_up_to_the_same_total(api: ApiClient, ada: User, ada_key: str, seed: int) -> None:
    """S30 S31 S32 S33: to the cent, whatever was used, with reversals in it."""
    made = spending.random_month(ada.account_id, seed=seed, days=17)
    body = read(api.get(f"{BALANCE}?period=2026-03&expand=exact,by_model,daily", key=ada_key))
    total = sum((charge.cost for charge in made), D(0))
    assert D(body["total_spent_exact"]) == total
    assert body["total_spent"] == total.quantize(D("0.01"), "ROUND_HALF_UP")
    assert sum(body["breakdown"].values()) == body["total_spent"]
    for name in ("by_agent", "by_model", "daily"):
        assert sum(row["spent"] for row in body[name]) == body["total_spent"], name
    assert body["total_spent"] + body["balance"] == D("501.00")
    spent = [row["spent"] for row in body["by_agent"]]
    assert spent == sorted(spent, reverse=True)


def test_it_never_adds_up_the_charges(
    api: ApiClient, ada: User, ada_key: str, django_assert_num_queries: object
) -> None:
    """S29: three questions to the database whatever the history: the key, the balance, the roll-up."""
    spending.random_month(ada.account_id, seed=1, days=10)
    api.get(BALANCE, key=ada_key)  # stamps the key's use
    with django_assert_num_queries(3) as seen:
        api.get(BALANCE, key=ada_key)
    assert not [query for query in seen.captured_queries if "usage_charge" in query["sql"]]


def test_a_platform_key_names_the_account(api: ApiClient, ada: User, platform_key: str) -> None:
    ledger.credit_topup(ada.account_id, D("4.00"), key="t", actor="tests", now=NOW)
    assert read(api.get(f"{BALANCE}?account={ada.account.public_id}", key=platform_key))["balance"] == 5
    assert api.get(BALANCE, key=platform_key).status_code == 422
    nobody = ids.public("acct", ids.uuid7())
    assert api.get(f"{BALANCE}?account={nobody}&period=2026-13", key=platform_key).status_code == 404


def test_a_strangers_account_does_not_exist(api: ApiClient, cy: User, ada: User, ada_key: str) -> None:
    answer = api.get(f"{BALANCE}?account={cy.account.public_id}&expand=nonsense", key=ada_key)
    assert (answer.status_code, read(answer)["code"]) == (404, "account_not_found")


def test_it_needs_its_scope(api: ApiClient, ada: User) -> None:
    key = factories.key(ada.account, scopes=[Scope.HISTORY_READ])
    answer = api.get(BALANCE, key=key)
    assert (answer.status_code, read(answer)["required_scope"]) == (403, "balance:read")
    assert not Charge.objects.exists()
