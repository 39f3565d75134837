"""How requests become Django's."""

from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest


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


class Handler(WSGIHandler):
    request_class = Request
