"""Whether something runs on the balance now: what the pages, the API, alerts and webhooks all read.

Derived afresh from facts (usage/phone_numbers.py, usage/campaigns.py) and never stored, so it cannot be out of date.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import TextChoices


class RunState(TextChoices):
    """A member is its own text: `run.state == "grace"` holds."""

    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"
    GRACE = "grace", "Grace period"
    SUSPENDED = "suspended", "Suspended"
    SCHEDULED = "scheduled", "Scheduled"
    DRAFT = "draft", "Draft"
    FINISHED = "finished", "Finished"
    BEING_SET_UP = "being_set_up", "Being set up"


@dataclass(frozen=True, slots=True)
class Run:
    """A state at one moment. `reason`: a sentence for the customer, empty where there is nothing to explain.

    `since`: when the state began; `until`: when it ends by itself; None where nobody can know.
    """

    state: str
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def label(self) -> str:
        """The state as a tag shows it."""
        return str(RunState(self.state).label)
