"""GET /billing/v3/agents: each agent's model, and whether it may answer. The platform obeys without computing."""

from typing import Annotated
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from accounts import ids
from accounts.answers import answer, next_page
from accounts.api import account_of, existing_account, key
from accounts.bodies import Limit
from accounts.errors import Invalid
from accounts.json import timestamp
from accounts.models import Scope
from billing import selectors
from billing.selectors import Funds
from usage import agents, questions
from usage.models import Agent

router = Router(tags=["Platform"])
Body = dict[str, object]


@router.get("/v3/agents", auth=key(Scope.USAGE_WRITE), summary="Agents: model and state")
def agent_list(
    request: HttpRequest,
    limit: Limit = 10,
    starting_after: Annotated[
        str | None, Query(description="The last id of the previous page (agent_…)")
    ] = None,
    account: str | None = None,
) -> HttpResponse:
    """Newest first. `model` is what the owner chose, null before: answer the next message with it.

    Answer while `state` is `active`; `paused` says why in `reason`: frozen or balance.
    """
    account_id = account_of(request, account)
    if request.caller.is_platform:
        existing_account(account_id)
    funds = selectors.balance_of(account_id)
    questions.only(request, "limit", "starting_after", "account")
    found = Agent.objects.filter(account_id=account_id).order_by("-created_at", "-id")
    if starting_after is not None:
        found = found.filter(older_than(account_id, starting_after))
    page = list(found[: limit + 1])
    more = next_page(request, page[limit - 1].public_id) if len(page) > limit else None
    return answer(200, {"agents": [told(agent, funds) for agent in page[:limit]]}, more)


def older_than(account_id: UUID, public_id: str) -> Q:
    """The agents after a known one, newest first. Raises Invalid."""
    known = Agent.objects.filter(account_id=account_id, pk=ids.parse("agent", public_id)).first()
    if known is None:
        raise Invalid.at("/starting_after", "Send the id (agent_…) of an agent of this account.")
    return Q(created_at__lt=known.created_at) | Q(created_at=known.created_at, id__lt=known.id)


def told(agent: Agent, funds: Funds) -> Body:
    run, why = agents.state_of(funds), agents.why_paused(funds)
    return {
        "id": agent.public_id,
        "name": agent.name,
        "model": agent.model or None,
        "state": str(run.state),
        "reason": why.value if why else None,
        "since": timestamp(run.since.replace(microsecond=0)) if run.since else None,
    }
