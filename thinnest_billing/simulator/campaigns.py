"""Campaigns as a platform runs them: it asks which may run, places their calls at its own pace, and obeys.

Whatever the pause was for, it goes on with one call and then at its usual pace: what fell due meanwhile is not made
up for. Ids are made of the campaign and the call's number, so that a restarted platform repeats none: it asks for a
hold that has ended before, sees so, and goes on to the next.
"""

import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any

from thinnest_billing.simulator.http import Answer, Request
from thinnest_billing.simulator.scripts import Desk, Script

Told = dict[str, Any]  # a campaign as the API shows it
GLANCE = 0.5  # seconds; how soon a line notices that its campaign may go on


@dataclass
class Line:
    """One campaign's telephone line. `done`: how many of its calls are over."""

    campaign: Told
    is_active: bool = True
    done: int = 0


class Dialer:
    """`begin` starts a script. `pace`: seconds from one call of a campaign to its next; `look`: from look to look."""

    def __init__(
        self,
        desk: Desk,
        begin: Callable[[Script], None],
        *,
        pace: float,
        look: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.desk, self.begin, self.pace, self.look, self.clock = desk, begin, pace, look, clock
        self.lines: dict[str, Line] = {}

    def watch(self) -> Script:
        """Ask again and again which campaigns may run. Never ends."""
        while True:
            answer = yield Request("GET", f"/campaigns?limit=100&account={self.desk.account}")
            if answer.ok:
                self.hear(answer.data["campaigns"])
            yield self.look

    def hear(self, campaigns: Iterable[Told]) -> None:
        for told in campaigns:
            is_active = told["state"] == "active"
            if told["id"] in self.lines:
                self.lines[told["id"]].is_active = is_active
            elif is_active:
                line = self.lines[told["id"]] = Line(told)
                self.begin(self.run(line))

    def run(self, line: Line) -> Script:
        """A campaign from its first call to its last, and the report that it is finished."""
        while line.done < line.campaign["calls"]:
            if not line.is_active:
                yield GLANCE
                continue
            begun = self.clock()
            outcome = yield from self.place(line)
            line.done += outcome != "refused"
            if outcome != "done before":
                yield max(0.0, begun + self.pace - self.clock())
        yield Request("POST", f"/campaigns/{line.campaign['id']}/finish", {"account": self.desk.account})

    def place(self, line: Line) -> Generator[Request | float, Answer, str]:
        """One call: `placed`, `refused`, or `done before` by an earlier run of this platform."""
        return (yield from self.desk.campaign_call(line.campaign, line.done + 1))
