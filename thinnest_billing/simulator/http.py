"""The platform's side of the HTTP API: one kept connection, JSON in and out, exact numbers."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 10.0  # seconds


class Unreachable(Exception):
    """No answer: whether the request arrived is unknown, so it must be one that may be repeated."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str  # below /billing/v3
    body: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    data: dict[str, Any] = field(default_factory=dict)
    retry_after: float = 0.0  # seconds

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def code(self) -> str:
        return str(self.data.get("code", ""))


class Api:
    """`url` is the server's, `key` a platform's or an account's."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self.connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
        self.root = f"{parts.path.rstrip('/')}/billing/v3"
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def send(self, request: Request) -> Answer:
        """The server's answer, whatever it is. Raises Unreachable."""
        body = None if request.body is None else json.dumps(request.body)
        try:
            self.connection.request(request.method, self.root + request.path, body, self.headers)
            response = self.connection.getresponse()
            raw = response.read()
            wait = response.headers.get("Retry-After", "")
        except (OSError, HTTPException) as error:
            self.close()
            raise Unreachable(str(error) or type(error).__name__) from error
        return Answer(response.status, _read(raw), float(wait) if wait.isdecimal() else 0.0)

    def close(self) -> None:
        """The next request connects anew."""
        self.connection.close()


def _read(raw: bytes) -> dict[str, Any]:
    """Something between us and the server may answer with a page of HTML."""
    try:
        data = json.loads(raw, parse_float=Decimal) if raw else {}
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
