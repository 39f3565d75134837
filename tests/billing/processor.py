"""A processor on this machine that speaks Stripe's HTTP, keeps its promises, and fails in the ways it is told to.

It knows payments by saved card, and idempotency keys: what StripeGateway needs to charge, to look and to reconcile.
A request may be stopped at a point (`stop_at`) until the test lets it go on.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Told = tuple[int, dict[str, Any]]
ERROR_400: Told = (
    400,
    {"error": {"type": "invalid_request_error", "message": "No such PaymentMethod: 'pm_1'"}},
)
ERROR_401: Told = (401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}})
ERROR_500: Told = (500, {"error": {"type": "api_error", "message": "Something went wrong on our end."}})
PATIENCE = 30.0  # seconds


class Processor:
    """`faults` are used up, one for each charge: hang, lost, 400, 500, stored 500, stored 500 but paid, html, 503.

    `stop_at`: "connected" (nothing was read), "arrived" (read, nothing done) or "done" (paid, not yet answered).
    """

    def __init__(self) -> None:
        self.payments: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, tuple[dict[str, str], Told]] = {}
        self.asked: list[tuple[str, str]] = []  # (method, path) as they came
        self.faults: deque[str] = deque()
        self.locked = False  # our credentials do not work
        self.stop_at = ""
        self.stopped, self.go_on = threading.Event(), threading.Event()
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.url = ""
        self._numbers = count(1)

    # --- what a test does ---------------------------------------------------------------------------------------

    def charges(self) -> int:
        """How often somebody asked for money."""
        return self.asked.count(("POST", "/v1/payment_intents"))

    def forget_keys(self) -> None:
        """As after a day."""
        self.keys.clear()

    def pause(self, point: str) -> bool:
        """Wait, if this is the point to stop at; whether it was."""
        is_here = point == self.stop_at
        if is_here:
            self.stop_at = ""
            self.stopped.set()
            self.go_on.wait(PATIENCE)
        return is_here

    # --- what Stripe does ---------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, wanted: dict[str, str], key: str) -> Told | None:
        """Status and body; None: the connection breaks."""
        self.asked.append((method, path))
        if self.locked:
            return ERROR_401
        fault = (
            self.faults.popleft() if (method, path) == ("POST", "/v1/payment_intents") and self.faults else ""
        )
        self.pause("arrived")
        if fault == "hang":
            self.closing.wait(PATIENCE)
            return None
        if fault in ("500", "503"):
            return int(fault), ERROR_500[1]
        if fault == "400":
            return ERROR_400
        if fault == "html":
            return 502, {}
        told = self.once(key, wanted, path, method, fault)
        self.pause("done")
        return None if fault == "lost" else told

    def once(self, key: str, wanted: dict[str, str], path: str, method: str, fault: str) -> Told:
        with self.lock:
            if key not in self.keys:
                told = self.act(method, path, wanted) if fault != "stored 500" else ERROR_500
                told = ERROR_500 if fault == "stored 500 but paid" else told
                if key:
                    self.keys[key] = (wanted, told)
                return told
            first, told = self.keys[key]
        if first != wanted:
            error = {
                "type": "idempotency_error",
                "message": "Keys for idempotent requests can only be used once.",
            }
            return 400, {"error": error}
        return told

    def act(self, method: str, path: str, wanted: dict[str, str]) -> Told:
        parts = path.strip("/").split("/")[1:]
        if parts == ["payment_intents"] and method == "POST":
            return 200, self.pay(wanted)
        if parts == ["payment_intents"]:
            return 200, self.listed(wanted)
        if parts[0] == "payment_intents" and parts[1] in self.payments:
            return 200, self.payments[parts[1]]
        if parts == ["refunds"] and method == "GET":
            return 200, page("/v1/refunds", [])
        if parts == ["account"]:
            return 200, {"id": "acct_test", "object": "account"}
        message = f"No such object: {path}"
        return 404, {
            "error": {"type": "invalid_request_error", "code": "resource_missing", "message": message}
        }

    def pay(self, wanted: dict[str, str]) -> dict[str, Any]:
        number, at = next(self._numbers), int(time.time())
        amount = int(wanted["amount"])
        made: dict[str, Any] = {
            "id": f"pi_{number}", "object": "payment_intent", "status": "succeeded", "amount": amount,
            "amount_received": amount, "currency": wanted["currency"], "customer": wanted["customer"],
            "payment_method": wanted["payment_method"], "description": wanted.get("description"),
            "metadata": {name[9:-1]: value for name, value in wanted.items() if name.startswith("metadata[")},
            "last_payment_error": None, "next_action": None, "created": at, "livemode": False,
            "canceled_at": None, "cancellation_reason": None, "latest_charge": charge(number, amount, at),
        }  # fmt: skip
        self.payments[made["id"]] = made
        return made

    def listed(self, wanted: dict[str, str]) -> dict[str, Any]:
        rows = [
            row
            for row in reversed(self.payments.values())
            if wanted.get("customer") in (None, row["customer"])
        ]
        return page("/v1/payment_intents", rows)


def charge(number: int, amount: int, at: int) -> dict[str, Any]:
    card = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034}
    return {
        "id": f"ch_{number}", "object": "charge", "amount": amount, "amount_refunded": 0, "refunded": False,
        "status": "succeeded", "created": at, "receipt_url": f"https://pay.stripe.com/receipts/ch_{number}",
        "payment_method_details": {"type": "card", "card": card}, "payment_intent": f"pi_{number}",
        "disputed": False, "paid": True, "livemode": False, "metadata": {},
    }  # fmt: skip


def page(url: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "url": url, "has_more": False, "data": rows}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    processor: Processor

    def handle(self) -> None:
        if not self.processor.pause("connected"):  # else nobody ever reads what was sent
            super().handle()

    def carry(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        wanted = dict(parse_qsl(body or address.query))
        key = self.headers.get("Idempotency-Key", "")
        told = self.processor.answer(self.command, address.path, wanted, key)
        if told is None:
            self.close_connection = True
            return
        status, content = told
        self.tell(status, json.dumps(content).encode() if content else b"<html>Bad gateway</html>")

    def tell(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if content[:1] == b"{" else "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Request-Id", "req_test")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = carry

    def log_message(self, *_: object) -> None:
        """Quietly."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def handle_error(self, *_: object) -> None:
        """Whoever asked was killed meanwhile."""


@contextmanager
def running() -> Iterator[Processor]:
    processor = Processor()
    server = Server(("127.0.0.1", 0), type("Handler", (Handler,), {"processor": processor}))
    processor.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield processor
    finally:
        processor.closing.set()
        processor.go_on.set()
        server.shutdown()
        server.server_close()
