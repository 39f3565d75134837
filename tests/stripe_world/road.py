"""The road between the product and the world: what is asked arrives, and answers may get lost or come late.

It can also leave out a parameter that the world does not know, so that the rest of the request is tried.
"""

import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode

KEPT = ("authorization", "content-type", "idempotency-key", "stripe-version")


class Road:
    """A proxy before one world. The product keeps `url` as Stripe's address."""

    def __init__(self, world_url: str) -> None:
        self.without = ""  # a parameter of forms that does not arrive
        self.losing = 0  # how many answers to POSTs get lost, after the world has done what was asked
        self.meanwhile: Callable[[], None] | None = None  # done between the world's answer and its arrival
        self.passed: list[tuple[str, str]] = []  # path and key of each POST that the world answered
        road = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _forward(self) -> None:
                body = road._form(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                headers = {name: self.headers[name] for name in KEPT if name in self.headers}
                status, answer = _ask(self.command, world_url + self.path, body or None, headers)
                if self.command == "POST" and road._loses(self.path, headers.get("idempotency-key", "")):
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_DELETE = _forward

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _form(self, body: bytes) -> bytes:
        sent = parse_qsl(body.decode())
        return urlencode([(name, value) for name, value in sent if name != self.without]).encode()

    def _loses(self, path: str, key: str) -> bool:
        self.passed.append((path, key))
        if (act := self.meanwhile) is not None:
            self.meanwhile = None
            act()
        self.losing -= 1
        return self.losing >= 0

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _ask(method: str, url: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()
