"""A small API of its own, so that the conventions are tested without any endpoint of the product."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path
from ninja import NinjaAPI
from pydantic import Field

from accounts import answers
from accounts.api import account_of, key
from accounts.bodies import Body, Flag, Limit, Number, Text, Whole
from accounts.errors import NotFound, Problem
from accounts.models import Scope

api = NinjaAPI(urls_namespace="conventions", docs_url=None)
answers.install(api)


class Short(Problem):
    """The balance does not cover this."""

    status = 402
    code = "short"
    title = "The balance does not cover this."


class Chat(Body):
    """Every kind of field that the product's bodies have."""

    event_id: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x20-\x7e]+$")]
    account: Text | None = None
    tokens: Annotated[Whole, Field(ge=0, le=10_000_000)]
    amount: Annotated[Number, Field(ge=Decimal("5.00"), le=Decimal("1000.00"), decimal_places=2)] | None = (
        None
    )
    answered: Flag = True


def locate(request: HttpRequest, data: object) -> None:
    if request.resolver_match.kwargs.get("hold") == "hold_of_a_stranger":
        raise NotFound("There is no such hold.")


@api.post("/v3/chat", auth=key(Scope.USAGE_WRITE, body_limit=64 * 1024))
def chat(request: HttpRequest, payload: Chat) -> HttpResponse:
    account_id = account_of(request, payload.account)
    if payload.tokens == 402:
        raise Short("Add funds.", balance=Decimal("0.0000001"), required=Decimal("1.50"))
    if payload.tokens == 500:
        raise RuntimeError("a secret of ours")
    return answers.answer(201, {"account": str(account_id), "cost": Decimal("0.000391500")})


@api.post("/v3/holds/{hold}/extend", auth=key(Scope.USAGE_WRITE, body_limit=64 * 1024, locate=locate))
def extend(request: HttpRequest, hold: str, payload: Chat) -> HttpResponse:
    return answers.answer(200, {"hold": hold})


@api.get("/v3/list", auth=key(Scope.HISTORY_READ))
def listing(request: HttpRequest, limit: Limit = 10, starting_after: str | None = None) -> HttpResponse:
    last = UUID(int=limit)
    return answers.answer(200, {"limit": limit}, answers.next_page(request, str(last)))


urlpatterns = [path("billing/", api.urls)]
