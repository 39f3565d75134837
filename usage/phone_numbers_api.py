"""The API for phone numbers: the platform asks which are in service, sets them up, and says which digits they have."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import Field

from accounts.answers import answer, next_page
from accounts.api import account_of, existing_account, key
from accounts.bodies import Body, Limit, Text
from accounts.errors import Invalid, MissingScope
from accounts.json import timestamp
from accounts.models import Scope
from billing import selectors
from usage import phone_numbers, questions
from usage.answers import REPLAYED
from usage.models import PhoneNumber
from usage.phone_numbers import NumberNotFound

router = Router(tags=["Platform"])


class Digits(Body):
    account: Text | None = None
    number: Annotated[
        Text,
        Field(
            description="+ and 7 to 15 digits, +12025550123",
            json_schema_extra={"pattern": rf"^{phone_numbers.E164.pattern}$"},  # refused below, in words
        ),
    ]


def require_platform(request: HttpRequest) -> None:
    if not request.caller.is_platform:
        raise MissingScope("Only platform keys report a number's digits.", required_scope="platform")


def locate_number(request: HttpRequest, data: object) -> None:
    """What is told before a 422: whose key this is, and an id in the path that does not exist."""
    require_platform(request)
    named = data.get("account") if isinstance(data, dict) else None
    account_id = account_of(request, named if isinstance(named, str) else None)
    phone_numbers.find(account_id, request.resolver_match.kwargs["number"])


PROVISION_KEY = key(Scope.USAGE_WRITE, body_limit=settings.LIMIT_BODY, locate=locate_number)


@router.get(
    "/v3/phone-numbers", auth=key(Scope.USAGE_WRITE), summary="The rented numbers, and which are in service"
)
def list_phone_numbers(
    request: HttpRequest,
    limit: Limit = 10,
    starting_after: Annotated[
        str | None, Query(description="The last id of the previous page (num_…)")
    ] = None,
    account: str | None = None,
) -> HttpResponse:
    """Newest first, without those that were released: take these out of service for good.

    `active` and `grace` (until `until`) take and place calls, `suspended` neither; `reason` is balance or rent.
    `being_set_up` has no digits yet (`number` is null): provision it, then report them. We never release
    a number.
    """
    account_id = account_of(request, account)
    if request.caller.is_platform:
        existing_account(account_id)
    questions.only(request, "limit", "starting_after", "account")
    found = phone_numbers.rented(account_id)
    if starting_after is not None:
        found = _older_than(found, account_id, starting_after)
    page = list(found.select_related("agent")[: limit + 1])
    more = next_page(request, page[limit - 1].public_id) if len(page) > limit else None
    return answer(200, {"phone_numbers": shown(account_id, page[:limit], now=datetime.now(UTC))}, more)


@router.patch("/v3/phone-numbers/{number}", auth=PROVISION_KEY, summary="Say which digits a number has")
def provision_phone_number(request: HttpRequest, number: str, body: Digits) -> HttpResponse:
    """By platform keys, once the number is set up; repeatable. 409 for other digits, for those of another rented
    number, and after its release."""
    require_platform(request)
    account_id = account_of(request, body.account)
    row = phone_numbers.find(account_id, number)
    headers = REPLAYED if row.number == body.number else None
    row = phone_numbers.provision(row, body.number)
    return answer(200, shown(account_id, [row], now=datetime.now(UTC))[0], headers)


def _older_than(found: QuerySet[PhoneNumber], account_id: UUID, public_id: str) -> QuerySet[PhoneNumber]:
    try:
        known = phone_numbers.find(account_id, public_id)
    except NumberNotFound:
        raise Invalid.at("/starting_after", "Send the id (num_…) of a number of this account.") from None
    same_moment = Q(rented_at=known.rented_at, id__lt=known.id)
    return found.filter(Q(rented_at__lt=known.rented_at) | same_moment)


def shown(account_id: UUID, rows: list[PhoneNumber], *, now: datetime) -> list[dict[str, object]]:
    """The numbers as the API tells them, also to whoever is told by webhook."""
    funds = selectors.balance_of(account_id)
    told = []
    for row in rows:
        run = phone_numbers.shown_as(row, phone_numbers.state_of(row, funds, now=now))
        why = phone_numbers.why(row, funds, now=now)
        told.append({
            "id": row.public_id,
            "number": row.number or None,
            "agent": row.agent.name if row.agent else None,
            "agent_id": row.agent.public_id if row.agent else None,
            "state": str(run.state),
            "reason": why.value if why else None,
            "since": _at(run.since),
            "until": _at(run.until),
            "paid_until": _at(row.paid_until),
        })  # fmt: skip
    return told


def _at(moment: datetime | None) -> str | None:
    return timestamp(moment.replace(microsecond=0)) if moment else None
