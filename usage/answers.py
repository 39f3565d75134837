"""How the API tells what became of an event or a hold."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from accounts import ids
from accounts.errors import Invalid, Problem, Unauthorized
from billing import closing, selectors, topups
from billing.errors import HoldEnded, HoldNotFound, InsufficientBalance, NoBalance
from billing.money import ZERO, balance_cents, plain_cost, usd_exact
from usage.agents import AgentNotFound, TooManyAgents
from usage.metering import Outcome

REPLAYED = {"Idempotent-Replayed": "true"}
CALL = "voice"  # the purpose of a hold that is a call
SECOND_CALL = (
    "A call is going on, and more than one at a time needs a paid balance. This one must not be placed."
)


class EventIdReused(Problem):
    """This event_id was recorded before with another body. Nothing was charged; send a new event_id."""

    status = 422
    code = "event_id_reused"
    title = "This event_id was used for another event."

    def __init__(self) -> None:
        super().__init__(
            "Nothing was recorded or charged. Send the first event as it was to read its answer again, or this one "
            "with an event_id of its own."
        )


def exact(amount: Decimal) -> Decimal:
    """The same number without trailing zeros, at least as long as whole dollars."""
    return amount.quantize(Decimal(1)) if amount == amount.to_integral() else amount.normalize()


def recorded(outcome: Outcome, *, expand: bool) -> dict[str, object]:
    """The answer to a recorded event: what it cost and what is left, as rounded as the API rounds."""
    body: dict[str, object] = {
        "id": ids.public("bill", outcome.charge_id),
        "cost": plain_cost(outcome.cost),
        "uncollected": plain_cost(outcome.uncollected),
        "balance": balance_cents(outcome.balance),
    }
    if expand:
        body |= {"cost_exact": f"{outcome.cost:.9f}", "balance_exact": f"{outcome.balance:.9f}"}
    return body


@dataclass(frozen=True, slots=True)
class Help:
    """What somebody whose request did not fit wants to know beside the numbers."""

    below_zero: Decimal  # dollars that paid lacks, after a refund or a dispute
    topup_in_progress: bool
    topup_action_url: str | None


def help_of(account_id: UUID) -> Help:
    below_zero = max(ZERO, -selectors.balance_of(account_id).paid)
    return Help(below_zero, *topups.in_progress(account_id))


def refusal(outcome: Outcome, account_id: UUID, *, helping: Callable[[UUID], Help] = help_of) -> Problem:
    """Why an event was not recorded."""
    if outcome.status == "short":
        return insufficient(
            account_id, balance=outcome.balance, available=outcome.free, required=outcome.price,
            helping=helping,
        )  # fmt: skip
    if outcome.status == "too_many_agents":
        return TooManyAgents.at("/agent", f"An account may have {settings.LIMIT_AGENTS:,} agents.")
    if outcome.status == "frozen":
        return closing.why_frozen(account_id)
    return _REFUSALS[outcome.status]()


def insufficient(
    account_id: UUID, *, balance: Decimal, available: Decimal, required: Decimal,
    helping: Callable[[UUID], Help] = help_of, **extra: object,
) -> InsufficientBalance:  # fmt: skip
    """The 402 that helps: what is left, what was needed, where to add funds, whether some are on their way."""
    way = helping(account_id)
    if way.topup_action_url:
        extra["topup_action_url"] = way.topup_action_url
    add_funds = f"{settings.SITE_URL}/settings/billing/add-funds/"
    why = _why(way, balance=balance, available=available, required=required)
    return InsufficientBalance(
        f"{why} Nothing was charged. {_next(way, add_funds)}",
        balance=balance_cents(balance),
        available=exact(available),
        required=exact(required),
        topup_url=add_funds,
        topup_in_progress=way.topup_in_progress,
        **extra,
    )


def _why(way: Help, *, balance: Decimal, available: Decimal, required: Decimal) -> str:
    if way.below_zero:
        since = f"A refund or a dispute left your paid funds {usd_exact(way.below_zero)} below zero"
        return f"{since}: until that is made good, nothing new is accepted."
    held = f"; {usd_exact(balance - available)} more is reserved for work that is running"
    left = f"{usd_exact(available)} is available{held if balance > available else ''}"
    return f"This needs {usd_exact(required)}, and {left}."


def _next(way: Help, add_funds: str) -> str:
    if way.topup_action_url:
        return f"A top-up waits to be confirmed at {way.topup_action_url}; send this again once it is."
    if way.topup_in_progress:
        return "A top-up is on its way; send this again when it has arrived."
    return f"Add funds at {add_funds}, then send this again."


def unknown_model(pointer: str = "/model") -> Invalid:
    return Invalid.at(pointer, "There is no price for this model. GET /billing/v3/prices lists the models.")


_REFUSALS: dict[str, type[Problem]] = {
    "reused": EventIdReused,
    "no_agent": AgentNotFound,
    "no_account": NoBalance,
    "no_key": Unauthorized,
    "no_hold": HoldNotFound,
    "other_ending": HoldEnded,
}
