"""docs/webhooks.md is what the platform's developers build on: its code runs, its tables are complete."""

import ast
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from accounts import ids
from accounts.models import User
from alerts import deliveries, payloads, signing, webhooks
from billing import selectors
from tests import factories
from tests.alerts.platform import clock
from usage import phone_numbers_api
from usage.models import Campaign, PhoneNumber

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
def test_its_example_is_what_a_balance_looks_like(ada: User) -> None:
    funds = payloads.balance(selectors.balance_of(ada.account_id))
    assert list(EXAMPLE["data"]) == ["account", *funds]
    assert funds["balance"] == "1.000000000"


@pytest.mark.django_db
def test_numbers_and_campaigns_look_as_the_api_shows_them(ada: User) -> None:
    now: datetime = clock()
    number = PhoneNumber.objects.create(
        account=ada.account, rented_at=factories.BIRTHDAY, rented_by=ada.public_id, paid_until=now
    )
    campaign = Campaign.objects.create(
        account=ada.account, name="Spring", calls=10, seconds_per_call=60, created_at=now, launched_at=now
    )
    [shown] = phone_numbers_api.shown(ada.account_id, [number], now=now)
    assert payloads.phone_number(number, now=now) == shown
    assert shown["id"] == number.public_id
    told = payloads.campaign(campaign, now=now)
    assert (told["id"], told["state"]) == (campaign.public_id, "active")
    webhooks.compose(webhooks.Type.CAMPAIGN_PAUSED, told, now=now)
