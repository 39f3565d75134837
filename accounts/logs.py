"""Logs as one JSON object a line, each with the id of the request (or task) that caused it.

Nothing here prints headers, bodies or query strings, so keys and tokens stay out of the logs.
"""

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime

# The part of an address that signs in whoever has it: links of letters, as Django logs the pages that failed.
SECRET = re.compile(r"(?<=/)[^/\s]*[:-][\w:-]{20,}(?=/|\s|$)")
request_id: ContextVar[str] = ContextVar("request_id", default="-")


def current_request_id() -> str:
    """The id to pass on to a task; "-" outside of any request."""
    return request_id.get()


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": getattr(record, "request_id", "-"),
            "message": SECRET.sub("…", record.getMessage()),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)
