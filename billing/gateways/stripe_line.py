"""The line to Stripe: while Stripe hangs, a few threads of a process wait for it and the others go on serving usage."""

import threading
from collections.abc import Mapping
from typing import Any

import stripe

CALLS = 2  # at a time and process: half of the four threads that the shipped web command gives each
PATIENCE = 1.0  # seconds for one of them to end


class NarrowLine(stripe.RequestsClient):
    """Stripe's own client, for a few calls at a time. Whoever finds the line busy hears that nobody knows the outcome,
    as with any call that failed on its way: the row stays open, and worker and sweep ask again."""

    def __init__(self, *, timeout: float) -> None:
        super().__init__(timeout=timeout)
        self.calls = threading.BoundedSemaphore(CALLS)

    def request(  # type: ignore[override]  # as of the client that it narrows
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        if not self.calls.acquire(timeout=PATIENCE):
            said = f"{CALLS} calls wait for Stripe already."
            raise stripe.APIConnectionError(said, should_retry=False)  # type: ignore[no-untyped-call]
        try:
            return super().request(method, url, headers, post_data)
        finally:
            self.calls.release()
