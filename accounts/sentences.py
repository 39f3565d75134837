"""What is wrong with a field, as a sentence and a JSON pointer, from what pydantic found."""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

ALLOWED = {
    "missing": "This field is required.",
    "extra_forbidden": "This field is not known here.",
    "int_type": "Send a whole number.",
    "int_parsing": "Send a whole number.",
    "int_from_float": "Send a whole number.",
    "int_parsing_size": "Send a smaller number.",
    "decimal_type": "Send a number.",
    "decimal_parsing": "Send a number.",
    "finite_number": "Send a finite number.",
    "decimal_max_places": "Send at most {decimal_places} decimals.",
    "decimal_max_digits": "Send at most {max_digits} digits.",
    "decimal_whole_digits": "Send at most {whole_digits} digits before the point.",
    "greater_than": "Send more than {gt}.",
    "greater_than_equal": "Send at least {ge}.",
    "less_than": "Send less than {lt}.",
    "less_than_equal": "Send at most {le}.",
    "bool_type": "Send true or false.",
    "bool_parsing": "Send true or false.",
    "string_type": "Send a string.",
    "string_too_short": "Send at least {min_length} characters.",
    "string_too_long": "Send at most {max_length} characters.",
    "literal_error": "Use one of: {expected}.",
    "enum": "Use one of: {expected}.",
    "union_tag_invalid": "Use one of: {expected_tags}.",
    "union_tag_not_found": "This field is required.",
    "list_type": "Send a list.",
    "too_short": "Send at least {min_length} entries.",
    "too_long": "Send at most {max_length} entries.",
    "dict_type": "Send a JSON object.",
    "model_type": "Send a JSON object.",
    "model_attributes_type": "Send a JSON object.",
    "timezone_aware": "Send a time with its zone, such as 2026-03-05T10:30:00Z.",
}
EMPTY = {"string_too_short": "Send a string that is not empty.", "too_short": "Send at least one entry."}
PATTERNS = {  # nobody should have to read a regular expression
    r"^[\x20-\x7e]+$": "Send printable ASCII characters only: letters, digits, spaces and signs such as - and _.",
    r"^[0-9a-f]{64}$": "Send 64 hexadecimal digits, in lower case.",
}
NOT_OF_ITS_FORM = "Send a string of the form that the API's documentation shows."
BY_START = {
    "datetime_": "Send a time such as 2026-03-05T10:30:00Z.",
    "date_": "Send a date such as 2026-03-05.",
    "time_": "Send a time such as 10:30.",
}


def explain(errors: Iterable[Mapping], data: object) -> list[dict[str, str]]:
    """`[{"pointer": "/amount", "detail": "Send at least 5.00."}]`; what was sent is never repeated."""
    return [{"pointer": _pointer(error, data), "detail": _sentence(error)} for error in errors]


def _sentence(error: Mapping) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context.get("error", "This value is not allowed."))
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(str(context.get("pattern")), NOT_OF_ITS_FORM)
    sentence = EMPTY[kind] if context.get("min_length") == 1 and kind in EMPTY else ALLOWED.get(kind)
    if sentence is None:
        return next((text for start, text in BY_START.items() if kind.startswith(start)), error["msg"] + ".")
    return sentence.format(**{name: _shown(value) for name, value in context.items()})


def _shown(value: object) -> str:
    """Limits as people write them: 10,000,000."""
    text = re.sub(r"^Decimal\('(.+)'\)$", r"\1", str(value))  # pydantic gives Decimals as their repr
    return f"{Decimal(text):,f}" if re.fullmatch(r"-?\d+(\.\d+)?", text) else text


def _pointer(error: Mapping, data: object) -> str:
    """RFC 6901. Pydantic's own steps (the tag of a union's member) are left out: nobody sent them."""
    source, *steps = error["loc"]
    if source == "body":
        steps = list(_sent(steps[1:], data))
    if error["type"].startswith("union_tag_"):
        steps.append(str(error.get("ctx", {}).get("discriminator", "")).strip("'"))
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _sent(steps: Sequence[str | int], data: object) -> Iterable[str | int]:
    for position, step in enumerate(steps):
        if isinstance(data, dict) and step in data:
            data = data[step]
        elif isinstance(data, list) and isinstance(step, int):
            data = data[step] if step < len(data) else None
        elif position < len(steps) - 1:
            continue
        yield step
