"""`GET /metrics` for Prometheus, with `Authorization: Bearer METRICS_TOKEN`."""

from collections.abc import Iterator, Sequence
from hmac import compare_digest
from itertools import accumulate

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from thinnest_billing.metrics import counting, text
from thinnest_billing.metrics.counting import BOUNDS, Timings
from thinnest_billing.metrics.figures import all_figures
from thinnest_billing.metrics.text import Metric, Sample


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """404 without METRICS_TOKEN: what nobody asked for is not there."""
    if not settings.METRICS_TOKEN:
        raise Http404
    sent = request.META.get("HTTP_AUTHORIZATION", "").encode()
    if not compare_digest(sent, f"Bearer {settings.METRICS_TOKEN}".encode()):
        return HttpResponse("Send METRICS_TOKEN as a Bearer token.\n", status=401, headers=ASK)
    body = text.write([*_requests(), *all_figures(now=timezone.now())])
    return HttpResponse(body, content_type=text.CONTENT_TYPE, headers={"Cache-Control": "no-store"})


ASK = {"Content-Type": "text/plain", "WWW-Authenticate": "Bearer"}


def _requests() -> Iterator[Metric]:
    times, codes = counting.everybody()
    yield Metric("request_seconds", "histogram", "Requests by route and status.", list(_histogram(times)))
    refused: list[Sample] = [("", {"code": code}, count) for code, count in sorted(codes.items())]
    yield Metric("refusals_total", "counter", "Requests to the API that were refused, by code.", refused)


def _histogram(times: Timings) -> Iterator[Sample]:
    for (method, route, status), row in sorted(times.items()):
        labels = {"method": method, "route": route, "status": status}
        counts, seconds = list(accumulate(map(int, row[:-1]))), row[-1]
        for bound, count in zip(_bounds(), counts, strict=True):
            yield "_bucket", labels | {"le": bound}, count
        yield "_sum", labels, round(seconds, 6)
        yield "_count", labels, counts[-1]


def _bounds() -> Sequence[str]:
    return [*map(str, BOUNDS), "+Inf"]
