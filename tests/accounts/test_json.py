"""The strict JSON parser and the exact writer."""

import time
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import json
from accounts.errors import InvalidJson


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "Expecting value at line 1, column 1."),
        (b"{bad json", "property name"),
        (b'{"a": 1} x', "Extra data"),
        (b'{"a": NaN}', "NaN is not a JSON number."),
        (b'{"a": Infinity}', "Infinity is not"),
        (b'{"a": -Infinity}', "-Infinity is not"),
        (b'{"a": 1, "a": 1}', "The field 'a' appears more than once."),
        (b'{"x": {"b": 1, "c": 2, "b": 3}}', "The field 'b' appears more than once."),
        (b"9223372036854775808", "at most 18 digits"),  # 2^63
        (b"-1234567890123456789", "at most 18 digits"),
        (b"9" * 5000, "at most 18 digits"),  # Python's own limit would be a ValueError
        (b"1e99999999999999999999", "not a number that can be read exactly"),
        (b'{"a": "\xff"}', "not valid UTF-8"),
        (b"\xef\xbb\xbf{}", "Expecting value"),
        (b"\xff\xfe{\x00}\x00", "not valid UTF-8"),
        (b'"a\x00b"', "Invalid control character"),
        (b'"\\u0000"', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'"\\ud800"', "surrogate"),
        (b'{"a": ["\\udfff"]}', "surrogate"),
        (b"[" * 9 + b"]" * 9, "nested too deeply"),
        (b'{"a":' * 9 + b"1" + b"}" * 9, "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    ],
)
def test_it_refuses_what_is_not_our_json(raw: bytes, says: str) -> None:
    with pytest.raises(InvalidJson) as refused:
        json.loads(raw)
    assert says in refused.value.detail


def test_it_reads_numbers_exactly() -> None:
    found = json.loads(b'{"a": 0.1, "b": 25.00, "c": 999999999999999999, "d": 1e400, "e": -0.0}')
    assert found == {"a": Decimal("0.1"), "b": Decimal("25"), "c": 10**18 - 1, "d": Decimal("1e400"), "e": 0}
    assert str(found["b"]) == "25.00"


def test_it_reads_eight_levels_and_full_unicode() -> None:
    assert json.loads(b"[" * 8 + b"]" * 8) == [[[[[[[[]]]]]]]]
    assert json.loads(b'[[], {}, [], {}, [], {}, [], {}, [], {}, "[[[[[[[[[["]')[-1] == "[" * 10
    assert json.loads(b'"\\ud83d\\ude00 \\u00e9"') == "😀 é"
    assert json.loads(b'"\\\\u0000"') == "\\u0000"


def test_it_reads_a_batch_of_a_thousand_quickly() -> None:
    event = b'{"event_id":"%d","type":"chat","model":"gpt-4o-mini","input_tokens":1250,"output_tokens":340}'
    raw = b'{"events":[' + b",".join(event % number for number in range(1000)) + b"]}"
    started = time.perf_counter()
    assert len(json.loads(raw)["events"]) == 1000
    assert time.perf_counter() - started < 0.2


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12))
def test_it_writes_every_decimal_plainly_and_exactly(value: Decimal) -> None:
    written = json.dumps(value).decode()
    assert "e" not in written.lower()
    assert Decimal(written) == value


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@given(json_values.filter(lambda value: not json._is_too_deep(value)))
def test_it_reads_back_what_it_wrote(value: object) -> None:
    assert json.loads(json.dumps(value)) == value


def test_it_writes_times_days_and_ids() -> None:
    zone = timezone(timedelta(hours=2))
    moment = datetime(2026, 3, 5, 12, 30, tzinfo=zone)
    assert json.timestamp(moment) == "2026-03-05T10:30:00Z"
    assert json.timestamp(moment.replace(microsecond=5)) == "2026-03-05T10:30:00.000005Z"
    data = {"at": moment.astimezone(UTC), "on": date(2026, 3, 5), "id": UUID(int=1), "list": (1, None, True)}
    assert json.dumps(data) == (
        b'{"at":"2026-03-05T10:30:00Z","on":"2026-03-05","id":"00000000-0000-0000-0000-000000000001",'
        b'"list":[1,null,true]}'
    )


@pytest.mark.parametrize("value", [0.1, float("nan"), Decimal("NaN"), Decimal("Infinity"), {1}, object()])
def test_it_never_writes_a_float(value: object) -> None:
    with pytest.raises(TypeError):
        json.dumps([value])
