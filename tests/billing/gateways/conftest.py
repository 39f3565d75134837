"""A Stripe of answers prepared by the test: over HTTP, so that the official package does all that it does."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from billing.gateways.stripe import StripeGateway
from billing.models import Mode
from tests.billing.gateways.stripe_answers import SECRET

# Without a key the tests against Stripe itself are neither run nor mentioned.
collect_ignore = [] if os.environ.get("STRIPE_TEST_KEY") else ["test_stripe_live.py"]


@dataclass
class Wire:
    """What was sent, in order; `answers` are given in order, the last one again and again."""

    server: HTTPServer
    answers: list[Response] = field(default_factory=list)
    sent: list[Request] = field(default_factory=list)

    def answer(self, body: Any = None, status: int = 200, **headers: str) -> "Wire":
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/html" if isinstance(body, str) else "application/json"
        self.answers.append(Response(text, status, headers=headers, content_type=kind))
        return self

    def handle(self, request: Request) -> Response:
        request.get_data(cache=True)
        self.sent.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def keys(self) -> list[str]:
        return [request.headers.get("Idempotency-Key", "") for request in self.sent]

    def gateway(self, **changes: Any) -> StripeGateway:
        wanted: dict[str, Any] = {
            "secret_key": "sk_test_x", "webhook_secrets": [SECRET], "mode": Mode.STRIPE_TEST,
            "api_base": self.server.url_for("").rstrip("/"), "timeout": 5,
        }  # fmt: skip
        return StripeGateway(**wanted | changes)


@pytest.fixture
def wire(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    monkeypatch.setattr("stripe.HTTPClient.INITIAL_DELAY", 0.01)  # seconds between its own tries
    monkeypatch.setattr("stripe.HTTPClient.MAX_DELAY", 0.01)
    made = Wire(httpserver)
    httpserver.expect_request(re.compile(".*")).respond_with_handler(made.handle)
    yield made
    httpserver.check_assertions()
