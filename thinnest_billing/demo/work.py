"""What the demo's agents do: pieces of work as the agent platform tells the API of them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

Work = dict[str, Any]  # an event's body but for event_id and account
ANSWERED = 0.78  # of the calls that are placed


@dataclass(frozen=True, slots=True)
class Talk:
    """How an agent talks on one model: a typical prompt and answer in tokens, questions to its knowledge.

    `live` is its share of the simulator's messages: mostly cheap ones, so that the balance lasts for hours.
    """

    model: str
    prompt: int
    answer: int
    live: int
    retrieval: float = 0.0  # of its messages


@dataclass(frozen=True, slots=True)
class DemoAgent:
    """One agent, and how much it does on a full working day."""

    name: str
    talks: tuple[Talk, Talk]  # the first on its own model, the second rarer
    messages: float
    calls: float = 0.0
    documents: float = 0.0
    weekend: float = 0.3  # of a working day
    call_seconds: int = 190


AGENTS = (
    DemoAgent(
        "Customer Support",
        (Talk("gpt-4o", 7_800, 820, 3, 0.5), Talk("gpt-4o-mini", 2_400, 380, 6, 0.3)),
        messages=27, calls=0.5, weekend=0.45,
    ),
    DemoAgent(
        "Sales Assistant",
        (Talk("claude-3.5-sonnet", 6_900, 780, 2, 0.2), Talk("claude-3-haiku", 1_900, 300, 4)),
        messages=11, calls=1.1, weekend=0.12,
    ),
    DemoAgent(
        "Research Bot",
        (Talk("gemini-1.5-pro", 17_500, 1_350, 1, 0.6), Talk("gpt-4-turbo", 7_200, 980, 0, 0.4)),
        messages=6, documents=0.9, weekend=0.25,
    ),
    DemoAgent(
        "Website Concierge",
        (Talk("gemini-1.5-flash", 1_600, 260, 5), Talk("gpt-4o-mini", 1_250, 340, 4, 0.1)),
        messages=12, documents=0.15, weekend=1.1,
    ),
)  # fmt: skip

DOCUMENTS = (
    ("Return policy.pdf", 6), ("Shipping and customs.pdf", 11), ("Price list.xlsx", 4), ("Onboarding guide.docx", 18),
    ("Security whitepaper.pdf", 24), ("Warranty terms.pdf", 9), ("Competitor overview.docx", 31),
    ("Quarterly report.pdf", 42), ("Market study, Nordics.pdf", 56), ("Release notes.md", 3),
    ("Support handbook.pdf", 38), ("Data processing agreement.pdf", 14),
)  # fmt: skip


def chat(agent: DemoAgent, draw: Random) -> Work:
    return message(agent, draw.choices(agent.talks, weights=(7, 3))[0], draw)


def live_chat(draw: Random) -> Work:
    talks = [(agent, talk) for agent in AGENTS for talk in agent.talks]
    agent, talk = draw.choices(talks, weights=[talk.live for _, talk in talks])[0]
    return message(agent, talk, draw)


def message(agent: DemoAgent, talk: Talk, draw: Random) -> Work:
    return {
        "type": "chat",
        "agent": agent.name,
        "model": talk.model,
        "input_tokens": around(talk.prompt, draw),
        "output_tokens": around(talk.answer, draw),
        "retrieval_queries": int(draw.random() < talk.retrieval),
    }


def call(agent: DemoAgent, draw: Random) -> Work:
    return {"type": "voice", "agent": agent.name} | campaign_call(agent.call_seconds, draw)


def campaign_call(typical: int, draw: Random) -> Work:
    """Seconds, mostly about `typical`. Now and then nobody answers: such a call is recorded, and free."""
    answered = draw.random() < ANSWERED
    return {
        "seconds": around(typical, draw) if answered else draw.randint(18, 32),
        "answered": answered,
        "note": f"Call to •••• {draw.randint(0, 9999):04}",
    }


def document(agent: DemoAgent, draw: Random) -> Work:
    """One of a dozen documents in one of a few editions, so that sooner or later one comes a second time."""
    name, pages = draw.choice(DOCUMENTS)
    edition = draw.randint(1, 10)
    content = hashlib.sha256(f"{name} {edition}".encode()).hexdigest()
    stem, _, suffix = name.rpartition(".")
    note = name if edition == 1 else f"{stem} v{edition}.{suffix}"
    size = {"chunks": pages * 4} if suffix == "md" else {"pages": pages}
    return {"type": "knowledge", "agent": agent.name, **size, "content_sha256": content, "note": note}


KINDS: dict[str, Callable[[DemoAgent, Random], Work]] = {
    "messages": chat, "calls": call, "documents": document
}  # fmt: skip


def around(typical: int, draw: Random) -> int:
    """Like sizes in life: mostly near the typical, seldom three times as much."""
    return max(1, round(typical * draw.lognormvariate(0, 0.5)))
