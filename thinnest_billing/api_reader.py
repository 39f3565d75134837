"""Reads an OpenAPI document into what the docs page shows: operations, fields, examples."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

# What the examples say where a schema only gives a type.
SPOKEN = {
    "event_id": "msg_0001", "key": "call_0001", "agent": "Customer Support", "model": "gpt-4o-mini",
    "input_tokens": 1250, "output_tokens": 340, "max_output_tokens": 500, "seconds": 252, "pages": 12,
    "amount": 25.00, "payment_method_id": "pm_abc123",
}  # fmt: skip
KINDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter or a field of a body."""

    name: str
    kind: str
    allowed: str
    about: str
    required: bool


@dataclass(frozen=True, slots=True)
class Body:
    title: str
    values: list[Value]
    example: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    description: str
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    method: str
    path: str
    summary: str
    description: str
    scope: str
    parameters: list[Value]
    headers: list[Value]
    bodies: list[Body]
    answers: list[Answer]

    @property
    def curl(self) -> str:
        """A command that says something sensible once the key is filled in."""
        query = "&".join(
            f"{value.name}={value.allowed.split()[0]}" for value in self.parameters if value.required
        )
        lines = [f'curl "{settings.SITE_URL}{self.path}{"?" + query if query else ""}"']
        if self.method != "GET":
            lines[0] = lines[0].replace("curl ", f"curl -X {self.method} ")
        lines.append('-H "Authorization: Bearer YOUR_API_KEY"')
        if self.bodies:
            sent = spoken(self.bodies[0].example)
            lines += ['-H "Content-Type: application/json"', f"-d '{sent}'"]
        return " \\\n  ".join(lines)


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    operations: list[Operation] = field(default_factory=list)


def groups(document: dict[str, Any]) -> list[Group]:
    """The operations by their first tag, in the document's order."""
    found: dict[str, Group] = {}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            name = told.get("tags", ["More"])[0]
            found.setdefault(name, Group(name)).operations.append(_operation(document, path, method, told))
    return list(found.values())


def spoken(example: Any) -> str:
    """JSON as people write amounts: 25.00, not 25.0."""
    return re.sub(r"(\d\.\d)(?=,?\n)", r"\g<1>0", json.dumps(example, indent=2, ensure_ascii=False))


def marked(text: str) -> SafeString:
    """Words between backticks become code."""
    return mark_safe(
        re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(" ".join(text.split())))
    )  # escaped above


def _operation(document: dict[str, Any], path: str, method: str, told: dict[str, Any]) -> Operation:
    scopes = [scope for entry in told.get("security", []) for names in entry.values() for scope in names]
    return Operation(
        id=told["operationId"],
        method=method.upper(),
        path=path,
        summary=told["summary"],
        description=marked(told.get("description", "")),
        scope=", ".join(scopes),
        parameters=_parameters(document, told, "query"),
        headers=_parameters(document, told, "header"),
        bodies=list(_bodies(document, told)),
        answers=list(_answers(told)),
    )


def _parameters(document: dict[str, Any], told: dict[str, Any], place: str) -> list[Value]:
    return [
        _value(
            document,
            one["name"],
            one["schema"] | {"description": one.get("description", "")},
            one["required"],
        )
        for one in told["parameters"]
        if one["in"] == place
    ]


def _bodies(document: dict[str, Any], told: dict[str, Any]) -> Iterator[Body]:
    schema = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    for one in (schema.get("oneOf") or schema.get("anyOf") or [schema]) if schema else []:
        body = _resolved(document, one)
        required = set(body.get("required", []))
        values = [
            _value(document, name, each, name in required)
            for name, each in body.get("properties", {}).items()
        ]
        yield Body(_title(body), values, body.get("example") or _example(document, body))


def _answers(told: dict[str, Any]) -> Iterator[Answer]:
    for status, answer in told["responses"].items():
        content = answer.get("content", {}).get("application/json", {})
        if status != "default":
            shown = spoken(content["example"]) if "example" in content else ""
            yield Answer(str(status), answer["description"], shown)


def _title(body: dict[str, Any]) -> str:
    """`ChatEvent` as "Chat event"."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda found: f" {found[1].lower()}", body.get("title", ""))


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follows references, and looks through "or null"."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    options = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    if len(options) == 1:
        outer = {name: value for name, value in schema.items() if name != "anyOf"}
        return _resolved(document, options[0]) | outer
    return schema


def _value(document: dict[str, Any], name: str, schema: dict[str, Any], required: bool) -> Value:
    found = _resolved(document, schema)
    return Value(
        name, _kind(document, found), _allowed(found), marked(found.get("description", "")), required
    )


def _kind(document: dict[str, Any], schema: dict[str, Any]) -> str:
    if schema.get("format") == "date-time":
        return "time"
    if schema.get("type") == "array":
        return f"list of {_kind(document, _resolved(document, schema.get('items', {})))}s"
    return KINDS.get(schema.get("type", ""), "object")


def _allowed(schema: dict[str, Any]) -> str:
    """What the schema permits, in words: `0 to 10,000,000`."""
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " or ".join(str(choice) for choice in schema["enum"] if choice != "")
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " entries"),
    ):
        if low in schema and high in schema:
            return f"{schema[low]:,} to {schema[high]:,}{unit}"
        if low in schema or high in schema:
            return f"at least {schema[low]:,}{unit}" if low in schema else f"at most {schema[high]:,}{unit}"
    return ""


def _example(document: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """The required fields, spoken; `type` first, as people write it."""
    required = [name for name in body.get("properties", {}) if name in body.get("required", [])]
    return {name: _spoken(document, name, body["properties"][name]) for name in required}


def _spoken(document: dict[str, Any], name: str, schema: dict[str, Any]) -> Any:
    found = _resolved(document, schema)
    if "const" in found:
        return found["const"]
    if name in SPOKEN:
        return SPOKEN[name]
    if "enum" in found:
        return found["enum"][0]
    kinds: dict[str, Any] = {"integer": found.get("minimum", 1), "boolean": True, "array": [], "object": {}}
    return kinds.get(found.get("type", ""), "…")
