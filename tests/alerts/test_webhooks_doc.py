"""docs/webhooks.md is what the platform's developers build on: its code runs, its tables are complete."""

import ast
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from accounts import ids
from accounts.models import User
from alerts import deliveries, facts, signing, webhook_facts, webhooks
from alerts.models import Delivery
from billing import topups
from tests import factories
from tests.alerts.platform import clock, endpoint
from tests.alerts.watching import spend
from tests.billing.paying import begin, save_card

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs/webhooks.md").read_text()
EXAMPLE = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])


def checker() -> Any:
    """The function that the page shows, as somebody would paste it."""
    code = re.search(r"By hand:\n\n```python\n(.*?)```", PAGE, re.DOTALL)[1]
    space: dict[str, Any] = {}
    exec(compile(code, "docs/webhooks.md", "exec"), space)
    return space["is_ours"]


def test_its_code_verifies_our_signatures_and_no_others() -> None:
    secret, is_ours = signing.new_secret(), checker()
    headers = signing.headers(ids.uuid7(), '{"type":"test"}', secret=secret)
    assert is_ours(secret, headers, b'{"type":"test"}')
    assert not is_ours(secret, headers, b'{"type":"best"}')
    assert not is_ours(signing.new_secret(), headers, b'{"type":"test"}')
    assert not is_ours(secret, headers | {"webhook-timestamp": "1772706600"}, b'{"type":"test"}')


def test_it_lists_every_type() -> None:
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", PAGE, re.MULTILINE)
    assert rows == list(webhooks.Type.values)


def test_it_names_tests_that_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    trees = [ast.walk(ast.parse(file.read_text())) for file in (PROJECT / "tests/alerts").glob("test_*.py")]
    assert len(named) > 15
    assert (
        named - {node.name for tree in trees for node in tree if isinstance(node, ast.FunctionDef)} == set()
    )


def test_it_tells_how_often_a_message_comes() -> None:
    assert deliveries.TRIES == 8
    hours = [int(wait.total_seconds() // 3600) for wait in deliveries.WAITS[3:]]
    assert f"2, {hours[1]}, {hours[2]} and {hours[3]} hours later" in PAGE
    assert hours[0] == 2


@pytest.mark.django_db
def test_its_table_says_what_a_balance_that_runs_out_sends() -> None:
    """The example is such a message; the table names what is beside the account."""
    born, now = clock() - timedelta(hours=1), clock()
    ada = factories.owner(now=born)
    endpoint("https://platform.example.com/")
    facts.evaluate(ada.account_id, now=born)
    spend(ada, "1.00", at=now)
    facts.evaluate(ada.account_id, now=clock())
    sent = {row.type: json.loads(row.body) for row in Delivery.objects.all()}
    assert set(sent) == {"balance.low", "balance.depleted"}
    for type_, message in sent.items():
        assert list(message["data"]) == ["account", *columns(type_)]
    assert list(EXAMPLE) == list(sent["balance.depleted"])
    assert list(EXAMPLE["data"]) == list(sent["balance.depleted"]["data"])
    assert sent["balance.depleted"]["data"]["balance"] == "0.000000000"


def columns(type_: str) -> list[str]:
    """The members that the table promises."""
    [row] = re.findall(rf"^\| `{re.escape(type_)}` \| [^|]* \| (.*) \|$", PAGE, re.MULTILINE)
    return re.findall(r"`(\w+)`", row)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("type_", "card"),
    [("topup.succeeded", "pm_card_visa"), ("topup.failed", "pm_card_chargeCustomerFail")],
)
def test_its_table_says_what_a_topup_sends(ada: User, type_: str, card: str) -> None:
    endpoint("https://platform.example.com/")
    topups.pay(begin(ada, card=save_card(ada, card)))
    webhook_facts.topups_ended(ada.account_id, now=clock())
    data = json.loads(Delivery.objects.get(type=type_).body)["data"]
    assert list(data) == ["account", *columns(type_)]
