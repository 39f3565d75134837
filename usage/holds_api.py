"""The API for holds: ask before the work, end each hold once."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja import Body as InBody
from ninja import Router

from accounts import ids
from accounts.answers import answer
from accounts.api import account_of, existing_account, key
from accounts.errors import Invalid
from accounts.json import timestamp
from accounts.models import Scope
from billing import closing, holds, ledger
from billing.errors import HoldEnded, HoldNotFound, KeyReused, PaidBalanceRequired
from billing.holds import HoldOutcome
from billing.models import Hold
from usage import agents, metering, pricing, rate_card
from usage.answers import CALL, REPLAYED, SECOND_CALL, exact, insufficient, recorded, refusal, unknown_model
from usage.api import Expand, locate_agent, source_of
from usage.bodies import AnyHold, Capture, Extend, Release, request_hash, voice_lifetime
from usage.models import Agent
from usage.pricing import Usage

MAKE_ANOTHER = "Nothing was changed or charged; for more work make a hold with another key."
TOO_OLD = (
    "A hold lives at most 24 hours, and this one has. Nothing was changed or charged: capture what was used until now, "
    "which is always recorded, and make a hold with another key for what follows."
)
router = Router(tags=["Holds"])


def hold_id_of(request: HttpRequest) -> UUID:
    found = ids.parse("hold", request.resolver_match.kwargs["hold"])
    if found is None:
        raise HoldNotFound
    return found


def locate_hold(request: HttpRequest, data: object) -> None:
    """An id in the path that does not exist is told before a 422."""
    named = data.get("account") if isinstance(data, dict) else None
    holds.find(account_of(request, named if isinstance(named, str) else None), hold_id_of(request))


NEW = key(Scope.USAGE_WRITE, body_limit=settings.LIMIT_BODY, locate=locate_agent)
ONE = key(Scope.USAGE_WRITE, body_limit=settings.LIMIT_BODY, locate=locate_hold)
ONE_OR_NONE = key(Scope.USAGE_WRITE, body_limit=settings.LIMIT_BODY, locate=locate_hold, body_optional=True)


@router.post("/v3/holds", auth=NEW, summary="Hold funds before the work")
def make_hold(request: HttpRequest, hold: Annotated[AnyHold, InBody()]) -> HttpResponse:
    """201, or 402: then the message is not answered, the call not placed. The hold freezes today's rates."""
    account_id, now = account_of(request, hold.account), datetime.now(UTC)
    if request.caller.is_platform:
        existing_account(account_id)
    try:
        terms, price = _terms(hold.usage(), now)
    except pricing.UnknownMeter:
        raise unknown_model() from None

    def reserve(agent_id: UUID | None) -> HoldOutcome:
        return holds.hold(
            account_id, key=hold.key, request_hash=request_hash(hold), amount=price, purpose=hold.type,
            terms=terms | {"agent": str(agent_id) if agent_id else None}, lifetime=hold.lifetime,
            api_key_id=request.caller.key_id, alone=hold.type == CALL,
        )  # fmt: skip

    outcome = _for_agent(account_id, agents.reference(hold.agent), reserve)
    _refuse(outcome, account_id, price)
    return _answer(201, outcome, hold.key)


@router.post("/v3/holds/{hold}/extend", auth=ONE, summary="Set a voice hold's total seconds")
def extend_hold(request: HttpRequest, hold: str, body: Extend) -> HttpResponse:
    """A 402 leaves the hold as it was and says how many seconds are affordable in total."""
    account_id = account_of(request, body.account)
    row = holds.find(account_id, hold_id_of(request))
    if row.purpose != CALL:
        raise Invalid.at("/seconds", "Only a voice hold can be extended.")
    rates = _rates(row)
    usage = Usage("voice", seconds=body.seconds, answered=True)
    price = pricing.price(usage, rates)
    outcome = holds.extend(
        account_id, row.id, amount=price, terms=row.terms | {"seconds": body.seconds},
        lifetime=voice_lifetime(body.seconds), alone=True,
    )  # fmt: skip
    _refuse(
        outcome, account_id, price, lambda: {"affordable_seconds": affordable_seconds(outcome.free, rates)}
    )
    return _answer(200, outcome, row.key)


@router.post("/v3/holds/{hold}/capture", auth=ONE, summary="End a hold with what was really used")
def capture_hold(request: HttpRequest, hold: str, body: Capture, expand: Expand = "") -> HttpResponse:
    """Always recorded: what exceeds the hold comes from what is free, the rest is `uncollected`."""
    account_id = account_of(request, body.account)
    row = holds.find(account_id, hold_id_of(request))
    agent_id = UUID(row.terms["agent"]) if row.terms["agent"] else None
    event = body.event(row.id, row.purpose, row.terms["model"], agent_id, datetime.now(UTC))
    outcome = metering.capture(account_id, row.id, event, _rates(row), source=source_of(request))
    if not outcome.is_recorded:
        raise refusal(outcome, account_id)
    headers = REPLAYED if outcome.status == "replayed" else None
    return answer(201, recorded(outcome, expand=expand == "exact"), headers)


@router.post("/v3/holds/{hold}/release", auth=ONE_OR_NONE, summary="Give a hold back unused")
def release_hold(request: HttpRequest, hold: str, body: Release | None = None) -> HttpResponse:
    """The work did not happen: nothing is charged."""
    account_id = account_of(request, body.account if body else None)
    row = holds.find(account_id, hold_id_of(request))
    outcome = holds.release(account_id, row.id)
    _refuse(outcome, account_id, Decimal(0))
    return _answer(200, outcome, row.key)


def affordable_seconds(free: Decimal, rates: pricing.Rates) -> int:
    """The longest call whose price still fits `free` dollars."""
    rate = rates["voice.minute"]
    seconds = settings.LIMIT_SECONDS if rate == 0 else min(settings.LIMIT_SECONDS, int(free * 60 / rate) + 1)
    while seconds and pricing.price(Usage("voice", seconds=seconds, answered=True), rates) > free:
        seconds -= 1
    return seconds


def _for_agent(
    account_id: UUID, ref: agents.AgentRef, reserve: Callable[[UUID | None], HoldOutcome]
) -> HoldOutcome:
    """A hold that is refused leaves no new agent behind.

    New ones are made under the Balance lock, as usage makes them: the other way round the two would deadlock.
    """
    known = agents.find(account_id, ref)
    if known is not None or ref.name is None:
        return reserve(known)
    with transaction.atomic():
        ledger.lock(account_id)
        known = agents.find(account_id, ref)
        agent_id = known or agents.resolve(account_id, ref)
        outcome = reserve(agent_id)
        if known is None and outcome.status not in ("held", "replayed"):
            Agent.objects.filter(pk=agent_id).delete()
    return outcome


def _terms(usage: Usage, now: datetime) -> tuple[dict[str, Any], Decimal]:
    """The rates that the hold freezes (of every meter its capture may need), and its price."""
    card = rate_card.fresh()
    widest = Usage(usage.type, usage.model, retrieval_queries=1, pages=1, chunks=1)
    rates = card.rates_for(widest, now)
    terms = {
        "model": usage.model,
        "seconds": usage.seconds,
        "rates": {meter: str(rate) for meter, rate in rates.items()},
    }
    return terms, pricing.price(usage, rates)


def _rates(row: Hold) -> dict[str, Decimal]:
    return {meter: Decimal(rate) for meter, rate in row.terms["rates"].items()}


def _refuse(outcome: HoldOutcome, account_id: UUID, required: Decimal, extra: Any = dict) -> None:
    if outcome.status == "short":
        raise insufficient(
            account_id, balance=outcome.balance, available=outcome.free, required=required, **extra()
        )
    if outcome.status == "frozen":
        raise closing.why_frozen(account_id)
    if outcome.status == "unpaid":
        raise PaidBalanceRequired(SECOND_CALL)
    if outcome.status == "reused":
        raise KeyReused("This hold key was used for another request. Send a new key.")
    if outcome.status == "other_ending":
        ended = outcome.state in (Hold.State.CAPTURED, Hold.State.RELEASED)
        raise HoldEnded(f"It is {outcome.state}, and stays so. {MAKE_ANOTHER}" if ended else TOO_OLD)


def _answer(status: int, outcome: HoldOutcome, hold_key: str) -> HttpResponse:
    body = {
        "id": ids.public("hold", outcome.hold_id),
        "key": hold_key,
        "state": outcome.state,
        "amount": exact(outcome.amount),
        "expires_at": timestamp(outcome.expires_at),
        "available": exact(outcome.free),
    }
    return answer(status, body, REPLAYED if outcome.status == "replayed" else None)
