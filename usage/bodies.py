"""What the platform may send about usage and holds, and what it means."""

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from django.conf import settings
from pydantic import AwareDatetime, Field, TypeAdapter, field_validator, model_validator

from accounts.bodies import Body, Flag, Text, Whole
from accounts.errors import Invalid
from usage import agents
from usage.metering import Event
from usage.pricing import Usage

AHEAD, BACK = timedelta(minutes=5), timedelta(days=30)
Key = Annotated[
    Text,
    Field(min_length=1, max_length=255, pattern=r"^[\x20-\x7e]+$", description="1 to 255 printable ASCII"),
]
Tokens = Annotated[Whole, Field(ge=0, le=settings.LIMIT_TOKENS)]
Queries = Annotated[Whole, Field(ge=0, le=settings.LIMIT_RETRIEVAL)]
Seconds = Annotated[Whole, Field(ge=0, le=settings.LIMIT_SECONDS)]
Pages = Annotated[Whole, Field(ge=1, le=settings.LIMIT_PAGES)]
Sha256 = Annotated[Text, Field(pattern=r"^[0-9a-f]{64}$", description="64 lower-case hexadecimal digits")]
Model = Annotated[Text, Field(min_length=1, max_length=40)]


class WithAgent(Body):
    account: Text | None = Field(None, description="Platform keys name the account they act for.")
    agent: Text | None = Field(None, description="An agent's id or name; a new name makes an agent.")

    @field_validator("agent")
    @classmethod
    def _agent_name(cls, value: str | None) -> str | None:
        return value if value is None or value.startswith("agent_") else agents.clean_name(value)


class EventBody(WithAgent):
    event_id: Key
    occurred_at: AwareDatetime | None = Field(None, description="At most 5 minutes ahead and 30 days back.")
    note: Annotated[Text, Field(max_length=120)] = ""
    on_short: Literal["refuse", "record"] = "refuse"

    @field_validator("occurred_at", mode="before")
    @classmethod
    def _iso_text(cls, value: object) -> object:
        if value is not None and not (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value)):
            raise ValueError("Send a time such as 2026-03-05T10:30:00Z.")
        return value

    @field_validator("note")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if any(ord(character) < 32 for character in value):
            raise ValueError("A note is one line without control characters.")
        return value

    def usage(self) -> Usage:
        raise NotImplementedError

    def event(self, now: datetime) -> Event:
        """Raises Invalid for a time out of range and AgentNotFound for a malformed agent id."""
        occurred_at = checked_time(self.occurred_at, now)
        sha = getattr(self, "content_sha256", None)
        return Event(
            event_id=self.event_id,
            request_hash=request_hash(self),
            usage=self.usage(),
            agent=agents.reference(self.agent),
            occurred_at=occurred_at,
            content_sha256=bytes.fromhex(sha) if sha else None,
            note=self.note,
            on_short=self.on_short,
        )


class ChatEvent(EventBody):
    type: Literal["chat"]
    model: Model
    input_tokens: Tokens
    output_tokens: Tokens
    retrieval_queries: Queries = 0

    def usage(self) -> Usage:
        return Usage("chat", self.model, self.input_tokens, self.output_tokens, self.retrieval_queries)


class VoiceEvent(EventBody):
    type: Literal["voice"]
    seconds: Seconds
    answered: Flag = True

    def usage(self) -> Usage:
        return Usage("voice", seconds=self.seconds, answered=self.answered)


class Ingested(Body):
    """Pages or chunks, not both."""

    pages: Pages | None = None
    chunks: Pages | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> "Ingested":
        if (self.pages is None) == (self.chunks is None):
            raise ValueError("Send either pages or chunks.")
        return self


class KnowledgeEvent(Ingested, EventBody):
    type: Literal["knowledge"]
    content_sha256: Sha256 | None = None

    def usage(self) -> Usage:
        return Usage("knowledge", pages=self.pages or 0, chunks=self.chunks or 0)


AnyEvent = Annotated[ChatEvent | VoiceEvent | KnowledgeEvent, Field(discriminator="type")]
EVENT: TypeAdapter[ChatEvent | VoiceEvent | KnowledgeEvent] = TypeAdapter(AnyEvent)


class Batch(Body):
    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=settings.LIMIT_BATCH_EVENTS)]


class HoldBody(WithAgent):
    key: Key

    def usage(self) -> Usage:
        raise NotImplementedError


class ChatHold(HoldBody):
    lifetime: ClassVar[timedelta] = timedelta(minutes=10)
    type: Literal["chat"]
    model: Model
    input_tokens: Tokens
    max_output_tokens: Tokens
    retrieval_queries: Queries = 0

    def usage(self) -> Usage:
        return Usage("chat", self.model, self.input_tokens, self.max_output_tokens, self.retrieval_queries)


class VoiceHold(HoldBody):
    type: Literal["voice"]
    seconds: Annotated[Seconds, Field(ge=1)]

    @property
    def lifetime(self) -> timedelta:
        return voice_lifetime(self.seconds)

    def usage(self) -> Usage:
        return Usage("voice", seconds=self.seconds, answered=True)


class KnowledgeHold(Ingested, HoldBody):
    lifetime: ClassVar[timedelta] = timedelta(hours=1)
    type: Literal["knowledge"]

    def usage(self) -> Usage:
        return Usage("knowledge", pages=self.pages or 0, chunks=self.chunks or 0)


AnyHold = Annotated[ChatHold | VoiceHold | KnowledgeHold, Field(discriminator="type")]


class Extend(Body):
    account: Text | None = None
    seconds: Annotated[Seconds, Field(ge=1, description="The new total, not what is added.")]


class Release(Body):
    account: Text | None = None


class Capture(Body):
    """What was really used, in the field names of the hold's kind of event."""

    account: Text | None = None
    event_id: Key
    type: Literal["chat", "voice", "knowledge"] | None = None
    model: Model | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    retrieval_queries: Queries | None = None
    seconds: Seconds | None = None
    answered: Flag | None = None
    pages: Annotated[Whole, Field(ge=0, le=settings.LIMIT_PAGES)] | None = None
    chunks: Annotated[Whole, Field(ge=0, le=settings.LIMIT_PAGES)] | None = None
    content_sha256: Sha256 | None = None
    occurred_at: AwareDatetime | None = None
    note: Annotated[Text, Field(max_length=120)] = ""

    FIELDS: ClassVar = {
        "chat": ({"input_tokens", "output_tokens"}, {"model", "retrieval_queries"}),
        "voice": ({"seconds"}, {"answered"}),
        "knowledge": (set(), {"pages", "chunks", "content_sha256"}),
    }

    def event(self, hold_id: UUID, hold_type: str, model: str, agent_id: UUID | None, now: datetime) -> Event:
        """Raises Invalid when the fields do not fit the hold."""
        self._check_fields(hold_type, model)
        return Event(
            event_id=self.event_id,
            request_hash=request_hash(self, hold_id=hold_id),
            usage=self._usage(hold_type, model),
            agent=agents.AgentRef(id=agent_id),
            occurred_at=checked_time(self.occurred_at, now),
            content_sha256=bytes.fromhex(self.content_sha256) if self.content_sha256 else None,
            note=self.note,
            on_short="capture",
        )

    def _check_fields(self, hold_type: str, model: str) -> None:
        required, optional = self.FIELDS[hold_type]
        quantities = {"model", "input_tokens", "output_tokens", "retrieval_queries", "seconds", "answered"}
        quantities |= {"pages", "chunks", "content_sha256"}
        sent = {name for name in quantities if getattr(self, name) is not None}
        errors = [(name, "This field is required.") for name in sorted(required - sent)]
        errors += [(name, f"Not part of a {hold_type} hold.") for name in sorted(sent - required - optional)]
        if self.type not in (None, hold_type):
            errors.append(("type", f"This is a {hold_type} hold."))
        if self.model not in (None, model):
            errors.append(("model", f"This hold is for {model}."))
        if hold_type == "knowledge" and (self.pages is None) == (self.chunks is None):
            errors.append(("pages", "Send either pages or chunks."))
        if errors:
            found = [{"pointer": f"/{name}", "detail": detail} for name, detail in errors]
            raise Invalid("See `errors`: each names a field.", errors=found)

    def _usage(self, hold_type: str, model: str) -> Usage:
        return Usage(
            hold_type,
            model,
            input_tokens=self.input_tokens or 0,
            output_tokens=self.output_tokens or 0,
            retrieval_queries=self.retrieval_queries or 0,
            seconds=self.seconds or 0,
            answered=self.answered is not False if hold_type == "voice" else None,
            pages=self.pages or 0,
            chunks=self.chunks or 0,
        )


def voice_lifetime(seconds: int) -> timedelta:
    """A call's seconds and two minutes more, at most a day."""
    return min(timedelta(seconds=seconds + 120), timedelta(hours=24))


def checked_time(occurred_at: datetime | None, now: datetime) -> datetime | None:
    """In UTC: PostgreSQL knows fewer offsets than ISO 8601. Raises Invalid for a time out of range."""
    if occurred_at is None:
        return None
    if not now - BACK <= occurred_at <= now + AHEAD:
        raise Invalid.at("/occurred_at", "Send a time at most 5 minutes ahead and 30 days back.")
    return occurred_at.astimezone(UTC)


def request_hash(body: Body, *, hold_id: UUID | None = None) -> bytes:
    """What makes two requests the same: every field that says something, whoever's key sent it.

    A capture is also about its hold: the same words about another hold are another request.
    """
    said = body.model_dump(mode="json", exclude_defaults=True, exclude={"account"})
    if hold_id is not None:
        said["hold"] = str(hold_id)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()
