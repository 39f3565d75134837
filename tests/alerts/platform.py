"""A platform that listens: a real HTTPS server on this machine, in whatever mood a test wants it."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

from accounts.models import ApiKey
from alerts import signing
from alerts.models import Endpoint
from tests import factories


@dataclass
class Platform:
    """`heard`: headers and body of every request. `mood`: a status to answer, or "hang", or "drip"."""

    port: int = 0
    mood: int | str = 200
    says: bytes = b""
    location: str = ""
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/hooks?from=billing"

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.heard]


@contextmanager
def listening(authority: trustme.CA, *, host: str = "localhost") -> Iterator[Platform]:
    platform = Platform()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(platform))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    platform.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()


def _handler(platform: Platform) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            platform.heard.append(({name.lower(): text for name, text in self.headers.items()}, body))
            if platform.mood == "hang":
                time.sleep(30)
            elif platform.mood == "drip":
                self._drip()
            else:
                self._answer(int(platform.mood))

        def _answer(self, status: int) -> None:
            self.send_response(status)
            if platform.location:
                self.send_header("Location", platform.location)
            self.send_header("Content-Length", str(len(platform.says)))
            self.end_headers()
            self.wfile.write(platform.says)

        def _drip(self) -> None:
            """A header that never ends, a byte at a time: every single read is quick."""
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            for _ in range(300):
                try:
                    self.wfile.write(b"a")
                except OSError:
                    return
                time.sleep(0.1)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def clock() -> datetime:
    return datetime.now(UTC)


def endpoint(url: str, *, name: str = "calls") -> Endpoint:
    factories.key(None)
    row = ApiKey.objects.latest("id")
    ApiKey.objects.filter(pk=row.pk).update(name=name)
    return Endpoint.objects.create(
        api_key=row, url=url, secret=signing.new_secret(), created_at=factories.BIRTHDAY
    )


def trust(authority: trustme.CA, folder: Path) -> str:
    """The file that SSL_CERT_FILE names."""
    path = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
