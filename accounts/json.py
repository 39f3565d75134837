"""JSON as the API reads and writes it: numbers are Decimals, exact in both directions, never floats.

Reading is strict: what two parsers could understand differently (repeated keys, NaN, integers over 18 digits)
or what PostgreSQL could not store (NUL, lone surrogates) is refused before anything looks at it.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring  # the C escaper; leaves non-ASCII as UTF-8
from typing import Any
from uuid import UUID

from accounts.errors import InvalidJson

MAX_DEPTH = 8
MAX_DIGITS = 18
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def dumps(data: object) -> bytes:
    """UTF-8 JSON. Decimals come out as plain numbers, digit for digit; a float is a TypeError."""
    return _write(data).encode()


def timestamp(moment: datetime) -> str:
    """`2026-03-05T10:30:00Z`; fractions only where there are some."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _write(value: object) -> str:
    kind = type(value)
    writer = _WRITERS.get(kind)
    if writer is not None:
        return writer(value)
    for base, writer in _WRITERS.items():
        if isinstance(value, base):
            return writer(value)
    raise TypeError(f"{kind.__name__} cannot be written as JSON")


def _write_dict(value: dict[str, object]) -> str:
    return "{" + ",".join([f"{encode_basestring(name)}:{_write(item)}" for name, item in value.items()]) + "}"


def _write_list(value: list[object]) -> str:
    return "[" + ",".join([_write(item) for item in value]) + "]"


def _write_decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise TypeError(f"{value} cannot be written as JSON")
    return format(value, "f")


# bool before int: it is an int's subclass, and exact types are looked up first.
_WRITERS: dict[type, Callable[..., str]] = {
    str: encode_basestring,
    Decimal: _write_decimal,
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    type(None): lambda value: "null",
    dict: _write_dict,
    list: _write_list,
    tuple: _write_list,
    datetime: lambda value: f'"{timestamp(value)}"',
    date: lambda value: f'"{value.isoformat()}"',
    UUID: lambda value: f'"{value}"',
}


def loads(raw: bytes) -> object:
    """The value behind the bytes, or InvalidJson with a sentence that says what is wrong."""
    try:
        value = _decoder.decode(raw.decode())
    except UnicodeDecodeError:
        raise InvalidJson("The body is not valid UTF-8.") from None
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidJson(f"{error.msg.rstrip(':')} at {where}.") from None
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_too_deep(value):
        raise _too_deep()
    if b"\\u" in raw and any(_UNSTORABLE.search(text) for text in _texts(value)):
        raise InvalidJson("Texts may contain neither NUL (\\u0000) nor half of a surrogate pair.")
    return value


def _too_deep() -> InvalidJson:
    return InvalidJson(f"The body is nested too deeply: at most {MAX_DEPTH} levels of objects and lists.")


def _inside(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _is_too_deep(value: object) -> bool:
    """Level by level, not recursively: the parser's own recursion limit lies far above ours."""
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _inside(node) if type(child) in (dict, list)]
    return bool(level)


def _texts(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            yield from node
        waiting.extend(_inside(node))


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise InvalidJson(f"{text[:24]}… is too long a number: integers have at most {MAX_DIGITS} digits.")
    return int(text)


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond what Decimal itself can hold
        raise InvalidJson(f"{text[:24]}… is not a number that can be read exactly.") from None


def _constant(text: str) -> None:
    raise InvalidJson(f"{text} is not a JSON number.")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJson(f"The field {twice[:80]!r} appears more than once.")
    return found


_decoder = json.JSONDecoder(
    parse_int=_integer, parse_float=_number, parse_constant=_constant, object_pairs_hook=_unique
)
