"""A platform that spends and somebody who pays, over HTTP; and what they were told."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from thinnest_billing.simulator.http import Api, Request, Unreachable

MESSAGE = {"type": "chat", "model": "gpt-4o", "input_tokens": 1000, "output_tokens": 200}


@dataclass
class Traffic:
    """`account` is what `create_account --json` prints."""

    url: str
    account: dict[str, Any]
    told: list[str] = field(
        default_factory=list
    )  # events that were answered 201, in the order of the answers
    paid: list[str] = field(default_factory=list)  # top-ups that were answered "succeeded"

    @contextlib.contextmanager
    def flowing(self) -> Iterator[None]:
        over = threading.Event()
        acts = (self.spend, self.spend, self.pay)
        threads = [threading.Thread(target=repeat, args=(act, over, self.url, self.account)) for act in acts]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def spend(self, api: Api) -> None:
        event = uuid4().hex
        if api.send(Request("POST", "/usage", MESSAGE | {"event_id": event})).status == 201:
            self.told.append(event)

    def pay(self, api: Api) -> None:
        amount = 5 + len(self.paid) / 100  # the same again within a minute would be one payment
        wanted = {"amount": amount, "payment_method_id": self.account["payment_method_id"]}
        answer = api.send(Request("POST", "/topup", wanted))
        if answer.data.get("status") == "succeeded":
            self.paid.append(str(answer.data["id"]))
        time.sleep(0.2)

    def send_again(self) -> None:
        """Every event that was ever answered, under its own id: what is there already is not charged twice."""
        api = Api(self.url, self.account["api_key"])
        for event in self.told:
            answer = api.send(Request("POST", "/usage", MESSAGE | {"event_id": event}))
            if answer.status != 201:
                raise SystemExit(f"Event {event}, sent again, was answered {answer.status}: {answer.data}")
        api.close()


def repeat(act: Any, over: threading.Event, url: str, account: dict[str, Any]) -> None:
    api = Api(url, account["api_key"])
    while not over.wait(0.01):
        with contextlib.suppress(Unreachable):
            act(api)
