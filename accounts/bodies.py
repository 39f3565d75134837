"""What request bodies are made of. Strict: a number in quotes is not a number, unknown fields are refused."""

from decimal import Decimal
from typing import Annotated, Any

from ninja import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema


class Body(BaseModel):
    """A JSON body: fields that we do not know are refused, so that a misspelt one is never silently lost."""

    model_config = ConfigDict(extra="forbid")


def _json_number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("Send a JSON number, without quotes.")
    return value


class _ToldAsNumber:
    """Pydantic tells a Decimal as "number or string"; we take no strings."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        told = handler(schema)
        either = told.pop("anyOf", [])
        return told | next((one for one in either if one["type"] == "number"), {})


Whole = Annotated[int, Field(strict=True)]
Text = Annotated[str, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[Decimal, BeforeValidator(_json_number), _ToldAsNumber()]
Limit = Annotated[int, Query(ge=1, le=100, description="How many to list, 1 to 100; 10 by default.")]
