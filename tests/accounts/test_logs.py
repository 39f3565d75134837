"""Logs as JSON with the id of the request, the addresses of people, and the platform key command."""

import io
import json
import logging

import pytest
from django.core.management import call_command

from accounts import api_keys, logs
from accounts.addresses import normalised
from accounts.models import ApiKey


def format_one(**more: object) -> dict[str, str]:
    record = logging.LogRecord("billing", logging.WARNING, "x.py", 1, "paid %s", ("$5.00",), None)
    record.__dict__ |= more
    logs.RequestIdFilter().filter(record)
    return json.loads(logs.JsonFormatter().format(record))


def test_it_logs_one_json_object_with_the_request_id() -> None:
    token = logs.request_id.set("req_1")
    try:
        entry = format_one()
    finally:
        logs.request_id.reset(token)
    assert (entry["message"], entry["level"], entry["request_id"]) == ("paid $5.00", "WARNING", "req_1")
    assert format_one()["request_id"] == "-"


def test_it_logs_the_traceback_inside_the_object() -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        entry = format_one(exc_info=(type(error), error, error.__traceback__))
    assert "RuntimeError: broken" in entry["exception"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.com", "ada@example.com"),
        ("ada+trial2@example.com", "ada@example.com"),
        ("a.d.a+x@gmail.com", "ada@googlemail.com"),
    ],
)
def test_it_knows_one_mailbox_by_its_other_spellings(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


def test_it_keeps_dots_elsewhere() -> None:
    assert normalised("a.da@example.com") != normalised("ada@example.com")


@pytest.mark.django_db
def test_it_makes_a_platform_key_from_the_command_line() -> None:
    out = io.StringIO()
    call_command("create_platform_key", "--name", "calls", "--json", stdout=out)
    plain = json.loads(out.getvalue())["api_key"]
    row = ApiKey.objects.get()
    assert bytes(row.digest) == api_keys.digest(plain)
    assert (row.account, row.name) == (None, "calls")
    assert row.scopes == ["balance:read", "history:read", "usage:write"]
