"""A request id on everything, and the straight road of the API."""

import logging
import secrets
import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from django.core.exceptions import SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import ResolverMatch, URLResolver, get_resolver
from django.utils.cache import add_never_cache_headers

from accounts import logs
from accounts.answers import problem
from accounts.errors import DatabaseAway, MethodNotAllowed, NotFound, Problem, ServerError

Handler = Callable[[HttpRequest], HttpResponse]
_matches: WeakKeyDictionary[URLResolver, dict[str, ResolverMatch]] = WeakKeyDictionary()
BUSY = 1.0  # seconds since the connection worked: no need to ask it again
log = logging.getLogger(__name__)


def request_id(get_response: Handler) -> Handler:
    """X-Request-Id on every answer: the caller's own if it is 1 to 64 printable ASCII ones, else ours."""

    def middleware(request: HttpRequest) -> HttpResponse:
        sent = request.META.get("HTTP_X_REQUEST_ID", "")
        acceptable = 0 < len(sent) <= 64 and sent.isascii() and sent.isprintable()
        request.id = sent if acceptable else f"req_{secrets.token_hex(12)}"
        token = logs.request_id.set(request.id)
        try:
            response = get_response(request)
        finally:
            logs.request_id.reset(token)
        response["X-Request-Id"] = request.id
        return response

    return middleware


def plain_cookies(get_response: Handler) -> Handler:
    """Drop cookies that spell NUL, which PostgreSQL cannot look for: such a session is none."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if "\\0" in request.META.get("HTTP_COOKIE", ""):
            request.COOKIES = {name: value for name, value in request.COOKIES.items() if "\0" not in value}
        return get_response(request)

    return middleware


def unshared(get_response: Handler) -> Handler:
    """What was made for somebody is stored by nobody on the way, an error page with their balance around it neither."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.session.accessed and not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response

    return middleware


def api(get_response: Handler) -> Handler:
    """/billing/… goes straight to its view: no session, cookie or message; every refusal is a problem.

    Only the docs page, which is a page, goes the long way.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith("/billing/") or path == "/billing/docs":
            return get_response(request)
        _trust_connection()
        try:
            response = _serve(request)
            connection.worked_at = time.monotonic()
            return response
        except Problem as refusal:
            return problem(request, refusal)
        except SuspiciousOperation:  # more query parameters than Django reads
            return problem(request, Problem("Send fewer query parameters."))
        except (OperationalError, InterfaceError):
            log.exception("%s %s: the database is away", request.method, path)
            return problem(request, DatabaseAway())
        except Exception:
            log.exception("%s %s failed", request.method, path)
            got_request_exception.send(sender=None, request=request)
            return problem(
                request,
                ServerError("Try once more. If it fails again, write to us with the request id."),
            )

    return middleware


def _match(path: str) -> ResolverMatch:
    """What answers at a path. Those without ids in them, where the traffic is, are looked up once."""
    resolver = get_resolver()
    known = _matches.setdefault(resolver, {})
    match = known.get(path)
    if match is None:
        match = resolver.resolve(path)
        if not (match.args or match.kwargs):
            known[path] = match
    return match


def _trust_connection() -> None:
    """Spare a busy connection Django's health check, which is one more round trip to the database per request."""
    if time.monotonic() - getattr(connection, "worked_at", 0.0) < BUSY:
        connection.health_check_done = True


def _serve(request: HttpRequest) -> HttpResponse:
    try:
        match = request.resolver_match = _match(request.path_info)
        response = match.func(request, *match.args, **match.kwargs)
    except Http404:  # Resolver404 is one
        raise NotFound("See /billing/docs for the addresses of this API.") from None
    if response.status_code == 405:
        raise MethodNotAllowed(f"Use {response['Allow']}.", headers={"Allow": response["Allow"]})
    return response
