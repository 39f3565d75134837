"""Agents: what usage is counted under. Known by name; names are unique within an account, ignoring case."""

import unicodedata
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection

from accounts import ids
from accounts.errors import Invalid, NotFound
from usage.models import Agent

UNASSIGNED = "Unassigned"


class AgentNotFound(NotFound):
    """The account has no agent with this id."""

    title = "There is no such agent."


class TooManyAgents(Invalid):
    """An account may have 1,000 agents."""


@dataclass(frozen=True, slots=True)
class AgentRef:
    """An agent as a request names it: by id, by name, or not at all."""

    id: UUID | None = None
    name: str | None = None
    key: str | None = None


NOBODY = AgentRef()


def clean_name(raw: str) -> str:
    """The name as it is kept: NFC and trimmed. Raises ValueError with a sentence for the person."""
    name = unicodedata.normalize("NFC", raw).strip()
    if not 1 <= len(name) <= 80:
        raise ValueError("An agent's name has 1 to 80 characters.")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise ValueError("An agent's name has no control characters.")
    if name.startswith("agent_"):
        raise ValueError("An agent's name cannot begin with agent_: that is how ids begin.")
    if name_key(name) == name_key(UNASSIGNED):
        raise ValueError("Unassigned means usage without an agent: choose another name.")
    return name


def name_key(name: str) -> str:
    """What makes two names the same: case does not count."""
    return unicodedata.normalize("NFC", name.casefold())


def reference(text: str | None) -> AgentRef:
    """What a request's `agent` means. Raises AgentNotFound for a malformed id and ValueError for a bad name."""
    if text is None:
        return NOBODY
    if text.startswith("agent_"):
        found = ids.parse("agent", text)
        if found is None:
            raise AgentNotFound(f"There is no agent {text[:40]} on this account.")
        return AgentRef(id=found)
    name = clean_name(text)
    return AgentRef(name=name, key=name_key(name))


def find(account_id: UUID, ref: AgentRef) -> UUID | None:
    """The agent's id; None for a name that is new, or for nobody. Raises AgentNotFound for an unknown id."""
    if ref == NOBODY:
        return None
    by = {"id": ref.id} if ref.id else {"name_key": ref.key}
    found = Agent.objects.filter(account_id=account_id, **by).values_list("id", flat=True).first()
    if found is None and ref.id is not None:
        raise AgentNotFound("There is no such agent on this account.")
    return found


def resolve(account_id: UUID, ref: AgentRef) -> UUID | None:
    """The agent's id; a new name makes one. Raises AgentNotFound, TooManyAgents."""
    if ref.id is None and ref.key is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT usage_agent_1(%s, %s, %s, %s, %s, %s)",
            [account_id, ref.id, ref.name, ref.key, ids.uuid7(), settings.LIMIT_AGENTS],
        )
        (found,) = cursor.fetchone()
    if found is None and ref.id is not None:
        raise AgentNotFound("There is no such agent on this account.")
    if found is None:
        raise TooManyAgents.at("/agent", f"An account may have {settings.LIMIT_AGENTS:,} agents.")
    return found
