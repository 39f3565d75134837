"""The OpenAPI document and the docs page made of it."""

import html
import re

import pytest
from django.test import Client

from accounts.models import User
from tests.api_client import ApiClient, read

pytestmark = pytest.mark.django_db


def test_it_publishes_openapi_3_1_with_scopes_and_problems(api: ApiClient) -> None:
    document = read(api.get("/billing/openapi.json"))
    assert document["openapi"] == "3.1.0"
    usage = document["paths"]["/billing/v3/usage"]["post"]
    assert usage["security"] == [{"Bearer": ["usage:write"]}]
    assert "application/problem+json" in usage["responses"]["default"]["content"]
    assert document["components"]["securitySchemes"]["Bearer"]["scheme"] == "bearer"
    assert "Problem" in document["components"]["schemas"]


def test_it_documents_every_operation_and_every_reason(client: Client) -> None:
    page = client.get("/billing/docs")
    text = page.content.decode()
    document = read(client.get("/billing/openapi.json"))
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            assert f"<strong>{method.upper()}</strong> {path}" in text
            assert html.escape(told["summary"]) in text
    for code in ("unauthorized", "missing_scope", "rate_limited", "invalid_json", "insufficient_balance"):
        assert f'id="{code}"' in text


def test_it_shows_the_docs_without_any_script_but_our_own(client: Client, ada: User) -> None:
    for signed_in in (False, True):
        if signed_in:
            client.force_login(ada)
        page = client.get("/billing/docs")
        scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page.content.decode(), re.DOTALL)
        assert all('src="/static/' in attributes and not body for attributes, body in scripts)
        assert " style=" not in page.content.decode()
        assert "default-src 'none'" in page["Content-Security-Policy"]


def test_it_links_from_a_problem_to_its_explanation(api: ApiClient) -> None:
    problem = read(api.get("/billing/v3/payment-methods"))
    assert problem["type"] == "http://127.0.0.1:8000/billing/docs#unauthorized"
