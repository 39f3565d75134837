"""The examples of the API's document have the fields of real answers."""

from typing import Any

import pytest

from accounts.models import User
from billing import payment_methods
from tests import factories
from tests.api_client import ApiClient, read
from tests.usage.campaigning import launched
from thinnest_billing.api import api as product
from thinnest_billing.api_examples import EXAMPLES

pytestmark = pytest.mark.django_db
CHAT = {"event_id": "e1", "type": "chat", "model": "gpt-4o-mini", "input_tokens": 1250, "output_tokens": 340}
CALL = {"key": "c1", "type": "voice", "seconds": 60}


def fields(value: Any) -> Any:
    """The names in an answer, through its first entries."""
    if isinstance(value, dict):
        return {name: fields(inner) for name, inner in value.items()}
    return [fields(value[0])] if isinstance(value, list) and value else None


def test_it_has_an_example_for_every_operation() -> None:
    document = product.get_openapi_schema()
    operations = {
        f"{method.upper()} {path.removeprefix('/billing')}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert operations == set(EXAMPLES)


def test_it_shows_the_fields_of_real_answers(api: ApiClient, ada: User) -> None:
    ada_key = factories.key(ada.account)
    card = payment_methods.add_sandbox_card(ada.account_id, "pm_card_visa", now=factories.BIRTHDAY)
    topup = {"amount": 25.00, "payment_method_id": card}
    real = {
        "POST /v3/topup": api.post("/billing/v3/topup", topup, key=ada_key),
        "GET /v3/payment-methods": api.get("/billing/v3/payment-methods", key=ada_key),
        "POST /v3/usage": api.post("/billing/v3/usage", CHAT, key=ada_key),
        "GET /v3/balance": api.get("/billing/v3/balance?period=month", key=ada_key),
        "GET /history/{user_id}": api.get("/billing/history/me?limit=10", key=ada_key),
        "GET /v3/authorize": api.get("/billing/v3/authorize?type=chat", key=ada_key),
        "GET /v3/prices": api.get("/billing/v3/prices", key=ada_key),
        "POST /v3/holds": api.post("/billing/v3/holds", CALL, key=ada_key),
    }
    hold = f"/billing/v3/holds/{read(real['POST /v3/holds'])['id']}"
    batch = {"events": [CHAT | {"event_id": "e3", "agent": "Customer Support"}]}
    captured = {"event_id": "e2", "seconds": 61, "answered": True}
    real |= {
        "POST /v3/holds/{hold}/extend": api.post(f"{hold}/extend", {"seconds": 90}, key=ada_key),
        "POST /v3/holds/{hold}/capture": api.post(f"{hold}/capture", captured, key=ada_key),
        "POST /v3/usage/batch": api.post("/billing/v3/usage/batch", batch, key=ada_key),
        "GET /v3/agents": api.get("/billing/v3/agents", key=ada_key),
    }  # fmt: skip
    campaign = launched(ada)
    finish = f"/billing/v3/campaigns/{campaign.public_id}/finish"
    mine = {"account": ada.account.public_id}
    real |= {
        "GET /v3/campaigns": api.get("/billing/v3/campaigns", key=ada_key),
        "POST /v3/campaigns/{campaign}/finish": api.post(finish, mine, key=factories.key(None)),
    }
    for operation, answer in real.items():
        shown = EXAMPLES[operation].get(answer.status_code, "no such status")
        found = read(answer) if answer.content else None
        assert fields(found) == fields(shown), operation
