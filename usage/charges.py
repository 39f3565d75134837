"""Reading an account's charges: by filter, newest first, in pages that begin after a known charge."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from usage.models import Agent, Charge, Flag, UsageType

TYPES_OF = {  # rent of a phone number belongs to voice
    "chat": [UsageType.CHAT],
    "voice": [UsageType.VOICE, UsageType.NUMBER],
    "knowledge": [UsageType.KNOWLEDGE],
}
FLAGGED = "flagged"  # a type of records as people choose them: charges that somebody asked about
NOBODY = "none"  # how an address names usage without an agent
SERVICES = {  # how an address names what is charged without a model
    "voice-minutes": UsageType.VOICE,
    "phone-numbers": UsageType.NUMBER,
    "knowledge-ingestion": UsageType.KNOWLEDGE,
}
# How far an account's stored day may be from the UTC date of the same moment: its own time zone, and a day that
# never goes back when the account moves to another one.
ZONES = timedelta(hours=14)
T = TypeVar("T", bound=Model)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which charges. `agent`: of one, (None,) for those without any; `since` and `until`: stored days.

    `service`: a model or one of SERVICES.
    """

    type: str = ""
    agent: tuple[UUID | None] | None = None
    model: str = ""
    since: date | None = None
    until: date | None = None
    service: str = ""


def matching(account_id: UUID, wanted: Filter) -> QuerySet[Charge]:
    found = within(Charge.objects.filter(account_id=account_id), wanted.since, wanted.until)
    if wanted.type == FLAGGED:
        asked = Flag.objects.filter(account_id=account_id)
        found = found.filter(id__in=asked.values("charge_id"))
    elif wanted.type:
        found = found.filter(type__in=TYPES_OF[wanted.type])
    if wanted.agent is not None:
        (agent_id,) = wanted.agent
        found = found.filter(agent_id=agent_id) if agent_id else found.filter(agent_id=None)
    if wanted.service:
        found = found.filter(**of_service(wanted.service))
    return found.filter(model=wanted.model) if wanted.model else found


def of_service(service: str) -> dict[str, str]:
    """What a charge of a model, or of one of SERVICES, is marked with."""
    type = SERVICES.get(service)
    return {"type": type.value, "model": ""} if type else {"type": UsageType.CHAT.value, "model": service}


def within(rows: QuerySet[T], since: date | None, until: date | None) -> QuerySet[T]:
    """Rows whose stored `day` lies within. Also bounds `recorded_at`, which has the index: days follow it."""
    if since is not None:
        rows = rows.filter(day__gte=since, recorded_at__gte=_midnight(since, -2 * ZONES))
    if until is not None:
        rows = rows.filter(day__lte=until, recorded_at__lt=_midnight(until, timedelta(days=1) + ZONES))
    return rows


def names_of(account_id: UUID, agent_ids: set[UUID | None]) -> dict[UUID | None, str]:
    """The names of an account's agents by id, in one query."""
    wanted = {agent_id for agent_id in agent_ids if agent_id is not None}
    if not wanted:
        return {}
    return dict(Agent.objects.filter(account_id=account_id, id__in=wanted).values_list("id", "name"))


def _midnight(day: date, shift: timedelta) -> datetime:
    """A UTC moment near the day's midnight, wherever the account lives; the ends of the calendar are clamped."""
    try:
        return datetime.combine(day, time(), UTC) + shift
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if shift > timedelta() else datetime.min.replace(tzinfo=UTC)
