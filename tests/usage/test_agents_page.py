"""Agents in the browser: the list with models and prices, one agent's name and model, advice and what-if."""

import re
from collections.abc import Iterator
from decimal import Decimal
from html import unescape
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from accounts import ids
from accounts.models import User
from billing import ledger
from tests import factories
from tests.api_client import ApiClient, read
from tests.usage import events, spending
from tests.usage.spending import NOW, use
from usage import agents
from usage.models import Agent

pytestmark = pytest.mark.django_db
D = Decimal
AGENTS = "/settings/agents/"
ADVICE = {  # the seed's, word for word
    "High quality, higher cost Best for complex reasoning tasks.": ["GPT-4 Turbo", "Claude 3.5 Sonnet"],
    "Good quality, balanced cost Great for most use cases.": ["GPT-4o", "Gemini 1.5 Pro"],
    "Fast and affordable Ideal for high-volume, simpler tasks.": [
        "GPT-4o-mini",
        "Claude 3 Haiku",
        "Gemini 1.5 Flash",
    ],
}


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def browser(ada: User, client: Client) -> Client:
    client.force_login(ada)
    return client


@pytest.fixture
def support(ada: User) -> Agent:
    return make(ada, "Customer Support")


def make(owner: User, name: str, model: str = "") -> Agent:
    return Agent.objects.create(
        account_id=owner.account_id, name=name, name_key=agents.name_key(name), model=model, created_at=NOW
    )


def page(browser: Client, path: str = AGENTS, status: int = 200) -> str:
    answer = browser.get(path)
    assert answer.status_code == status
    return words(answer)


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def path_of(agent: Agent) -> str:
    return f"{AGENTS}{agent.public_id}/"


def rename(browser: Client, agent: Agent, name: str) -> Any:
    return browser.post(path_of(agent), {"change": "name", "name": name})


def choose(browser: Client, agent: Agent, model: str) -> Any:
    return browser.post(path_of(agent), {"change": "model", "model": model})


def kept(agent: Agent) -> tuple[str, str]:
    agent.refresh_from_db()
    return agent.name, agent.model


# --- the list -----------------------------------------------------------------------------------------------------


def test_a_newcomer_gets_a_command_that_makes_an_agent(browser: Client, api: ApiClient, ada_key: str) -> None:
    """The curl of the empty page, sent as printed, makes the agent and costs what the page says."""
    answer = browser.get(AGENTS)
    assert "No agents yet" in words(answer)
    assert "one small message for $0.0003915" in words(answer)
    command = answer.context["command"]
    path = re.search(r"(/billing/v3/\S+)", command)[1]
    sent = api.post(path, re.search(r"-d '(.+)'", command, re.DOTALL)[1], key=ada_key)
    assert (sent.status_code, read(sent)["cost"]) == (201, D("0.0004"))
    assert "Customer Support" in page(browser)


def test_each_agent_has_its_model_with_its_price_beside_it(ada: User, browser: Client) -> None:
    """S21: each agent its own model."""
    make(ada, "FAQ bot", "gpt-4o-mini")
    make(ada, "Research", "claude-3.5-sonnet")
    make(ada, "New one")
    found = page(browser)
    assert (
        "FAQ bot GPT-4o-mini, $0.15 in · $0.60 out Active GPT-4o-mini $0.15 in · $0.60 out per 1M tokens"
        in found
    )
    assert "Claude 3.5 Sonnet $3.00 in · $15.00 out per 1M tokens" in found
    assert "New one No model chosen" in found


def test_it_gives_the_seeds_advice_on_both_pages(browser: Client, support: Agent) -> None:
    """S21 S50: different models for different agents, beside the agents and beside the prices."""
    advice = (
        "You can set different models for different agents. Use a cheaper model for your FAQ bot and a premium model "
        "for your research agent."
    )
    for path in (AGENTS, path_of(support), "/settings/billing/pricing/"):
        assert advice in page(browser, path)


def test_what_agents_spent_this_month_is_what_the_api_says(
    ada: User, browser: Client, api: ApiClient, ada_key: str
) -> None:
    """S31: to the cent, with what no agent spent."""
    spending.random_month(ada.account_id, seed=3)
    answer = browser.get(AGENTS)
    shown = {line.agent.name: line.spent.total for line in answer.context["lines"]}
    shown["Unassigned"] = answer.context["unassigned"].total
    body = read(api.get("/billing/v3/balance?period=month", key=ada_key))
    assert shown == {row["agent"]: row["spent"] for row in body["by_agent"]}
    assert sum(shown.values()) == body["total_spent"]
    assert f"Usage without an agent cost ${shown['Unassigned']} in March so far." in words(answer)


def test_it_finds_an_agent_by_a_part_of_its_name(ada: User, browser: Client) -> None:
    for name in ("Straße 7", "Support", "Sales"):
        make(ada, name)
    assert "Straße 7" in page(browser, f"{AGENTS}?q=STRASSE")
    assert "Support" not in page(browser, f"{AGENTS}?q=sal")
    assert "No agent has that in its name" in page(browser, f"{AGENTS}?q=nobody")


@pytest.mark.parametrize(
    "query",
    ["?q=%00", "?q=" + "x" * 81, "?page=-1", "?page=x", "?page=99999999999999999999", "?q=%25", "?q=%FF"],
)
def test_strange_questions_are_answered(browser: Client, support: Agent, query: str) -> None:
    page(browser, AGENTS + query)


def test_it_has_pages_for_a_thousand(ada: User, browser: Client) -> None:
    """Fifty at a time, and as many queries as for one."""
    Agent.objects.bulk_create(
        Agent(account_id=ada.account_id, name=f"Agent {n:04}", name_key=f"agent {n:04}", created_at=NOW)
        for n in range(1000)
    )
    with CaptureQueriesContext(connection) as asked:
        found = page(browser, f"{AGENTS}?page=20")
    assert "Agent 0950" in found
    assert "Agent 0949" not in found
    assert "951 to 1,000 of 1,000, by name Previous" in found
    assert len(asked) < 20


def test_it_shows_nobody_elses(cy: User, browser: Client) -> None:
    theirs = make(cy, "Cy's secret")
    assert "secret" not in page(browser)
    page(browser, path_of(theirs), status=404)
    assert rename(browser, theirs, "Mine").status_code == 404
    assert choose(browser, theirs, "gpt-4o").status_code == 404
    assert kept(theirs) == ("Cy's secret", "")


@pytest.mark.parametrize("name", ["agent_x", "nonsense", ids.public("agent", UUID(int=7)), "%00"])
def test_an_unknown_agent_is_a_404(browser: Client, name: str) -> None:
    page(browser, f"{AGENTS}{name}/", status=404)


# --- one agent ----------------------------------------------------------------------------------------------------


def test_it_offers_the_seven_models_in_the_three_groups_of_advice(browser: Client, support: Agent) -> None:
    """S21 S50: the seed's groups in its words, each model with both prices."""
    answer = browser.get(path_of(support))
    groups = {f"{group.title} {group.advice}": [choice.model.name for choice in choices]
              for group, choices in answer.context["groups"]}  # fmt: skip
    assert groups == ADVICE
    found = words(answer)
    for title in ADVICE:
        assert title in found
    assert "Gemini 1.5 Flash $0.075 in · $0.30 out" in found
    assert "It used no chat tokens in the last 30 days" in found


def test_it_says_what_the_last_days_would_have_cost_on_every_other_model(ada: User, browser: Client) -> None:
    """S50: 2,000,000 tokens in and 300,000 out on GPT-4o cost $8.00; on the others, by hand."""
    spending.fund(ada.account_id, "50.00", at=NOW)
    use(
        ada.account_id,
        events.chat("a", "gpt-4o", 2_000_000, 300_000, agent=spending.agent("Support")),
        at=NOW,
    )
    found = page(browser, path_of(Agent.objects.get()))
    assert (
        "From 17 February to 18 March its chats took 2,000,000 tokens in, 300,000 out, 0 retrievals in 1 message."
        in found
    )
    for line in (
        "GPT-4 Turbo $10.00 in · $30.00 out $29.00 +$21.00",
        "Claude 3.5 Sonnet $3.00 in · $15.00 out $10.50 +$2.50",
        "GPT-4o $2.50 in · $10.00 out $8.00 the same",
        "Gemini 1.5 Pro $1.25 in · $5.00 out $4.00 −$4.00",
        "GPT-4o-mini $0.15 in · $0.60 out $0.48 −$7.52",
        "Claude 3 Haiku $0.25 in · $1.25 out $0.88 −$7.12",  # 0.875, half up
        "Gemini 1.5 Flash $0.075 in · $0.30 out $0.24 −$7.76",
    ):
        assert line in found
    assert "What it really used GPT-4o $8.00" in found
    assert "Another model may need more or fewer tokens for the same answers." in found


def test_its_thirty_days_add_up_and_lead_to_its_records(ada: User, browser: Client) -> None:
    spending.random_month(ada.account_id, seed=2)
    agent = Agent.objects.get(name="Customer Support")
    answer = browser.get(path_of(agent))
    assert sum(row.total for row in answer.context["spent"]) == answer.context["total"]
    rows = browser.get(answer.context["records"]).context["rows"]
    assert {row.agent for row in rows} == {"Customer Support"}


def test_it_never_asks_the_charges(ada: User, browser: Client) -> None:
    spending.random_month(ada.account_id, seed=2, count=30)
    path = path_of(Agent.objects.get(name="Customer Support"))
    with CaptureQueriesContext(connection) as asked:
        page(browser, path)
        page(browser)
    assert not [query for query in asked.captured_queries if "usage_charge" in query["sql"]]


def test_choosing_a_model_tells_the_platform_and_charges_nothing(
    ada: User, browser: Client, support: Agent, api: ApiClient, ada_key: str
) -> None:
    """S21: the platform reads it from its next message on."""
    before = read(api.get("/billing/v3/balance", key=ada_key))
    answer = browser.post(path_of(support), {"change": "model", "model": "claude-3-haiku"}, follow=True)
    assert "Customer Support uses Claude 3 Haiku: the platform switches with its next message." in words(
        answer
    )
    (told,) = read(api.get("/billing/v3/agents", key=ada_key))["agents"]
    assert told["model"] == "claude-3-haiku"
    assert read(api.get("/billing/v3/balance", key=ada_key)) == before
    assert 'value="claude-3-haiku" checked' in answer.content.decode()


@pytest.mark.parametrize("model", ["", "gpt-9", "GPT-4o", "gpt-4o\x00", "gpt-4o.input", "x" * 500])
def test_it_refuses_a_model_that_it_has_no_price_for(browser: Client, support: Agent, model: str) -> None:
    answer = choose(browser, support, model)
    assert "The model was not changed" in words(answer)
    assert kept(support)[1] == ""


def test_renaming_keeps_records_and_id(ada: User, browser: Client) -> None:
    use(ada.account_id, events.chat("one", agent=spending.agent("Suport")), at=NOW)
    agent = Agent.objects.get()
    assert rename(browser, agent, "  Support  ").status_code == 303
    assert "The agent is called “Support” now." in page(browser, path_of(agent))
    assert browser.get("/settings/billing/records/").context["rows"][0].agent == "Support"
    rename(browser, agent, "SUPPORT")
    assert kept(agent)[0] == "SUPPORT"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "Type a name of 1 to 80 characters."),
        ("   ", "Type a name of 1 to 80 characters."),
        ("x" * 81, "An agent's name must have 1 to 80 characters."),
        ("a\u202eb", "An agent's name must have no control characters."),
        ("a\u2066b", "An agent's name must have no control characters."),
        ("a\x07b", "An agent's name must have no control characters."),
        ("two\nlines", "An agent's name must have no control characters."),
        ("two\u2028lines", "An agent's name must have no control characters."),
        ("a\x00b", "Null characters are not allowed."),
        ("\u200b\u200d", "An agent's name must have a letter, a digit or a visible sign."),
        ("agent_7", "An agent's name cannot begin with agent_"),
        ("unASSIGNED", "Unassigned means usage without an agent"),
        ("SALES", "Another agent of this account has that name"),
        ("sales", "Another agent of this account has that name"),
    ],
)  # fmt: skip
def test_it_refuses_a_name_with_a_reason(
    ada: User, browser: Client, support: Agent, name: str, sentence: str
) -> None:
    make(ada, "Sales")
    answer = rename(browser, support, name)
    assert "The name was not changed" in words(answer)
    assert sentence in words(answer)
    assert kept(support)[0] == "Customer Support"


@pytest.mark.parametrize(
    "name", ["Überseekunden", "客服", "👩‍🚀 Support", "می‌خواهم", "x" * 80, "<b>&amp;'\""]
)
def test_it_takes_names_of_all_the_world(browser: Client, support: Agent, name: str) -> None:
    assert rename(browser, support, name).status_code == 303
    assert kept(support)[0] == name
    assert escape(name) in browser.get(path_of(support)).content.decode()


def test_the_same_name_on_another_account_is_no_matter(cy: User, browser: Client, support: Agent) -> None:
    make(cy, "Sales")
    assert rename(browser, support, "Sales").status_code == 303


def test_a_viewer_reads_and_changes_nothing(bo: User, client: Client, support: Agent) -> None:
    client.force_login(bo)
    found = page(client, path_of(support))
    assert "Only admins and the owner can choose the model." in found
    assert "Save" not in found
    assert rename(client, support, "Mine").status_code == 403
    assert choose(client, support, "gpt-4o").status_code == 403
    assert kept(support) == ("Customer Support", "")


def test_an_admin_changes_both(ada: User, client: Client, support: Agent) -> None:
    client.force_login(factories.member(ada.account, email="al@example.com", role=User.Role.ADMIN))
    assert rename(client, support, "Help").status_code == 303
    assert choose(client, support, "gpt-4o").status_code == 303
    assert kept(support) == ("Help", "gpt-4o")


def test_somebody_signed_out_is_asked_to_sign_in(client: Client, support: Agent) -> None:
    for path in (AGENTS, path_of(support)):
        assert client.get(path)["Location"].startswith("/sign-in/")


# --- running out --------------------------------------------------------------------------------------------------


def test_it_says_why_agents_are_paused_and_what_to_do(ada: User, browser: Client, support: Agent) -> None:
    """S48: the agents stand there as before, only paused."""
    use(ada.account_id, events.voice("all", 600), at=NOW)
    for path in (AGENTS, path_of(support)):
        found = page(browser, path)
        assert (
            "Your agents are paused The balance is used up. Everything resumes as soon as funds are added."
            in found
        )
        assert "Add funds" in found
        assert "Customer Support" in found
    spending.fund(ada.account_id, "5.00", at=NOW)
    assert "paused" not in page(browser)


def test_it_says_that_a_freeze_pauses_them(ada: User, browser: Client, support: Agent) -> None:
    ledger.freeze(ada.account_id, by="owner", frozen=True, now=NOW)
    found = page(browser)
    assert "Your agents are paused Spending is frozen on this account." in found
