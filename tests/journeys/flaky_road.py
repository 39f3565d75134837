"""A road to a server on which every third answer gets lost after the server did what was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Road(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    beyond = ""
    carried = 0

    def carry(self) -> None:
        kind = type(self)
        kind.carried += 1
        is_lost = kind.carried % 3 == 0
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = HTTPConnection(kind.beyond, timeout=10)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if is_lost:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = carry

    def log_message(self, *_: object) -> None:
        """Quietly."""


@contextmanager
def flaky_road(url: str) -> Iterator[str]:
    class ThisRoad(Road):
        beyond = urlsplit(url).netloc

    server = ThreadingHTTPServer(("127.0.0.1", 0), ThisRoad)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
