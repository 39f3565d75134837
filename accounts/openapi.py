"""The OpenAPI document, told fully: the scope of each operation, its answers by example, problems everywhere."""

from decimal import Decimal
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

PROBLEM = {
    "description": "RFC 9457 problem details. `code` names the reason; some reasons add members of their own.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
REFUSED = {
    "description": "Refused; nothing changed.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def answers(examples: dict[int, object]) -> dict[str, Any]:
    """`openapi_extra=` of an operation: what it answers, by status. None stands for an empty body."""
    return {"responses": {status: _by_example(status, body) for status, body in examples.items()}}


def _by_example(status: int, body: object) -> dict[str, Any]:
    described = {"description": {201: "Created", 202: "Accepted", 204: "Yes"}.get(status, "OK")}
    if body is None:
        return described
    schema = {"type": "object"}
    return described | {"content": {"application/json": {"schema": schema, "example": _plain(body)}}}


def _plain(value: Any) -> Any:
    """The document itself is written by ninja, which knows no Decimals."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


class Document(OpenAPISchema):
    def operation_security(self, operation: Operation) -> list[dict[str, Any]] | None:
        found = super().operation_security(operation)
        scopes = [auth.scope for auth in operation.auth_callbacks if hasattr(auth, "scope")]
        return [dict.fromkeys(entry, scopes) for entry in found] if found else found

    def responses(self, operation: Operation) -> dict[Any, Any]:
        told = (operation.openapi_extra or {}).get("responses")
        return ({} if told else super().responses(operation)) | {"default": REFUSED}

    def get_components(self) -> dict[str, Any]:
        self.schemas["Problem"] = PROBLEM
        return super().get_components()


class Api(NinjaAPI):
    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        return Document(self, self.get_root_path(path_params or {}) if path_prefix is None else path_prefix)
