"""The API for campaigns: the platform asks which may run, obeys without computing, and says when one is finished."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from accounts.answers import answer, next_page
from accounts.api import account_of, existing_account, key
from accounts.bodies import Body, Limit, Text
from accounts.errors import Invalid, MissingScope
from accounts.json import timestamp
from accounts.models import Scope
from billing import selectors
from usage import campaign_times, campaigns, questions, rate_card
from usage.answers import REPLAYED
from usage.campaigns import CampaignNotFound
from usage.models import Campaign
from usage.running import RunState

router = Router(tags=["Platform"])


class Finish(Body):
    account: Text | None = None


def require_platform(request: HttpRequest) -> None:
    if not request.caller.is_platform:
        raise MissingScope(
            "Only platform keys report that a campaign is finished.", required_scope="platform"
        )


def locate_campaign(request: HttpRequest, data: object) -> None:
    """What is told before a 422: whose key this is, and an id in the path that does not exist."""
    require_platform(request)
    named = data.get("account") if isinstance(data, dict) else None
    account_id = account_of(request, named if isinstance(named, str) else None)
    campaigns.find(account_id, request.resolver_match.kwargs["campaign"])


FINISH_KEY = key(Scope.USAGE_WRITE, body_limit=settings.LIMIT_BODY, locate=locate_campaign)


@router.get("/v3/campaigns", auth=key(Scope.USAGE_WRITE), summary="The campaigns, and which may run")
def list_campaigns(
    request: HttpRequest,
    limit: Limit = 10,
    starting_after: Annotated[
        str | None, Query(description="The last id of the previous page (camp_…)")
    ] = None,
    account: str | None = None,
) -> HttpResponse:
    """Newest first. Place calls of `active` campaigns only; `paused` says why in `reason`: owner, frozen or balance.

    `running_since` is when an active one last began to run or went on. Calls that fell due before then are not made
    up for: place what is due from now on, at the campaign's own pace, never what a pause left behind in a burst.
    """
    account_id = account_of(request, account)
    if request.caller.is_platform:
        existing_account(account_id)
    questions.only(request, "limit", "starting_after", "account")
    found = campaigns.of_account(account_id)
    if starting_after is not None:
        found = campaigns.older_than(found, _named(account_id, starting_after))
    page = list(found[: limit + 1])
    more = next_page(request, page[limit - 1].public_id) if len(page) > limit else None
    return answer(200, {"campaigns": shown(account_id, page[:limit], now=datetime.now(UTC))}, more)


@router.post("/v3/campaigns/{campaign}/finish", auth=FINISH_KEY, summary="Say that a campaign is finished")
def finish_campaign(request: HttpRequest, campaign: str, body: Finish) -> HttpResponse:
    """By platform keys, once all its calls are placed; repeatable. 409 before its launch."""
    require_platform(request)
    account_id, now = account_of(request, body.account), datetime.now(UTC)
    row = campaigns.find(account_id, campaign)
    is_first = campaigns.finish(row, now=now)
    return answer(200, shown(account_id, [row], now=now)[0], None if is_first else REPLAYED)


def _named(account_id: UUID, public_id: str) -> Campaign:
    try:
        return campaigns.find(account_id, public_id)
    except CampaignNotFound:
        raise Invalid.at("/starting_after", "Send the id (camp_…) of a campaign of this account.") from None


def shown(account_id: UUID, rows: list[Campaign], *, now: datetime) -> list[dict[str, object]]:
    """The campaigns as the API tells them, also to whoever is told by webhook."""
    funds = selectors.balance_of(account_id)
    voice_minute = rate_card.fresh().rate("voice.minute", now)
    allowed_since = campaign_times.allowed_since(account_id, funds, voice_minute=voice_minute)
    told = []
    for row in rows:
        run = campaigns.state_of(row, funds, now=now, voice_minute=voice_minute)
        is_active, is_paused = run.state == RunState.ACTIVE, run.state == RunState.PAUSED
        why = campaigns.why_paused(row, funds, voice_minute=voice_minute) if is_paused else None
        since = campaign_times.running_since(row, allowed_since) if is_active else None
        told.append(_body(row) | {
            "state": str(run.state),
            "reason": why.value if why else None,
            "running_since": _at(since),
        })  # fmt: skip
    return told


def _body(row: Campaign) -> dict[str, object]:
    return {
        "id": row.public_id,
        "name": row.name,
        "agent": row.agent.name if row.agent else None,
        "agent_id": row.agent.public_id if row.agent else None,
        "calls": row.calls,
        "seconds_per_call": row.seconds_per_call,
        "scheduled_at": _at(row.scheduled_at),
        "launched_at": _at(row.launched_at),
        "finished_at": _at(row.finished_at),
    }


def _at(moment: datetime | None) -> str | None:
    return timestamp(moment.replace(microsecond=0)) if moment else None
