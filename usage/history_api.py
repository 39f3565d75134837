"""GET /billing/history/{user_id}: every charge with full details, newest first. The body exactly as promised."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from accounts import ids
from accounts.answers import answer, next_page
from accounts.api import account_of, key
from accounts.bodies import Limit
from accounts.errors import AccountNotFound, Invalid, NotFound
from accounts.json import timestamp
from accounts.models import Scope, User
from billing.money import plain_cost
from usage import agents, charges, questions, rate_card
from usage.agents import UNASSIGNED, AgentNotFound
from usage.answers import exact
from usage.models import Agent, Charge
from usage.reports import CATEGORY_OF

router = Router(tags=["Seeing"])
Body = dict[str, object]
EXPAND = ("exact", "quantity", "rates", "occurred_at")
NO_AGENT = (
    "Nothing was listed. Name an agent of this account by its id (agent_…) or its name, or Unassigned; "
    "GET /billing/v3/agents lists them."
)
QUERY = ("limit", "starting_after", "type", "agent", "model", "from", "to", "expand", "account")


class UserNotFound(NotFound):
    """The user in the path does not exist or is not of the key's own account."""

    code = "user_not_found"
    title = "There is no such user."

    def __init__(self) -> None:
        super().__init__(
            "Name a user (usr_…) of the account that this key acts for; `me` with an account's own key."
        )


def account_of_user(request: HttpRequest, user_id: str) -> UUID:
    """The account of the user in the path, who must be of the key's own account. Raises UserNotFound."""
    own = request.caller.account_id
    if user_id == "me" and own is not None:
        return own
    user = User.objects.select_related("account").filter(pk=ids.parse("usr", user_id)).first()
    if user is None or user.account is None or own not in (None, user.account.id):
        raise UserNotFound()
    if user.account.opened_at is None or user.account.closed_at is not None:
        raise UserNotFound()
    return user.account.id


def locate_user(request: HttpRequest, data: object) -> None:
    account_of_user(request, request.resolver_match.kwargs["user_id"])


HISTORY_KEY = key(Scope.HISTORY_READ, locate=locate_user)


@router.get("/history/{user_id}", auth=HISTORY_KEY, summary="Billing records")
@router.get("/v3/history/{user_id}", auth=HISTORY_KEY, summary="Billing records", operation_id="v3_history")
def history(
    request: HttpRequest,
    user_id: str,
    limit: Limit = 10,
    starting_after: Annotated[
        str | None, Query(description="The last id of the previous page (bill_…)")
    ] = None,
    type: Literal["chat", "voice", "knowledge"] | None = None,
    agent: Annotated[str | None, Query(description="An agent's id or name, or Unassigned")] = None,
    model: str | None = None,
    first: Annotated[str | None, Query(alias="from", description="The first local day, 2026-03-01")] = None,
    last: Annotated[str | None, Query(alias="to", description="The last local day, 2026-03-31")] = None,
    expand: Annotated[str, Query(description="Any of " + ", ".join(EXPAND))] = "",
    account: str | None = None,
) -> HttpResponse:
    """Newest first; a reversed charge appears once more, with a negative cost. The `Link` header has the next page."""
    account_id = account_of_user(request, user_id)
    if account is not None and account_of(request, account) != account_id:
        raise AccountNotFound()
    of_agent = named_agent(account_id, agent)
    questions.only(request, *QUERY)
    asked = questions.words("expand", expand, allowed=EXPAND)
    since, until = questions.days(first, last)
    wanted = charges.Filter(type or "", of_agent, known_model(model), since, until)
    found = charges.matching(account_id, wanted).order_by("-recorded_at")
    if starting_after is not None:
        found = found.filter(recorded_at__lt=recorded_at_of(account_id, starting_after))
    page = list(found[: limit + 1])
    names = charges.names_of(account_id, {charge.agent_id for charge in page[:limit]})
    records = [record_of(charge, names, asked) for charge in page[:limit]]
    more = next_page(request, page[limit - 1].public_id) if len(page) > limit else None
    return answer(200, {"records": records}, more)


def named_agent(account_id: UUID, text: str | None) -> tuple[UUID | None] | None:
    """The agent of a filter, by id or name. Raises AgentNotFound."""
    if text is None:
        return None
    if agents.name_key(text) == agents.name_key(UNASSIGNED):
        return (None,)
    try:
        ref = agents.reference(text)
    except ValueError:
        raise AgentNotFound(NO_AGENT) from None
    by = {"id": ref.id} if ref.id else {"name_key": ref.key}
    found = Agent.objects.filter(account_id=account_id, **by).values_list("id", flat=True).first()
    if found is None:
        raise AgentNotFound(NO_AGENT)
    return (found,)


def known_model(name: str | None) -> str:
    """A model that has, or once had, a price; anything else is a misspelling. Raises Invalid."""
    if name is None:
        return ""
    if f"{name}.input" not in rate_card.fresh().dates:
        raise Invalid.at("/model", "There is no such model. GET /billing/v3/prices lists the models.")
    return name


def recorded_at_of(account_id: UUID, charge: str) -> datetime:
    row = Charge.objects.filter(account_id=account_id, id=ids.parse("bill", charge))
    found = row.values_list("recorded_at", flat=True).first()
    if found is None:
        raise Invalid.at("/starting_after", "Send the id (bill_…) of a record of this account.")
    return found


def record_of(charge: Charge, names: Mapping[UUID | None, str], asked: set[str]) -> Body:
    """A billing record. All eight keys always; null where nothing applies."""
    is_chat = charge.type == "chat"
    body: Body = {
        "id": charge.public_id,
        "type": CATEGORY_OF[charge.type],
        "agent": names.get(charge.agent_id, UNASSIGNED),
        "model": charge.model or None,
        "input_tokens": charge.input_tokens if is_chat else None,
        "output_tokens": charge.output_tokens if is_chat else None,
        "cost": plain_cost(charge.cost),
        "timestamp": timestamp(charge.recorded_at.replace(microsecond=0)),
    }
    if "exact" in asked:
        body["cost_exact"] = f"{charge.cost:.9f}"
    if "quantity" in asked:
        body["quantity"] = quantity_of(charge)
    if "rates" in asked:
        body["rates"] = {meter: exact(Decimal(rate)) for meter, rate in charge.rates.items()}
    if "occurred_at" in asked:
        body["occurred_at"] = timestamp(charge.occurred_at)
    return body


def quantity_of(charge: Charge) -> Body:
    """What was used, in the words of the usage endpoint; rent counts its periods of 30 days."""
    if charge.type == "chat":
        fields = ["input_tokens", "output_tokens", "retrieval_queries"]
    elif charge.type == "voice":
        fields = ["seconds", "answered"]
    elif charge.type == "number":
        return {"periods": 1 if charge.reverses is None else -1}
    else:
        fields = ["pages"] if charge.pages else ["chunks"]
    return {name: getattr(charge, name) for name in fields}
