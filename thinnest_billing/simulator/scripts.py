"""What a platform says about one piece of work: generators that yield requests and pauses, and get answers.

    answer = yield Request(...)   # sent, and repeated until it is answered
    yield 2.5                     # seconds of work

A script returns when its work is over or was refused; it never needs to repeat anything itself.
"""

from collections.abc import Generator
from random import Random
from typing import Any

from thinnest_billing.demo import work
from thinnest_billing.demo.work import AGENTS, Work
from thinnest_billing.simulator.http import Answer, Request

Script = Generator[Request | float, Answer, None]
CALL_SPEED = 20  # a call's seconds in one of ours
FIRST_HOLD = 120  # seconds of a call that are held before it is placed
MORE = 120  # seconds that are held at a time while it lasts
MINUTE = 60  # seconds of a campaign's call that are held at a time: what a running campaign can always afford
MIX = {"held_chat": 120, "asked_chat": 76, "call": 2, "documents": 2}


class Desk:
    """Writes the scripts of one run, each with ids that no other run uses."""

    def __init__(self, account: str, run: str, draw: Random) -> None:
        self.account, self.run, self.draw = account, run, draw
        self.number = 0

    def next(self) -> Script:
        (name,) = self.draw.choices(list(MIX), weights=list(MIX.values()))
        script: Script = getattr(self, name)()
        return script

    def held_chat(self) -> Script:
        """The recommended flow: hold, answer, capture what it really took."""
        message = work.live_chat(self.draw)
        hold = yield self._hold(message, max_output_tokens=message["output_tokens"] * 2)
        if hold.ok:
            yield self.draw.uniform(0.5, 3.0)
            quantities = ("input_tokens", "output_tokens", "retrieval_queries")
            yield self._capture(hold, {name: message[name] for name in quantities})

    def asked_chat(self) -> Script:
        """Second best: ask whether anything may start, and record what was done."""
        message = work.live_chat(self.draw)
        allowed = yield Request("GET", f"/authorize?type=chat&account={self.account}")
        if allowed.ok:
            yield self.draw.uniform(0.5, 2.0)
            yield self._post("/usage?expand=exact", message | {"event_id": self._id(), "on_short": "record"})

    def call(self) -> Script:
        """Held two minutes at a time; the call ends where no more can be held."""
        call = work.call(self.draw.choice([agent for agent in AGENTS if agent.calls]), self.draw)
        hold = yield self._hold(call, seconds=FIRST_HOLD)
        if hold.ok:
            spoken = yield from self._speak(call["seconds"], hold, held=FIRST_HOLD, more=MORE)
            yield self._capture(hold, call | {"seconds": spoken})

    def campaign_call(self, campaign: dict[str, Any], number: int) -> Generator[Request | float, Answer, str]:
        """The numbered call of a campaign, held a minute at a time: `placed`, `refused` or `done before`."""
        name = f"{campaign['id']}-{number}"
        about = {"type": "voice", "agent": campaign["agent_id"], "seconds": MINUTE, "key": name}
        hold = yield self._post("/holds", about)
        if not hold.ok:
            return "refused"
        if hold.data["state"] != "open":
            return "done before"
        call = work.campaign_call(campaign["seconds_per_call"], self.draw)
        spoken = yield from self._speak(call["seconds"], hold, held=MINUTE, more=MINUTE)
        yield self._capture(hold, call | {"seconds": spoken}, event_id=name)
        return "placed"

    def _speak(
        self, wanted: int, hold: Answer, *, held: int, more: int
    ) -> Generator[Request | float, Answer, int]:
        """How many seconds were spoken: as many as wanted, or as could be held."""
        spoken = 0
        while True:
            yield (min(wanted, held) - spoken) / CALL_SPEED
            spoken = min(wanted, held)
            if spoken == wanted:
                return spoken
            answer = yield self._post(f"/holds/{hold.data['id']}/extend", {"seconds": held + more})
            if not answer.ok:
                return spoken
            held += more

    def documents(self) -> Script:
        """An upload of several documents, reported as one batch."""
        agents = [agent for agent in AGENTS if agent.documents]
        found = [work.document(self.draw.choice(agents), self.draw) for _ in range(self.draw.randint(1, 2))]
        events = [document | {"event_id": self._id(), "account": self.account} for document in found]
        yield Request("POST", "/usage/batch?expand=exact", {"events": events})

    def _hold(self, of: Work, **asked: int) -> Request:
        wanted = ("type", "agent", "model", "input_tokens", "retrieval_queries")
        return self._post(
            "/holds", {name: of[name] for name in wanted if name in of} | asked | {"key": self._id()}
        )

    def _capture(self, hold: Answer, used: dict[str, Any], *, event_id: str = "") -> Request:
        left = {name: value for name, value in used.items() if name not in ("type", "agent")}
        left["event_id"] = event_id or self._id()
        return self._post(f"/holds/{hold.data['id']}/capture?expand=exact", left)

    def _post(self, path: str, body: dict[str, Any]) -> Request:
        return Request("POST", path, body | {"account": self.account})

    def _id(self) -> str:
        self.number += 1
        return f"{self.run}-{self.number}"
