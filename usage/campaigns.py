"""Campaigns: calls that the platform places by itself once the owner has launched them, while the balance allows.

Whether one runs is derived from its facts and the balance each time it is asked and never stored: a top-up brings it
back by itself. The platform learns it from the API and obeys.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet, TextChoices

from accounts import ids
from accounts.errors import NotFound, Problem
from billing import ledger, selectors
from billing.errors import PaidBalanceRequired, SpendingFrozen
from billing.selectors import Funds
from billing.signals import announce
from usage import campaign_times, pricing
from usage.models import Campaign
from usage.pricing import Rates, Usage
from usage.running import Run, RunState


class CampaignNotFound(NotFound):
    """The account has no campaign with this id."""

    code = "campaign_not_found"
    title = "There is no such campaign."


class CampaignNotLaunched(Problem):
    """Only a campaign that its owner has launched can be finished, paused or resumed. Nothing was changed."""

    status = 409
    code = "campaign_not_launched"
    title = "This campaign has not been launched."


class CampaignLaunched(Problem):
    """A campaign is edited before its launch, and launched as it was shown. Nothing was changed."""

    status = 409
    code = "campaign_launched"
    title = "This campaign was launched or changed meanwhile."


class Why(TextChoices):
    """Why a campaign that is launched and due does not run."""

    OWNER = "owner", "The owner of the account paused it. It goes on when the owner resumes it."
    FROZEN = "frozen", "Spending is frozen on this account. It goes on by itself when the freeze is lifted."
    BALANCE = (
        "balance",
        "The balance does not cover one minute of a call. It goes on by itself after a top-up.",
    )


BELOW_ZERO = (
    "Paid funds are below zero after a refund or a dispute. It goes on by itself once that is made good."
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What its owner decides before the launch. `calls` and `seconds_per_call` are expected, for the estimate."""

    name: str
    agent_id: UUID | None
    calls: int
    seconds_per_call: int
    scheduled_at: datetime | None = None  # None: as soon as it is launched


def create(account_id: UUID, plan: Plan, *, now: datetime, id: UUID | None = None) -> Campaign:
    """A draft; nothing is placed before its launch."""
    return Campaign.objects.create(
        id=id or ids.uuid7(), account_id=account_id, created_at=now, **asdict(plan)
    )


def of_account(account_id: UUID) -> QuerySet[Campaign]:
    """Newest first."""
    found = Campaign.objects.filter(account_id=account_id).select_related("agent")
    return found.order_by("-created_at", "-pk")


def older_than(found: QuerySet[Campaign], last: Campaign) -> QuerySet[Campaign]:
    """The next page of a list that ended with `last`."""
    return found.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, pk__lt=last.pk))


def find(account_id: UUID, public_id: str) -> Campaign:
    """Raises CampaignNotFound, also for somebody else's."""
    named = ids.parse("camp", public_id)
    campaign = of_account(account_id).filter(pk=named).first() if named else None
    if campaign is None:
        raise CampaignNotFound("Name a campaign (camp_…) of this account.")
    return campaign


def edit(campaign: Campaign, plan: Plan) -> None:
    """Before the launch only. Raises CampaignLaunched."""
    if not _change(campaign, Q(launched_at=None), **asdict(plan)):
        raise CampaignLaunched("It was launched before this was saved, and goes on as it was.")


def discard(campaign: Campaign) -> None:
    """Delete a draft, for good; again does nothing. Raises CampaignLaunched: what was launched stays on the books."""
    with transaction.atomic():
        ledger.lock(campaign.account_id)
        gone, _ = Campaign.objects.filter(pk=campaign.pk, launched_at=None).delete()
        if not gone and Campaign.objects.filter(pk=campaign.pk).exists():
            raise CampaignLaunched(
                "It was launched before this was sent, so it was not discarded. Pause it instead."
            )


def launch(campaign: Campaign, *, actor: str, now: datetime) -> bool:
    """Launch it as this row says; False when it is launched already.

    Raises SpendingFrozen, PaidBalanceRequired, and CampaignLaunched when its plan is another one by now.
    """
    with transaction.atomic():
        ledger.lock(campaign.account_id)
        if Campaign.objects.filter(pk=campaign.pk, launched_at__isnull=False).exists():
            return False
        check_launch(campaign.account_id)
        as_shown = Q(
            launched_at=None, calls=campaign.calls, seconds_per_call=campaign.seconds_per_call,
            scheduled_at=campaign.scheduled_at,
        )  # fmt: skip
        if not _change(campaign, as_shown, launched_at=now, launched_by=actor):
            raise CampaignLaunched("Its plan was changed meanwhile. It was not launched: look at it again.")
    return True


def check_launch(account_id: UUID) -> None:
    """Whether this account may launch campaigns at all. Raises SpendingFrozen, PaidBalanceRequired."""
    if selectors.balance_of(account_id).frozen:
        raise SpendingFrozen("Spending is frozen, so the campaign was not launched. Lift the freeze first.")
    if not selectors.has_paid_balance(account_id):
        raise PaidBalanceRequired("The campaign was not launched.")


def pause(campaign: Campaign, *, now: datetime) -> None:
    """By its owner; repeatable. Raises CampaignNotLaunched."""
    _require_launched(campaign)
    _change(campaign, Q(finished_at=None, paused_by_owner_at=None), paused_by_owner_at=now)


def resume(campaign: Campaign, *, now: datetime) -> None:
    """By its owner; repeatable. What fell due meanwhile is not made up for. Raises CampaignNotLaunched."""
    _require_launched(campaign)
    paused = Q(finished_at=None, paused_by_owner_at__isnull=False)
    _change(campaign, paused, paused_by_owner_at=None, resumed_at=now)


def finish(campaign: Campaign, *, now: datetime) -> bool:
    """The platform has placed its calls; False when it said so before. Raises CampaignNotLaunched."""
    _require_launched(campaign)
    return _change(campaign, Q(finished_at=None), finished_at=now)


def _require_launched(campaign: Campaign) -> None:
    if campaign.launched_at is None:
        raise CampaignNotLaunched("Nothing was changed. Its owner launches it under Campaigns.")


def _change(campaign: Campaign, while_: Q, **facts: object) -> bool:
    """Write the facts if the row still is as it must be, tell whoever watches, and read the row anew.

    Raises CampaignNotFound for a draft that was discarded meanwhile.
    """
    with transaction.atomic():
        changed = bool(Campaign.objects.filter(while_, pk=campaign.pk).update(**facts))
        if changed:
            announce(campaign.account_id)
    try:
        campaign.refresh_from_db()
    except Campaign.DoesNotExist:
        raise CampaignNotFound("It was discarded meanwhile. Nothing was changed.") from None
    return changed


# --- whether it runs --------------------------------------------------------------------------------------------


def state_of(campaign: Campaign, funds: Funds, *, now: datetime, voice_minute: Decimal) -> Run:
    """`voice_minute`: dollars for a minute of a call now. Holds do not count: they must not make it flap."""
    if campaign.finished_at:
        return Run(RunState.FINISHED, since=campaign.finished_at)
    if campaign.launched_at is None:
        return Run(RunState.DRAFT, since=campaign.created_at)
    if campaign.paused_by_owner_at:
        return Run(RunState.PAUSED, Why.OWNER.label, since=campaign.paused_by_owner_at)
    if campaign.scheduled_at and campaign.scheduled_at > now:
        return Run(RunState.SCHEDULED, since=campaign.launched_at, until=campaign.scheduled_at)
    why = why_paused(campaign, funds, voice_minute=voice_minute)
    if why is None:
        return Run(RunState.ACTIVE, since=campaign_times.due_since(campaign))
    return Run(RunState.PAUSED, reason_of(why, funds), since=_stopped_at(campaign, funds, why))


def why_paused(campaign: Campaign, funds: Funds, *, voice_minute: Decimal) -> Why | None:
    """What stops a launched campaign; None when nothing does. Below zero in paid everything new is refused."""
    if campaign.paused_by_owner_at:
        return Why.OWNER
    if funds.frozen:
        return Why.FROZEN
    short = funds.depleted_at is not None or funds.balance < voice_minute or funds.paid < 0
    return Why.BALANCE if short else None


def reason_of(why: Why, funds: Funds) -> str:
    """As a sentence for the customer. Below zero nothing new starts, even where granted credit would cover a call."""
    return BELOW_ZERO if why is Why.BALANCE and funds.paid < 0 else str(why.label)


def _stopped_at(campaign: Campaign, funds: Funds, why: Why) -> datetime | None:
    """Since when it does not run: what stopped it, or its own beginning where that came later."""
    froze_at = min((at for at in (funds.owner_froze_at, funds.staff_froze_at) if at), default=None)
    stopped_at = froze_at if why is Why.FROZEN else funds.depleted_at
    due = campaign_times.due_since(campaign)
    return max(stopped_at, due) if stopped_at and due else None


# --- what it will cost ------------------------------------------------------------------------------------------


def estimate(calls: int, seconds_per_call: int, *, rates: Rates) -> Decimal:
    """Dollars for so many answered calls, each rounded as its charge will be. Raises UnknownMeter."""
    return calls * price_of_call(seconds_per_call, rates=rates)


def price_of_call(seconds: int, *, rates: Rates) -> Decimal:
    return pricing.price(Usage("voice", seconds=seconds, answered=True), rates)
