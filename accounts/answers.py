"""How the API answers: JSON without floats, problem+json for every refusal, links to the next page."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import ValidationError
from ninja.parser import Parser

from accounts import json, logs
from accounts.api import locate_account, prove
from accounts.errors import Invalid, NotFound, Problem, Unauthorized
from accounts.sentences import explain


def answer(status: int, data: object = None, headers: dict[str, str] | None = None) -> HttpResponse:
    """The way out of every endpoint; no second validation, no floats."""
    if status == 204:
        return HttpResponse(status=204, headers=headers)
    return _sized(HttpResponse(json.dumps(data), status=status, headers=headers), "application/json")


def problem(request: HttpRequest, error: Problem) -> HttpResponse:
    """A refusal as RFC 9457 problem+json. Whoever asks with a key that is not live any more hears of that first."""
    if error.status < 500:
        try:
            prove(request)
        except Unauthorized as first:
            error = first
    content = json.dumps(error.body(logs.current_request_id()))
    response = HttpResponse(content, status=error.status, headers=error.headers)
    response.refusal = error.code  # counted by /metrics
    response._has_been_logged = True  # refusals are no warnings; a 500 is logged where it happened
    return _sized(response, "application/problem+json")


def _sized(response: HttpResponse, content_type: str) -> HttpResponse:
    """With its length, which spares the server chunks; Django's own middleware for it is not on the API's road."""
    response["Content-Type"] = content_type
    response["Content-Length"] = str(len(response.content))
    return response


def next_page(request: HttpRequest, starting_after: str) -> dict[str, str]:
    """The Link header to the page after the one that ends with `starting_after`."""
    query = request.GET.copy()
    query["starting_after"] = starting_after
    return {"Link": f'<{settings.SITE_URL}{request.path}?{query.urlencode()}>; rel="next"'}


class StrictParser(Parser):
    """Hands ninja the body that `accounts.api.Bearer` has read already."""

    def parse_body(self, request: HttpRequest) -> Any:
        return request.data


def install(api: NinjaAPI) -> None:
    """Teach an API to refuse as 2-api says."""
    api.parser = StrictParser()
    api.add_exception_handler(Problem, problem)
    api.add_exception_handler(ValidationError, _not_valid)
    api.add_exception_handler(Invalid, _invalid)
    api.add_exception_handler(Http404, lambda request, error: problem(request, NotFound()))
    api.add_exception_handler(Exception, _raise)


def _not_valid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = explain(error.errors, getattr(request, "data", None))
    return _invalid(request, Invalid("See `errors`: each names a field.", errors=fields))


def _invalid(request: HttpRequest, error: Invalid) -> HttpResponse:
    """404 before 422: what the request names must exist before its other fields are judged."""
    data = getattr(request, "data", None)
    try:
        locate_account(request, data)
        if request.locate:
            request.locate(request, data)
    except Problem as earlier:
        return problem(request, earlier)
    return problem(request, error)


def _raise(request: HttpRequest, error: Exception) -> HttpResponse:
    """To accounts.middleware.api, which logs it and answers 500."""
    raise error
