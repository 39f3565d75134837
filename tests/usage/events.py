"""Usage events as short as a test wants them."""

import hashlib
from typing import Any

from usage.agents import NOBODY, AgentRef
from usage.metering import Event
from usage.pricing import Usage


def chat(
    event_id: str, model: str = "gpt-4o-mini", tokens_in: int = 1250, tokens_out: int = 340, **more: Any
) -> Event:
    """The seed's own message unless told otherwise: $0.000391500."""
    queries = more.pop("retrieval_queries", 0)
    return event(event_id, Usage("chat", model, tokens_in, tokens_out, queries), **more)


def voice(event_id: str, seconds: int, *, answered: bool = True, **more: Any) -> Event:
    return event(event_id, Usage("voice", seconds=seconds, answered=answered), **more)


def pages(event_id: str, count: int, **more: Any) -> Event:
    return event(event_id, Usage("knowledge", pages=count), **more)


def event(event_id: str, usage: Usage, *, agent: AgentRef = NOBODY, **more: Any) -> Event:
    request_hash = hashlib.sha256(repr((event_id, usage, agent, more)).encode()).digest()
    return Event(event_id, request_hash, usage, agent, **more)
