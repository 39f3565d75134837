"""The middleware that counts: a clock read twice, a look-up and two additions per request."""

from collections.abc import Callable
from time import perf_counter

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from thinnest_billing.metrics import counting

Handler = Callable[[HttpRequest], HttpResponse]
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


def measure(get_response: Handler) -> Handler:
    static = settings.STATIC_URL

    def middleware(request: HttpRequest) -> HttpResponse:
        began = perf_counter()
        response = get_response(request)
        method = request.method if request.method in METHODS else "other"
        counting.count((method, _route(request, static), str(response.status_code)), perf_counter() - began)
        if code := getattr(response, "refusal", ""):
            counting.refused(code)
        return response

    return middleware


def _route(request: HttpRequest, static: str) -> str:
    """As it stands in urls.py, so that ids and what strangers type make no series of their own."""
    match = request.resolver_match
    if match is not None:
        return match.route or "/"
    return "static" if request.path_info.startswith(static) else "unmatched"
