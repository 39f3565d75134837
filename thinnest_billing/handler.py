"""How requests become Django's."""

from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

ASKED_BY_ADDRESS = frozenset(("/healthz", "/readyz", "/metrics"))


class Request(WSGIRequest):
    """Django reads the query string in the charset of the Content-Type, while it makes the request.

    What it refuses there (rot13, or too many fields) nobody catches. Without the charset it is read later, as UTF-8.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        try:
            super().__init__(environ)
        except (LookupError, UnicodeError, SuspiciousOperation):
            self.__dict__.clear()  # it remembers the charset
            super().__init__(environ | {"CONTENT_TYPE": environ["CONTENT_TYPE"].partition(";")[0]})

    def get_host(self) -> str:
        """Load balancers and Prometheus ask this machine by its address, which ALLOWED_HOSTS need not name."""
        return "localhost" if self.path_info in ASKED_BY_ADDRESS else super().get_host()


class Handler(WSGIHandler):
    request_class = Request
