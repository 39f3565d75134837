"""How the API tells what became of an event or a hold."""

from decimal import Decimal
from uuid import UUID

from django.conf import settings

from accounts import ids
from accounts.errors import Invalid, Problem
from billing import topups
from billing.errors import HoldEnded, HoldNotFound, InsufficientBalance, NoBalance, SpendingFrozen
from billing.money import balance_cents, plain_cost
from usage.agents import AgentNotFound, TooManyAgents
from usage.metering import Outcome

REPLAYED = {"Idempotent-Replayed": "true"}


class EventIdReused(Problem):
    """This event_id was recorded before with another body. Nothing was charged; send a new event_id."""

    status = 422
    code = "event_id_reused"
    title = "This event_id was used for another event."


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


def refusal(outcome: Outcome, account_id: UUID) -> Problem:
    """Why an event was not recorded."""
    if outcome.status == "short":
        return insufficient(
            account_id, balance=outcome.balance, available=outcome.free, required=outcome.price
        )
    if outcome.status == "too_many_agents":
        return TooManyAgents.at("/agent", f"An account may have {settings.LIMIT_AGENTS:,} agents.")
    return _REFUSALS[outcome.status]()


def insufficient(
    account_id: UUID, *, balance: Decimal, available: Decimal, required: Decimal, **extra: object
) -> InsufficientBalance:
    """The 402 that helps: what is left, what was needed, where to add funds, whether some are on their way."""
    in_progress, action_url = topups.in_progress(account_id)
    if action_url:
        extra["topup_action_url"] = action_url
    return InsufficientBalance(
        f"Needed ${exact(required):f}, available ${exact(available):f}. Add funds, then send this again.",
        balance=balance_cents(balance),
        available=exact(available),
        required=exact(required),
        topup_url=f"{settings.SITE_URL}/settings/billing/add-funds/",
        topup_in_progress=in_progress,
        **extra,
    )


def unknown_model(pointer: str = "/model") -> Invalid:
    return Invalid.at(pointer, "There is no price for this model. GET /billing/v3/prices lists the models.")


_REFUSALS: dict[str, type[Problem]] = {
    "reused": EventIdReused,
    "frozen": SpendingFrozen,
    "no_agent": AgentNotFound,
    "no_account": NoBalance,
    "no_hold": HoldNotFound,
    "other_ending": HoldEnded,
}
