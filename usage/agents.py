"""Agents: what usage is counted under. Known by name; names are unique within an account, ignoring case.

An agent's model is its owner's choice, which the platform reads (usage/agents_api.py); what is charged is the model
that really answered.
"""

import unicodedata
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import TextChoices

from accounts import ids
from accounts.errors import Invalid, NotFound
from accounts.text import is_unprintable, is_visible
from billing.money import usd
from billing.selectors import Funds
from usage.models import Agent
from usage.running import Run, RunState

UNASSIGNED = "Unassigned"


class AgentNotFound(NotFound):
    """The account has no agent with this id."""

    title = "There is no such agent."

    def __init__(self, detail: str = "") -> None:
        """`detail`: what was not done and what to do; unless told, in the words of the API."""
        super().__init__(
            detail
            or "Nothing was recorded or charged. Name an agent of this account by its id (agent_…) or its name; "
            "GET /billing/v3/agents lists them."
        )


class TooManyAgents(Invalid):
    """An account may have 1,000 agents."""


class NameTaken(ValueError):
    """Another agent of the account has this name, in this or another case."""


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
        raise ValueError("An agent's name must have 1 to 80 characters.")
    if any(is_unprintable(c) or unicodedata.category(c) in ("Cs", "Zl", "Zp") for c in name):
        raise ValueError("An agent's name must have no control characters.")
    if not is_visible(name):
        raise ValueError("An agent's name must have a letter, a digit or a visible sign.")
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
            raise AgentNotFound
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
        raise AgentNotFound
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
        raise AgentNotFound
    if found is None:
        raise TooManyAgents.at("/agent", f"An account may have {settings.LIMIT_AGENTS:,} agents.")
    return found


def rename(agent: Agent, name: str) -> str:
    """The name as it is kept; records follow, for they know the agent by id. Raises ValueError, NameTaken."""
    kept = clean_name(name)
    try:
        with transaction.atomic():
            Agent.objects.filter(pk=agent.pk).update(name=kept, name_key=name_key(kept))
    except IntegrityError:
        raise NameTaken("Another agent of this account has that name: choose a different one.") from None
    return kept


def choose_model(agent: Agent, model: str) -> None:
    """Tell the platform to answer with another model from the agent's next message on. Charges nothing."""
    Agent.objects.filter(pk=agent.pk).update(model=model)


class Why(TextChoices):
    """What keeps agents from answering."""

    FROZEN = "frozen", "Spending is frozen on this account. Everything resumes when the freeze is lifted."
    BALANCE = "balance", "The balance is used up. Everything resumes as soon as funds are added."


def why_paused(funds: Funds) -> Why | None:
    """None while they may answer. All of an account's agents or none: it is the balance that they run on."""
    if funds.frozen:
        return Why.FROZEN
    return Why.BALANCE if funds.paid < 0 or funds.depleted_at else None


def state_of(funds: Funds) -> Run:
    """Whether an account's agents answer."""
    why = why_paused(funds)
    if why is None:
        return Run(RunState.ACTIVE)
    frozen_at = min((at for at in (funds.owner_froze_at, funds.staff_froze_at) if at), default=None)
    is_below = why is Why.BALANCE and funds.paid < 0
    below = f"Paid funds are {usd(-funds.paid)} below zero. Everything resumes once that is made good."
    reason = below if is_below else why.label
    return Run(RunState.PAUSED, reason, since=frozen_at or funds.depleted_at)
