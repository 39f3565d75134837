"""Plays scripts against the API: many at once on one connection, repeating what got lost, obeying refusals."""

import heapq
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from thinnest_billing.simulator.campaigns import Dialer
from thinnest_billing.simulator.http import Answer, Api, Request, Unreachable
from thinnest_billing.simulator.scripts import Desk, Script

STOPS = ("insufficient_balance", "spending_frozen")  # nothing new is started until authorize says otherwise
LONGEST_PAUSE = 30.0  # seconds
WRONG = (401, 404)  # of the first request: the key or the account is a mistake


class NotAccepted(Exception):
    """The server does not know this key or account: there is nothing to wait for."""


class Platform:
    """`rate`: pieces of work begun a second. `patience`: the first pause after a refusal, doubling up to 30 s.

    `pace`: seconds between two calls of a campaign; `look`: between two questions which campaigns may run.
    """

    def __init__(
        self,
        api: Api,
        desk: Desk,
        *,
        rate: float,
        patience: float = 1.0,
        pace: float = 60.0,
        look: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.api, self.desk, self.rate, self.clock = api, desk, rate, clock
        self.patience = self.pause = patience
        self.waiting: list[tuple[float, int, Script, Request | None]] = []
        self.turns = 0
        self.holds: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.spent = Decimal(0)
        self.balance: str | None = None
        self.next_start = clock()
        self.next_question: float | None = None  # when to ask whether anything may start; None: it may
        self.resting_until = 0.0  # nobody says anything before: the server is away, or said 429
        self.dialer = Dialer(desk, self._begin, pace=pace, look=look, clock=clock)
        self._begin(self.dialer.watch())

    # --- the loop ---------------------------------------------------------------------------------------------

    def step(self) -> float:
        """Do what is due and say how many seconds there is nothing to do. Raises NotAccepted."""
        now = self.clock()
        if now < self.resting_until:
            return self.resting_until - now
        if self.next_question is not None and self.next_question <= now:
            self._ask()
        elif self.waiting and self.waiting[0][0] <= now:
            _, _, script, request = heapq.heappop(self.waiting)
            self._go_on(script, request)
        elif self.next_question is None and self.next_start <= now:
            self.next_start = max(self.next_start + 1 / self.rate, now - 1)
            self.counts["started"] += 1
            self._go_on(self.desk.next(), None)
        return max(0.0, min(self._due_times()) - self.clock())

    def _due_times(self) -> list[float]:
        upcoming = self.next_start if self.next_question is None else self.next_question
        return [upcoming, *(entry[0] for entry in self.waiting[:1])]

    def finish(self) -> None:
        """Give back what is held for work that will not be done. Does not insist: holds expire by themselves."""
        with suppress(Unreachable):
            for hold in sorted(self.holds):
                body = {"account": self.desk.account}
                answer = self.api.send(Request("POST", f"/holds/{hold}/release", body))
                self.counts["released"] += answer.ok
        self.api.close()

    def summary(self) -> dict[str, Any]:
        named = ("started", "recorded", "refused", "frozen", "limited", "lost", "released")
        return {name: self.counts[name] for name in named} | {
            "spent": f"{self.spent:f}",
            "balance": self.balance,
        }

    # --- playing one script -------------------------------------------------------------------------------------

    def _go_on(self, script: Script, request: Request | None) -> None:
        """Send the script's next request, or the one that got lost, and go on to its next pause."""
        try:
            wanted = request if request is not None else next(script)
            while isinstance(wanted, Request):
                answer = self._send(wanted)
                if answer is None:
                    self._later(script, wanted, self.resting_until)
                    return
                wanted = script.send(answer)
            self._later(script, None, self.clock() + wanted)
        except StopIteration:
            pass

    def _begin(self, script: Script) -> None:
        self._later(script, None, self.clock())

    def _later(self, script: Script, request: Request | None, at: float) -> None:
        self.turns += 1
        heapq.heappush(self.waiting, (at, self.turns, script, request))

    def _send(self, request: Request) -> Answer | None:
        """The answer, understood; None where the same must be sent again later."""
        try:
            answer = self.api.send(request)
        except Unreachable:
            self._try_later("lost")
            return None
        if answer.status == 429 or answer.status >= 500:
            self._try_later("limited" if answer.status == 429 else "lost", at_least=answer.retry_after)
            return None
        if answer.status in WRONG and not self.counts["answered"]:
            raise NotAccepted(str(answer.data.get("detail", f"The server answered {answer.status}.")))
        self.counts["answered"] += 1
        self._understand(request, answer)
        return answer

    def _try_later(self, why: str, *, at_least: float = 0.0) -> None:
        self.counts[why] += 1
        self.resting_until = self.clock() + max(at_least, self._next_pause())

    def _next_pause(self) -> float:
        """Each longer than the one before, until something is recorded again."""
        pause, self.pause = self.pause, min(self.pause * 2, LONGEST_PAUSE)
        return pause

    # --- understanding answers ----------------------------------------------------------------------------------

    def _understand(self, request: Request, answer: Answer) -> None:
        path = urlsplit(request.path).path
        for result in answer.data.get("results", [answer.data | {"status": answer.status}]):
            if result["status"] < 300:
                self._count(result)
            elif result.get("code") in STOPS and not path.endswith("/extend"):
                self._stop(str(result["code"]))
        if path == "/holds" and answer.ok:
            self.holds.add(answer.data["id"])
        elif path.endswith("/capture") and answer.status < 500:
            self.holds.discard(path.split("/")[2])

    def _count(self, result: dict[str, Any]) -> None:
        if "cost_exact" not in result:
            return
        self.pause = self.patience
        self.spent += Decimal(result["cost_exact"])
        self.balance = result["balance_exact"]
        self.counts["recorded"] += 1

    def _stop(self, code: str) -> None:
        """Start nothing new, and ask again later: each time later, until something is recorded."""
        self.counts["frozen" if code == "spending_frozen" else "refused"] += 1
        if self.next_question is None:
            self.next_question = self.clock() + self._next_pause()

    def _ask(self) -> None:
        self.next_question = None
        answer = self._send(Request("GET", f"/authorize?type=chat&account={self.desk.account}"))
        if answer is None:
            self.next_question = self.resting_until
        elif answer.ok:
            self.next_start = self.clock()
