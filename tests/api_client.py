"""A caller of the API: sends JSON with a Bearer key, reads numbers as Decimals."""

import json
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.test import Client


class ApiClient:
    """`raise_request_exception` stays off: a 500 must arrive as a problem, as it would in real life."""

    def __init__(self) -> None:
        self.client = Client(raise_request_exception=False)

    def get(self, path: str, *, key: str | None = None, **headers: str) -> HttpResponse:
        return self.client.get(path, headers=_headers(key, headers))

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> HttpResponse:
        return self.send("POST", path, body, key=key, **headers)

    def send(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str
    ) -> HttpResponse:
        """`body` goes out as it is when it is text or bytes, else as JSON."""
        raw = body if isinstance(body, str | bytes) else json.dumps(body, default=_exact)
        kind = headers.pop("content_type", "application/json")
        return self.client.generic(method, path, raw, content_type=kind, headers=_headers(key, headers))


def read(response: HttpResponse) -> Any:
    """The answer's JSON with exact numbers."""
    return json.loads(response.content, parse_float=Decimal)


def _headers(key: str | None, more: dict[str, str]) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return named | ({"Authorization": f"Bearer {key}"} if key else {})


def _exact(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value).__name__)
