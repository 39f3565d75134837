"""The HTTP API: the routers of billing and usage, one OpenAPI document at /billing/openapi.json."""

from ninja import NinjaAPI

from accounts import answers

api = NinjaAPI(
    title="Thinnest Billing",
    version="3",
    description="Prepaid usage billing: one call asks whether work may start, one says that it happened.",
    docs_url=None,
    urls_namespace="api",
)
answers.install(api)
