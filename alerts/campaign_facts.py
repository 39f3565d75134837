"""Campaigns, told: that one pauses for the balance, goes on, or is finished; the platform hears of every pause."""

from collections.abc import Iterable

from django.db.models import Q
from django.urls import reverse

from alerts import webhooks
from alerts.models import Notification
from alerts.telling import tell
from alerts.watched import Look
from alerts.webhook_facts import WINDOW
from usage import campaigns, campaigns_api, rate_card
from usage.campaigns import Why
from usage.models import Campaign
from usage.running import RunState

FINISHED, ACTIVE, PAUSED = "finished", "active", "paused"
FOR_BALANCE = f"{PAUSED} {Why.BALANCE.value}"
NAMED = 3  # campaigns; more of them are counted
Level, Type = Notification.Level, webhooks.Type


def tell_campaigns(look: Look) -> None:
    paused, resumed = [], []
    for campaign in _watched(look):
        before, state = look.state(campaign.pk), _state(look, campaign)
        if state == before or not look.is_news(campaign.pk, state, since=look.now):
            continue
        if state == FINISHED:
            _tell_finished(look, campaign)
        elif state.startswith(PAUSED):
            _tell_platform(look, campaign, Type.CAMPAIGN_PAUSED)
            paused += [campaign] if state == FOR_BALANCE else []
        elif state == ACTIVE and before.startswith(PAUSED):
            _tell_platform(look, campaign, Type.CAMPAIGN_RESUMED)
            resumed += [campaign] if before == FOR_BALANCE else []
    _tell_paused(look, paused)
    _tell_resumed(look, resumed)


def _watched(look: Look) -> Iterable[Campaign]:
    """Launched, and not finished long ago."""
    lately = Q(finished_at=None) | Q(finished_at__gt=look.now - WINDOW)
    return campaigns.of_account(look.account.pk).filter(lately, launched_at__isnull=False)


def _state(look: Look, campaign: Campaign) -> str:
    """`active`, `scheduled`, `finished`, or `paused` with its reason: a change of it may be told."""
    voice_minute = rate_card.fresh().rate("voice.minute", look.now)
    run = campaigns.state_of(campaign, look.funds, now=look.now, voice_minute=voice_minute)
    if run.state != RunState.PAUSED:
        return str(run.state)
    why = campaigns.why_paused(campaign, look.funds, voice_minute=voice_minute)
    return f"{PAUSED} {why.value}" if why else PAUSED


def _tell_platform(look: Look, campaign: Campaign, type_: webhooks.Type) -> None:
    (data,) = campaigns_api.shown(look.account.pk, [campaign], now=look.now)
    key = f"{type_}:{campaign.pk}:{look.now.isoformat()}"
    webhooks.queue(look.account.pk, key=key, type=type_, data=data, now=look.now)


def _tell_finished(look: Look, campaign: Campaign) -> None:
    tell(
        look.account.pk, key=f"campaign:{campaign.pk}:finished", kind="campaign", level=Level.INFO,
        title=f"Finished: {campaign.name}", body="The campaign's calls are placed. What they cost is under Records.",
        href=reverse("campaign", args=[campaign.public_id]), mail=False, now=look.now,
    )  # fmt: skip


def _tell_paused(look: Look, paused: list[Campaign]) -> None:
    """By email too where no other letter says that the balance stopped something."""
    why = campaigns.reason_of(Why.BALANCE, look.funds)
    body = f"{why} Until then no call is placed, and calls that fall due are not placed all at once later."
    if paused:
        _tell(look, PAUSED, paused, level=Level.WARN, body=body, mail=look.funds.depleted_at is None)


def _tell_resumed(look: Look, resumed: list[Campaign]) -> None:
    body = "The balance covers calls again, and calls are placed again at the usual pace. Nothing was lost."
    if resumed:
        _tell(look, "resumed", resumed, level=Level.GOOD, body=body, mail=False)


def _tell(look: Look, word: str, changed: list[Campaign], *, level: str, body: str, mail: bool) -> None:
    first = min(changed, key=lambda campaign: campaign.pk)
    tell(
        look.account.pk, key=f"campaign:{first.pk}:{word}:{look.now.isoformat()}", kind="campaign", level=level,
        title=f"{word.capitalize()}: {_names(changed)}", body=body, href=reverse("campaigns"), mail=mail, now=look.now,
    )  # fmt: skip


def _names(changed: list[Campaign]) -> str:
    names = [campaign.name for campaign in changed]
    return f"{names[0]} and {len(names) - 1} more campaigns" if len(names) > NAMED else ", ".join(names)
