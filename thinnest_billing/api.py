"""The HTTP API: the routers of billing and usage, one OpenAPI document at /billing/openapi.json."""

from accounts import answers
from accounts.openapi import Api
from billing.api import router as billing_router
from thinnest_billing.api_examples import EXAMPLES
from usage.agents_api import router as agents_router
from usage.api import router as usage_router
from usage.balance_api import router as balance_router
from usage.campaigns_api import router as campaigns_router
from usage.history_api import router as history_router
from usage.holds_api import router as holds_router
from usage.phone_numbers_api import router as phone_numbers_router

api = Api(
    examples=EXAMPLES,
    title="Thinnest Billing",
    version="3",
    description="Prepaid usage billing: one call asks whether work may start, one says that it happened.",
    docs_url=None,
    urls_namespace="api",
)
answers.install(api)
api.add_router("", billing_router)
api.add_router("", balance_router)
api.add_router("", history_router)
api.add_router("", usage_router)
api.add_router("", holds_router)
api.add_router("", agents_router)
api.add_router("", campaigns_router)
api.add_router("", phone_numbers_router)
