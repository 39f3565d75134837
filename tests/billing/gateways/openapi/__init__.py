"""Whether Stripe's own document allows a request: names, types, values and what is required."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs

DOCUMENT = json.loads(Path(__file__).with_name("stripe.json").read_text())


def check(method: str, path: str, form: str) -> None:
    """Raises jsonschema_rs.ValidationError, or AssertionError for an operation that we never meant to use.

    `form`: the query of a GET, the body of a POST, as it travels.
    """
    schema = DOCUMENT["operations"][operation(method, path)]
    wanted = typed(unflattened(parse_qsl(form, keep_blank_values=True)), schema)
    jsonschema_rs.validate(schema, wanted)


def operation(method: str, path: str) -> str:
    """The name in the document of what a path asks for; a fixed part goes before a variable one."""
    for name in sorted(DOCUMENT["operations"], key=lambda name: name.count("{")):
        verb, template = name.split()
        parts, wanted = path.split("/"), template.split("/")
        if verb == method and len(parts) == len(wanted) and all(map(fits, wanted, parts)):
            return str(name)
    raise AssertionError(f"Stripe's document has no {method} {path}")


def fits(wanted: str, part: str) -> bool:
    return wanted == part or (wanted.startswith("{") and bool(part))


def unflattened(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[b][0]=c` as {"a": {"b": ["c"]}}."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = name.replace("]", "").split("[")
        inner = root
        for step in path:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return {name: with_lists(value) for name, value in root.items()}


def with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: with_lists(one) for name, one in value.items()}
    return list(inner.values()) if inner and all(map(str.isdigit, inner)) else inner


def typed(value: Any, schema: dict[str, Any]) -> Any:
    """A form knows only text: what reads as the number or the boolean that the document wants becomes one."""
    choices = schema.get("anyOf", [schema])
    if isinstance(value, list):
        items = next((one["items"] for one in choices if one.get("type") == "array"), {})
        return [typed(one, items) for one in value]
    if isinstance(value, dict):
        inner = next((one for one in choices if one.get("type") == "object"), {})
        return {name: typed(one, of_property(inner, name)) for name, one in value.items()}
    types = {one.get("type") for one in choices}
    if "integer" in types and value.lstrip("-").isdigit():
        return int(value)
    return value == "true" if "boolean" in types and value in ("true", "false") else value


def of_property(schema: dict[str, Any], name: str) -> dict[str, Any]:
    others = schema.get("additionalProperties")
    found = schema.get("properties", {}).get(name, others)
    return found if isinstance(found, dict) else {}
