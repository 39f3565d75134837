"""Export all my data: every table, exact, streamed, harmless, and only to whom it belongs."""

import csv
import json
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import BytesIO, StringIO

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection, models
from django.http import HttpResponse
from django.test import Client

from accounts import email_change
from accounts.models import Account, ApiKey, Invitation, User
from billing import holds, selectors
from billing.models import BillingDetails
from tests import factories
from tests.billing import paying
from tests.journeys.leaving import pay_back, top_up
from tests.usage import events
from tests.usage.spending import agent
from thinnest_billing.export import archive, table
from thinnest_billing.export.contents import FILES, LEFT_OUT
from usage import flags, metering
from usage.models import Charge

EXPORT = "/settings/account/export/"
needs_commits = pytest.mark.django_db(transaction=True)


def body_of(answer: HttpResponse) -> bytes:
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def unzip(raw: bytes) -> dict[str, str]:
    with zipfile.ZipFile(BytesIO(raw)) as found:
        assert found.testzip() is None
        return {name: found.read(name).decode() for name in found.namelist()}


def fetch(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return unzip(body_of(client.post(EXPORT)))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def busy(ada: User) -> None:
    """Something in nearly every file."""
    now = paying.clock()
    top_up(ada)
    pay_back(top_up(ada, "7.00"))
    BillingDetails.objects.create(account=ada.account, name="Ada & Söhne", address="1 Main Street\nOslo")
    Invitation.objects.create(account=ada.account, email="new@example.com", created_at=now, expires_at=now)
    for number in range(5):
        event = events.chat(f"e{number}", agent=agent("Customer Support"), note=f"=HYPERLINK({number})")
        assert metering.record(ada.account_id, event).is_recorded
    assert metering.record(ada.account_id, events.voice("call", 61)).is_recorded
    holds.hold(
        ada.account_id, key="k", request_hash=b"r", amount=Decimal("0.5"), purpose="chat", terms={"model": "gpt-4o"},
        lifetime=timedelta(minutes=5),
    )  # fmt: skip
    flags.flag(ada.account_id, Charge.objects.latest("recorded_at"), by=ada, text="Why?", now=now)


# --- nothing is forgotten -------------------------------------------------------------------------------------------


def refers_to_a_tenant(model: type[models.Model]) -> bool:
    to = (Account, get_user_model())
    names = {field.name for field in model._meta.get_fields() if getattr(field, "concrete", False)}
    related = any(
        field.related_model in to for field in model._meta.get_fields() if getattr(field, "concrete", False)
    )
    return model in to or related or "account_id" in names


def test_it_forgets_no_table_that_refers_to_an_account_or_a_person() -> None:
    """A new model is in a file of the export, or in LEFT_OUT with a reason."""
    told = {model for file in FILES for model in file.models}
    found = {model for model in apps.get_models() if refers_to_a_tenant(model)}
    assert len(found) > 20
    missing = {model._meta.label for model in found - told} - set(LEFT_OUT)
    assert not missing
    assert not {label for label in LEFT_OUT if apps.get_model(label) in told}
    assert all(len(reason) > 20 for reason in LEFT_OUT.values())


def test_it_would_notice_a_table_that_was_forgotten() -> None:
    """The negative control of the test above."""
    told = {model for file in FILES for model in file.models if file.name != "flags.csv"}
    assert "usage.Flag" in {model._meta.label for model in apps.get_models() if refers_to_a_tenant(model)} - {
        model._meta.label for model in told
    }


@needs_commits
def test_it_explains_every_file_and_every_column(ada: User) -> None:
    found = fetch(ada)
    readme = found["README.txt"]
    for file in FILES:
        assert f"{file.name}: {file.words}" in readme
        assert file.name in found
        for column in file.columns:
            assert f"  {column.name}" in readme
            assert column.words
    assert "Not in here:" in readme


# --- what is in it ----------------------------------------------------------------------------------------------------


@needs_commits
def test_it_holds_what_the_account_has_to_the_last_decimal(ada: User, bo: User) -> None:
    busy(ada)
    found = fetch(ada)
    funds = selectors.balance_of(ada.account_id)
    balance = json.loads(found["balance.json"])
    ledger, charges = rows(found["ledger.csv"]), rows(found["charges.csv"])
    assert [int(line["number"]) for line in ledger] == list(range(1, balance["movements"] + 1))
    assert Decimal(ledger[-1]["granted_after"]) == Decimal(balance["granted"]) == funds.granted
    assert Decimal(ledger[-1]["paid_after"]) == Decimal(balance["paid"]) == funds.paid
    assert sum(Decimal(line["granted"]) + Decimal(line["paid"]) for line in ledger) == funds.balance
    assert [charge["cost"] for charge in charges[:5]] == ["0.000391500"] * 5
    days = rows(found["daily_spend.csv"])
    assert sum(Decimal(day["cost"]) for day in days) == sum(Decimal(charge["cost"]) for charge in charges)
    assert sum(int(day["count"]) for day in days) == 6
    assert {row["email"] for row in rows(found["members.csv"])} == {ada.email, bo.email}
    assert [row["status"] for row in rows(found["top_ups.csv"])] == ["succeeded", "succeeded"]
    assert [row["amount"] for row in rows(found["refunds.csv"])] == ["7.00"]
    assert {row["last4"] for row in rows(found["cards.csv"])} == {"4242"}
    assert rows(found["flags.csv"])[0]["text"] == "Why?"
    assert rows(found["holds.csv"])[0]["state"] == "open"
    assert json.loads(found["billing_details.json"])["name"] == "Ada & Söhne"
    assert json.loads(found["auto_topup.json"]) is None
    assert rows(found["letters.csv"])


@needs_commits
def test_it_runs_nothing_in_a_spreadsheet(ada: User) -> None:
    busy(ada)
    notes = [row["note"] for row in rows(fetch(ada)["charges.csv"])]
    assert notes[0] == "'=HYPERLINK(0)"


@needs_commits
def test_it_holds_no_secret(ada: User, ada_key: str) -> None:
    email_change.ask(ada, "ada@example.org", now=paying.clock())
    found = "\n".join(fetch(ada).values())
    key = ApiKey.objects.get(account=ada.account)
    assert key.prefix in found
    for secret in (
        ada_key,
        ada_key[12:],
        bytes(key.digest).hex(),
        ada.password,
        "/new-email/",
        "sandbox_key",
    ):
        assert secret not in found


@needs_commits
def test_it_holds_nothing_of_anybody_else(ada: User, cy: User) -> None:
    busy(cy)
    busy(ada)
    found = "\n".join(fetch(ada).values())
    for foreign in (cy.email, cy.public_id, cy.account.public_id, cy.account.name):
        assert foreign not in found
    for charge in Charge.objects.filter(account=cy.account):
        assert charge.public_id not in found


@needs_commits
@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_it_gives_other_members_what_is_about_them(ada: User, role: str) -> None:
    busy(ada)
    member = factories.member(ada.account, email="eve@example.com", role=role)
    found = fetch(member)
    assert set(found) == {
        "README.txt",
        "you.json",
        "preferences.json",
        "api_keys.csv",
        "flags.csv",
        "letters.csv",
    }
    assert json.loads(found["you.json"])["email"] == member.email
    assert not rows(found["flags.csv"])
    assert ada.email not in "\n".join(found.values())


@needs_commits
def test_it_is_exported_by_a_button_and_ten_times_an_hour(client: Client, ada: User) -> None:
    assert client.get(EXPORT)["Location"].startswith("/sign-in/")
    client.force_login(ada)
    page = client.get(EXPORT)
    assert page["Content-Type"].startswith("text/html")  # looking at the page exports nothing
    for _ in range(10):
        assert body_of(client.post(EXPORT))[:2] == b"PK"
    refused = client.post(EXPORT)
    assert refused.status_code == 429
    assert "Nothing was exported" in refused.content.decode()


# --- as of one moment -------------------------------------------------------------------------------------------------


@needs_commits
def test_it_adds_up_though_charges_come_in_while_it_is_read(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy(ada)
    monkeypatch.setattr(archive, "PIECE", 1)  # hands on whatever it has, so that it is read slowly
    stream, pieces = archive.export(ada, now=paying.clock()), []
    for number, piece in enumerate(stream):
        pieces.append(piece)
        assert metering.record(ada.account_id, events.chat(f"meanwhile {number}")).is_recorded
    found = unzip(b"".join(pieces))
    assert Charge.objects.filter(account=ada.account).count() > 10
    charges = rows(found["charges.csv"])
    assert len(charges) == 6
    days = rows(found["daily_spend.csv"])
    assert sum(Decimal(day["cost"]) for day in days) == sum(Decimal(charge["cost"]) for charge in charges)
    balance = json.loads(found["balance.json"])
    last = rows(found["ledger.csv"])[-1]
    assert Decimal(last["paid_after"]) + Decimal(last["granted_after"]) == Decimal(balance["paid"]) + Decimal(
        balance["granted"]
    )


@needs_commits
def test_one_that_breaks_off_is_no_zip(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who gets only a part must notice."""
    busy(ada)
    monkeypatch.setattr(archive, "PIECE", 1)

    def broken(asked: table.Asked) -> Iterator[Charge]:
        raise RuntimeError("the database went away")
        yield

    file = next(file for file in FILES if file.name == "charges.csv")
    pieces = []
    with monkeypatch.context() as patch:
        patch.setattr(archive, "files_for", lambda asked: [replace(file, rows=broken)])
        with pytest.raises(RuntimeError):
            pieces.extend(archive.export(ada, now=paying.clock()))
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(BytesIO(b"".join(pieces)))


# --- however much there is ----------------------------------------------------------------------------------------

MANY = """
    INSERT INTO usage_charge (id, account_id, event_id, request_hash, type, agent_id, model, input_tokens,
        output_tokens, retrieval_queries, seconds, pages, chunks, rates, cost, uncollected, balance_after,
        occurred_at, recorded_at, day, request_id)
    SELECT gen_random_uuid(), %(account)s, 'm' || n, '\\x00', 'chat', NULL, 'gpt-4o', 1, 1, 0, 0, 0, 0, '{}', 0, 0, 0,
        moment, moment, moment::date, ''
    FROM (SELECT n, timestamptz '2026-02-01' + n * interval '1 millisecond' AS moment
          FROM generate_series(1, %(count)s) n) rows"""


def peak(ada: User) -> tuple[int, int]:
    """Bytes that Python held at most while all was read, and how many charges that were."""
    tracemalloc.start()
    size, lines = 0, Counter[str]()
    for piece in archive.export(ada, now=paying.clock()):
        size += len(piece)
        lines["pieces"] += 1
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 0
    return most, Charge.objects.filter(account=ada.account).count()


@needs_commits
def test_its_memory_does_not_grow_with_the_account(ada: User) -> None:
    """Ten thousand charges more may not cost a megabyte more."""
    sizes = []
    for count, prefix in ((3_000, "a"), (10_000, "b")):
        with connection.cursor() as cursor:
            offset = "2026-02-01" if prefix == "a" else "2026-02-02"
            cursor.execute(
                MANY.replace("'m'", f"'{prefix}'").replace("2026-02-01", offset),
                {"account": ada.account_id, "count": count},
            )
        sizes.append(peak(ada))
    (small, few), (large, many) = sizes
    assert (few, many) == (3_000, 13_000)
    assert large < small + 1_000_000, f"{small:,} bytes for {few}, {large:,} for {many}"
