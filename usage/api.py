"""The API for the agent platform: record usage, ask whether anything may start, read the prices."""

from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Literal
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Body as InBody
from ninja import Query, Router
from pydantic import ValidationError

from accounts import logs
from accounts.answers import answer
from accounts.api import account_of, key, locate_account
from accounts.callers import Caller
from accounts.errors import Invalid, MissingScope, Problem
from accounts.json import timestamp
from accounts.models import Scope
from accounts.sentences import explain
from billing import closing, holds, selectors
from billing.errors import PaidBalanceRequired
from billing.money import CENT
from usage import agents, metering, pricing, questions, rate_card
from usage.answers import (
    CALL,
    REPLAYED,
    SECOND_CALL,
    exact,
    help_of,
    insufficient,
    recorded,
    refusal,
    unknown_model,
)  # fmt: skip
from usage.bodies import EVENT, AnyEvent, Batch
from usage.metering import Event, Outcome, Source
from usage.models import Agent

router = Router(tags=["Platform"])
Expand = Annotated[Literal["", "exact"], Query(description="`exact` adds cost_exact and balance_exact.")]


def check_on_short(caller: Caller, on_short: object) -> None:
    if on_short == "record" and not caller.is_platform:
        raise MissingScope("Only platform keys may send on_short: record.", required_scope="platform")


def locate_agent(request: HttpRequest, data: object) -> None:
    """What is told before a 422: the scope for `record`, and an agent id that does not exist."""
    if isinstance(data, dict):
        check_on_short(request.caller, data.get("on_short"))
        named, account = data.get("agent"), data.get("account")
        if isinstance(named, str) and named.startswith("agent_") and isinstance(account, str | None):
            account_id = account_of(request, account)
            ref = agents.reference(named)
            if ref.id is None or not Agent.objects.filter(account_id=account_id, id=ref.id).exists():
                raise agents.AgentNotFound()


USAGE_KEY = key(Scope.USAGE_WRITE, body_limit=settings.LIMIT_BODY, locate=locate_agent, proved_later=True)
BATCH_KEY = key(Scope.USAGE_WRITE, body_limit=settings.LIMIT_BATCH_BODY)


def source_of(request: HttpRequest) -> Source:
    return Source(request.caller.key_id, logs.current_request_id())


@router.post("/v3/usage", auth=USAGE_KEY, summary="Record one usage event")
def record_usage(
    request: HttpRequest, event: Annotated[AnyEvent, InBody()], expand: Expand = ""
) -> HttpResponse:
    """Priced, deducted and recorded in one transaction, or refused as a whole. Safe to repeat with its event_id."""
    check_on_short(request.caller, event.on_short)
    account_id = account_of(request, event.account)
    try:
        outcome = metering.record(account_id, event.event(datetime.now(UTC)), source=source_of(request))
    except pricing.UnknownMeter:
        raise unknown_model() from None
    if not outcome.is_recorded:
        raise refusal(outcome, account_id)
    headers = REPLAYED if outcome.status == "replayed" else None
    return answer(201, recorded(outcome, expand=expand == "exact"), headers)


@router.post("/v3/usage/batch", auth=BATCH_KEY, summary="Record up to 1,000 events")
def record_batch(request: HttpRequest, batch: Batch, expand: Expand = "") -> HttpResponse:
    """One result per event, in order. Each event is all or nothing; after a crash send the same batch again."""
    results: list[dict[str, object]] = [{} for _ in batch.events]
    accepted: dict[UUID, list[tuple[int, Event]]] = defaultdict(list)
    now = datetime.now(UTC)
    for place, raw in enumerate(batch.events):
        try:
            account_id, event = _read(request, raw, now)
            accepted[account_id].append((place, event))
        except Problem as problem:
            results[place] = _refused(problem)
    helping = cache(help_of)  # once for an account, however many of its events do not fit
    for account_id, events in accepted.items():
        outcomes = metering.record_many(account_id, [event for _, event in events], source=source_of(request))
        for (place, _), outcome in zip(events, outcomes, strict=True):
            refused = None if outcome.is_recorded else refusal(outcome, account_id, helping=helping)
            results[place] = _refused(refused) if refused else _result(outcome, expand=expand == "exact")
    return answer(200, {"results": results})


def _read(request: HttpRequest, raw: dict[str, object], now: datetime) -> tuple[UUID, Event]:
    """One event of a batch, under the same rules and in the same order of refusals as one sent alone."""
    check_on_short(request.caller, raw.get("on_short"))
    try:
        body = EVENT.validate_python(raw)
        account_id = account_of(request, body.account)
        event = body.event(now)
        rate_card.current().rates_for(event.usage, event.occurred_at or now)
    except (ValidationError, Invalid, pricing.UnknownMeter) as error:
        locate_account(request, raw)
        locate_agent(request, raw)
        raise _invalid(error, raw) from None
    return account_id, event


def _invalid(error: ValidationError | Invalid | pricing.UnknownMeter, raw: dict[str, object]) -> Invalid:
    if isinstance(error, Invalid):
        return error
    if isinstance(error, pricing.UnknownMeter):
        return unknown_model()
    found = [{**e, "loc": ("body", "event", *e["loc"][1:])} for e in error.errors()]
    return Invalid("See `errors`: each names a field.", errors=explain(found, raw))


def _result(outcome: Outcome, *, expand: bool) -> dict[str, object]:
    replayed: dict[str, object] = {"replayed": True} if outcome.status == "replayed" else {}
    return {"status": 201, **recorded(outcome, expand=expand), **replayed}


def _refused(problem: Problem) -> dict[str, object]:
    body = problem.body(logs.current_request_id())
    return {name: value for name, value in body.items() if name not in ("type", "request_id")}


@router.get("/v3/authorize", auth=key(Scope.USAGE_WRITE, proved_later=True), summary="May anything start?")
def authorize(
    request: HttpRequest, type: Literal["chat", "voice", "knowledge"], account: str | None = None
) -> HttpResponse:
    """The cheapest question: 204, or 402 below $0.01 (voice: below one minute), or 403. Changes nothing.

    Without a paid balance no second call may start while one is open.
    """
    account_id = account_of(request, account)
    funds = selectors.funds_for_key(account_id, request.caller.key_id)
    questions.only(request, "type", "account")
    if funds.frozen:
        raise closing.why_frozen(account_id)
    if type == CALL and funds.held and not holds.may_join(account_id, CALL):
        raise PaidBalanceRequired(SECOND_CALL)
    required = CENT
    if type == CALL:
        required = max(CENT, rate_card.fresh().rate("voice.minute", datetime.now(UTC)))
    if funds.available < required:
        raise insufficient(account_id, balance=funds.balance, available=funds.available, required=required)
    return answer(204)


@router.get("/v3/prices", auth=key(Scope.BALANCE_READ), summary="The rate card")
def prices(request: HttpRequest) -> HttpResponse:
    """Every price in force with its date, and those already announced for later."""
    card, now = rate_card.fresh(), datetime.now(UTC)
    return answer(
        200, {"currency": "usd", "prices": [_price(card, meter, now) for meter in sorted(card.dates)]}
    )


UNITS = {
    "input": "1M tokens",
    "output": "1M tokens",
    "query": "query",
    "minute": "minute",
    "period": "30 days",
}
UNITS |= {"page": "page", "chunk": "chunk"}


def _price(card: rate_card.Card, meter: str, now: datetime) -> dict[str, object]:
    dated = list(zip(card.dates[meter], card.rates[meter], strict=True))
    current = [(since, rate) for since, rate in dated if since <= now]
    since, rate = current[-1] if current else (None, None)
    return {
        "meter": meter,
        "per": UNITS[meter.rpartition(".")[2]],
        "rate": None if rate is None else exact(rate),
        "effective_from": None if since is None else timestamp(since),
        "upcoming": [
            {"rate": exact(later), "effective_from": timestamp(start)}
            for start, later in dated
            if start > now
        ],
    }
