"""The OpenAPI document, told fully: the scope of each operation, its answers by example, problems everywhere."""

from collections.abc import Mapping
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

Examples = Mapping[str, Mapping[int, Any]]  # by "POST /v3/usage", by status; None is an empty body

DONE = {201: "Created", 202: "Accepted, not done yet", 204: "Yes"}
TEXT = {"type": "string"}
PROBLEM = {
    "description": "RFC 9457 problem details. `code` names the reason; some reasons add members of their own.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": TEXT | {"format": "uri"},
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "code": TEXT,
        "request_id": TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": TEXT, "detail": TEXT},
            },
        },
    },
}
REFUSED = {
    "description": "Refused; nothing changed.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


class Document(OpenAPISchema):
    api: "Api"

    def operation_security(self, operation: Operation) -> list[dict[str, Any]] | None:
        found = super().operation_security(operation)
        scopes = [auth.scope for auth in operation.auth_callbacks if hasattr(auth, "scope")]
        return [dict.fromkeys(entry, scopes) for entry in found] if found else found

    def operation_parameters(self, operation: Operation) -> list[dict[str, Any]]:
        """Headers under the names they travel by."""
        found = super().operation_parameters(operation)
        for parameter in found:
            if parameter["in"] == "header":
                parameter["name"] = parameter["name"].replace("_", "-").title()
        return found

    def responses(self, operation: Operation) -> dict[Any, Any]:
        shown = self.api.examples.get(f"{operation.methods[0]} {operation.path}")
        answers = {status: _answer(status, body) for status, body in shown.items()} if shown else {}
        return (answers or super().responses(operation)) | {"default": REFUSED}

    def get_components(self) -> dict[str, Any]:
        self.schemas["Problem"] = PROBLEM
        return super().get_components()


def _answer(status: int, example: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"description": DONE.get(status, "OK")}
    if example is not None:
        told["content"] = {"application/json": {"schema": {"type": "object"}, "example": example}}
    return told


class Api(NinjaAPI):
    def __init__(self, *, examples: Examples, **options: Any) -> None:
        super().__init__(**options)
        self.examples = examples

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        return Document(self, self.get_root_path(path_params or {}) if path_prefix is None else path_prefix)
