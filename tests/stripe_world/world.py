"""One private Stripe account in `seahaven-stripe-world`, and what its owner and its cards' holders do there.

Everything here is the other side: what a customer, the dashboard, the card's bank or Stripe's own delivery of
events would do. The product under test speaks to the same address with its own gateway.
"""

import json
import os
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import stripe

SERVE = """
from seahaven.http import main
from seahaven_stripe_world import world
from seahaven_stripe_world.http_api import handle
main(world, handle)
"""
SECRET_KEY, WEBHOOK_SECRET = "sk_test_world", "whsec_world"
NUMBERS = {
    "ok": "4242424242424242",
    "fails_when_charged": "4000000000000341",
    "needs_confirmation": "4000002760003184",
    "insufficient": "4000000000009995",
    "lost": "4000000000009987",
    "expired": "4000000000000069",
    "disputed": "4000000000000259",
    "inquired": "4000000000001976",
    "refund_pends": "4000000000007726",
}


@contextmanager
def served() -> Iterator[str]:
    """The address of a world: STRIPE_WORLD itself, or of one started with the Python that STRIPE_WORLD names."""
    named = os.environ["STRIPE_WORLD"]
    if named.startswith("http://"):
        yield named.rstrip("/")
        return
    port = _free_port()
    process = subprocess.Popen(
        [named, "-c", SERVE, "--port", str(port), "--max-instances", "0"], stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended by itself: is the world installed there?")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("The world did not listen within 30 s.")


class World:
    """A Stripe account, empty at first."""

    def __init__(self, server: str, *, livemode: bool = False) -> None:
        self.url = f"{server}/worlds/{uuid.uuid4().hex}"
        self._http("PUT", {"startup": {"livemode": livemode}})
        self.v1 = stripe.StripeClient(SECRET_KEY, base_addresses={"api": self.url}).v1
        self._told: set[str] = set()

    def close(self) -> None:
        self._http("DELETE")

    def loose_card(self, kind: str) -> str:
        """A card that nobody saved; the ones that banks decline at once cannot be saved."""
        number = {"number": NUMBERS[kind], "exp_month": 12, "exp_year": 2034, "cvc": "123"}
        return self.v1.payment_methods.create({"type": "card", "card": number}).id  # type: ignore[typeddict-item]

    def card(self, customer: str, kind: str) -> str:
        return self.v1.payment_methods.attach(self.loose_card(kind), {"customer": customer}).id

    def events(self, *, as_they_are: bool = False) -> list[bytes]:
        """What happened since the last call, oldest first, as Stripe would POST it.

        Only the word of the version is changed: the world stamps its own, Stripe that of the endpoint, which is
        the one that our package pins. `as_they_are` leaves it.
        """
        version = {} if as_they_are else {"api_version": stripe.api_version}
        new = [event for event in self._list("/v1/events") if event["id"] not in self._told]
        self._told |= {event["id"] for event in new}
        return [json.dumps(event | version).encode() for event in reversed(new)]

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a kind, newest first: `payment_intents`, `refunds`, `disputes`, `charges`."""
        return self._list(f"/v1/{kind}")

    def _list(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            after = f"&starting_after={found[-1]['id']}" if found else ""
            page = json.loads(self._http("GET", path=f"{path}?limit=100{after}"))
            found += page["data"]
            if not page["has_more"]:
                return found

    def _http(self, method: str, body: dict[str, Any] | None = None, *, path: str = "") -> bytes:
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {SECRET_KEY}"} if path else {}
        request = urllib.request.Request(self.url + path, data=sent, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return bytes(answer.read())


def sign(body: bytes, secret: str = WEBHOOK_SECRET) -> str:
    """By Stripe's own code."""
    return stripe.WebhookSignature.generate_signature_header(body.decode(), secret)
