"""The API's docs page, rendered from the OpenAPI document: no script, no CDN, at home under the strict policy."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString

from accounts.errors import Problem
from accounts.models import Scope
from alerts import webhooks
from thinnest_billing.api import api
from thinnest_billing.api_reader import Group, groups, marked


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request may be refused."""

    status: int
    code: str
    about: SafeString


def api_docs(request: HttpRequest) -> HttpResponse:
    limits = {
        "account": settings.RATE_ACCOUNT_KEY,
        "platform": settings.RATE_PLATFORM_KEY,
        "batch": settings.LIMIT_BATCH_EVENTS,
    }
    context = {"groups": operations(), "reasons": reasons(), "scopes": list(Scope), "limits": limits}
    return render(request, "api_docs.html", context | {"webhooks": list(webhooks.Type)})


@cache
def operations() -> list[Group]:
    return groups(api.get_openapi_schema())


@cache
def reasons() -> list[Reason]:
    """Once per code; the docstring of its class says what it means."""
    by_code = {kind.code: kind for kind in _kinds(Problem)}
    kinds = sorted(by_code.values(), key=lambda kind: (kind.status, kind.code))
    return [Reason(kind.status, kind.code, marked(inspect.getdoc(kind) or kind.title)) for kind in kinds]


def _kinds(kind: type[Problem]) -> Iterator[type[Problem]]:
    for below in kind.__subclasses__():
        yield from _kinds(below)
    yield kind
