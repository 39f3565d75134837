"""How the reading half of the API understands a query: nothing unknown, nothing twice, every refusal by name."""

import re
from collections.abc import Iterable
from datetime import date

from django.http import HttpRequest

from accounts.errors import Invalid

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def only(request: HttpRequest, *allowed: str) -> None:
    """A misspelt filter must not answer as if it had filtered. Raises Invalid."""
    unknown = [name for name in request.GET if name not in allowed]
    twice = [name for name in request.GET if name in allowed and len(request.GET.getlist(name)) > 1]
    errors = [(name, f"Not known here. Use {', '.join(allowed)}.") for name in unknown]
    errors += [(name, "Send this once.") for name in twice]
    if errors:
        found = [{"pointer": _pointer(name), "detail": detail} for name, detail in errors[:20]]
        raise Invalid("See `errors`: each names a query parameter.", errors=found)


def words(name: str, text: str, *, allowed: Iterable[str]) -> set[str]:
    """A comma-separated choice, such as expand=exact,daily. Raises Invalid."""
    asked = {word for word in text.split(",") if word}
    choices = list(allowed)
    if not asked <= set(choices):
        raise Invalid.at(f"/{name}", f"Use any of {', '.join(choices)}, separated by commas.")
    return asked


def day(name: str, text: str | None) -> date | None:
    try:
        if text is None:
            return None
        if not DATE.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid.at(f"/{name}", "Send a day such as 2026-03-05.") from None


def days(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    """`from` and `to`, both included. Raises Invalid."""
    since, until = day("from", first), day("to", last)
    if since and until and since > until:
        raise Invalid.at("/to", "Send a day that is not before `from`.")
    return since, until


def _pointer(name: str) -> str:
    """RFC 6901; what was sent is not repeated at any length."""
    return "/" + name[:40].replace("~", "~0").replace("/", "~1")
