"""What the operations answer, by example: for the OpenAPI document and the docs page.

tests/test_api_examples.py compares the fields with real answers.
"""

from typing import Any

Examples = dict[str, dict[int, Any]]

HOLD = {
    "id": "hold_01J9Z3K4M5N6P7Q8R9S0T1V2W3",
    "key": "call_0001",
    "state": "open",
    "amount": 0.42,
    "expires_at": "2026-03-05T10:36:12Z",
    "available": 151.76,
}
RECORDED = {"id": "bill_01J9Z3K4M5N6P7Q8R9S0T1V2W3", "cost": 0.0004, "uncollected": 0, "balance": 152.18}
TOPUP = {
    "id": "top_01J9Z3K4M5N6P7Q8R9S0T1V2W3",
    "status": "succeeded",
    "amount": 25.00,
    "balance": 177.18,
    "created_at": "2026-03-05T10:30:00Z",
}
ACTION = {"status": "requires_action", "balance": 152.18}
RECORD = {
    "id": "bill_01J9Z3K4M5N6P7Q8R9S0T1V2W3",
    "type": "chat",
    "agent": "Customer Support",
    "model": "gpt-4o-mini",
    "input_tokens": 1250,
    "output_tokens": 340,
    "cost": 0.0004,
    "timestamp": "2026-03-05T10:30:00Z",
}
AGENT = {
    "id": "agent_01J9Z3K4M5N6P7Q8R9S0T1V2W3",
    "name": "Customer Support",
    "model": "gpt-4o-mini",
    "state": "active",
    "reason": None,
    "since": None,
}
CAMPAIGN = {
    "id": "camp_01J9Z3K4M5N6P7Q8R9S0T1V2W3",
    "name": "Spring catalogue",
    "agent": "Sales Assistant",
    "agent_id": "agent_01J9Z3K4M5N6P7Q8R9S0T1V2W3",
    "state": "active",
    "reason": None,
    "running_since": "2026-03-05T10:30:00Z",
    "calls": 200,
    "seconds_per_call": 72,
    "scheduled_at": None,
    "launched_at": "2026-03-05T10:30:00Z",
    "finished_at": None,
}
FINISHED = {"state": "finished", "running_since": None, "finished_at": "2026-03-05T16:12:40Z"}
NUMBER = {
    "id": "num_01J9Z3K4M5N6P7Q8R9S0T1V2W3",
    "number": "+12025550123",
    "agent": "Sales Assistant",
    "agent_id": "agent_01J9Z3K4M5N6P7Q8R9S0T1V2W3",
    "state": "grace",
    "reason": "rent",
    "since": "2026-03-01T09:00:00Z",
    "until": "2026-03-08T09:00:00Z",
    "paid_until": "2026-03-01T09:00:00Z",
}
HISTORY = {200: {"records": [RECORD]}}

EXAMPLES: Examples = {
    "POST /v3/topup": {
        201: TOPUP,
        202: TOPUP | ACTION | {"action_url": "https://…/settings/billing/topups/top_01J9…/"},
    },
    "GET /v3/payment-methods": {
        200: {
            "payment_methods": [
                {
                    "id": "pm_abc123",
                    "brand": "visa",
                    "last4": "4242",
                    "exp_month": 4,
                    "exp_year": 2028,
                    "default": True,
                }
            ]
        }
    },
    "GET /v3/balance": {
        200: {
            "period": "2026-03",
            "total_spent": 47.82,
            "balance": 152.18,
            "breakdown": {"chat": 32.15, "voice": 12.40, "knowledge": 3.27},
            "by_agent": [
                {"agent": "Customer Support", "spent": 28.50},
                {"agent": "Sales Assistant", "spent": 12.05},
                {"agent": "Research Bot", "spent": 7.27},
            ],
        }
    },
    "GET /history/{user_id}": HISTORY,
    "GET /v3/history/{user_id}": HISTORY,
    "POST /v3/usage": {201: RECORDED},
    "POST /v3/usage/batch": {
        200: {
            "results": [
                {"status": 201, **RECORDED},
                {"status": 402, "code": "insufficient_balance", "title": "…", "detail": "…"},
            ]
        }
    },
    "GET /v3/authorize": {204: None},
    "GET /v3/prices": {
        200: {
            "currency": "usd",
            "prices": [
                {
                    "meter": "gpt-4o-mini.input",
                    "per": "1M tokens",
                    "rate": 0.15,
                    "effective_from": "2026-01-01T00:00:00Z",
                    "upcoming": [],
                }
            ],
        }
    },
    "POST /v3/holds": {201: HOLD},
    "POST /v3/holds/{hold}/extend": {200: HOLD | {"amount": 0.60, "available": 151.58}},
    "POST /v3/holds/{hold}/capture": {201: RECORDED | {"cost": 0.42, "balance": 151.76}},
    "POST /v3/holds/{hold}/release": {200: HOLD | {"state": "released", "available": 152.18}},
    "GET /v3/agents": {200: {"agents": [AGENT]}},
    "GET /v3/campaigns": {200: {"campaigns": [CAMPAIGN]}},
    "POST /v3/campaigns/{campaign}/finish": {200: CAMPAIGN | FINISHED},
    "GET /v3/phone-numbers": {200: {"phone_numbers": [NUMBER]}},
    "PATCH /v3/phone-numbers/{number}": {
        200: NUMBER | {"state": "active", "reason": None, "since": None, "until": None}
    },
}
