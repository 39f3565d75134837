"""Payments that are asked for or told of with tricks: a clear answer, no credit, and a trace that staff can find."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts import ids
from accounts.models import User
from billing import payment_methods, topups
from billing.gateways import sandbox_events, signatures
from billing.models import EventReceipt, LedgerEntry, SandboxPayment, TopUp
from tests.api_client import ApiClient, read
from tests.billing.paying import WEBHOOK, begin, clock, credits, deliver, events, save_card

pytestmark = pytest.mark.django_db
Sign = Callable[[bytes], str]


@pytest.fixture(params=["sandbox", "stripe"])
def sign(request: pytest.FixtureRequest, settings: Settings) -> Sign:
    """Signs as the configured processor does: what it signs is what only a processor gone mad would send."""
    secret = sandbox_events.webhook_secret()
    if request.param == "stripe":
        secret = "whsec_test"
        settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_51NotARealKey", [secret]
    return lambda body: signatures.sign(body, secret, at=int(clock().timestamp()))


STRIPE_EVENT: dict[str, Any] = {
    "id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "created": 1, "livemode": False,
    "api_version": "2026-10-28.endive", "data": {"object": {"object": "payment_intent", "id": "pi_1"}},
}  # fmt: skip
SANDBOX_EVENT: dict[str, Any] = {
    "id": "evt_1",
    "type": "x",
    "created": 1,
    "kind": "X",
    "object": {},
    "reference": None,
    "installation": None,
}
BOTH = STRIPE_EVENT | SANDBOX_EVENT | {"object": "event"}
BODIES = {
    "empty": b"",
    "not JSON": b"amount=1",
    "a number": b"7",
    "a list": b"[]",
    "an empty object": b"{}",
    "not UTF-8": b"\xff\xfe\x00",
    "UTF-16": json.dumps(BOTH).encode("utf-16"),
    "a NUL byte": json.dumps(BOTH).encode() + b"\0",
    "a NUL in its id": json.dumps(BOTH | {"id": "evt_\0"}).encode(),
    "a NUL in its type": json.dumps(BOTH | {"type": "x\0"}).encode(),
    "an id of 300 characters": json.dumps(BOTH | {"id": "evt_" + "x" * 300}).encode(),
    "an id that is a number": json.dumps(BOTH | {"id": 7}).encode(),
    "a half character": json.dumps(BOTH | {"id": "\ud800"}).encode(),
    "deep": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "deep in an event": json.dumps(BOTH).encode()[:-1] + b',"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a huge number": b'{"created": ' + b"9" * 50_000 + b"}",
    "a time that is none": json.dumps(BOTH | {"created": 1e300}).encode(),
    "no time": json.dumps(BOTH | {"created": None}).encode(),
    "compressed": gzip.compress(json.dumps(BOTH).encode()),
    "deep in an object": json.dumps(BOTH).encode()[:-1] + b',"a":' + b"[" * 500 + b"]" * 500 + b"}",
    "an array for its data": json.dumps(BOTH | {"data": []}).encode(),
}


# --- What is signed and no event ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BODIES)
def test_what_is_signed_and_no_event_is_refused(
    name: str, sign: Sign, caplog: pytest.LogCaptureFixture
) -> None:
    """400 and a line in the log; what has an id and a type is kept with its error, and comes again."""
    body = BODIES[name]
    told = deliver(body, signature=sign(body))
    if told.status_code == 400:
        assert read(told)["code"] == "bad_signature"
        assert "webhook" in caplog.text
        assert not EventReceipt.objects.exists()
    else:
        assert name in ("an array for its data", "deep in an object")
        assert EventReceipt.objects.get().state in ("failed", "ignored")
    assert not LedgerEntry.objects.filter(kind="topup").exists()


def test_an_id_that_comes_again_with_another_body_changes_nothing(ada: User) -> None:
    """The first body counts, and stays as it was signed; a larger payment under the same id brings nothing."""
    begun = begin(ada, card=save_card(ada))
    topups._ask(begun)
    body = events("payment_intent.succeeded")[-1]
    more = body.replace(b": 2500", b": 9900")
    assert more != body
    assert [deliver(body).status_code, deliver(more).status_code] == [200, 200]
    assert EventReceipt.objects.get(type="payment_intent.succeeded").body == body.decode()
    assert credits(ada) == [25]


# --- What nobody signed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BODIES)
def test_what_nobody_signed_is_refused_unread(name: str, caplog: pytest.LogCaptureFixture) -> None:
    told = deliver(
        BODIES[name], signature=signatures.sign(BODIES[name], "whsec_guess", at=int(clock().timestamp()))
    )
    assert (told.status_code, read(told)["code"]) == (400, "bad_signature")
    assert "webhook" in caplog.text
    assert not EventReceipt.objects.exists()


@pytest.mark.parametrize("length", ["10485760", "-1", "1e9", "²", ""])
def test_a_length_that_is_too_large_or_none_is_refused_unread(length: str) -> None:
    """Ten megabytes are told by their header; without one nothing is read, and nothing is not signed."""
    told = Client().post(
        WEBHOOK,
        b"{}",
        content_type="application/json",
        CONTENT_LENGTH=length,
        headers={"Stripe-Signature": "x"},
    )
    assert told.status_code == (400 if length == "" else 413)


def test_a_compressed_body_is_not_what_was_signed(ada: User) -> None:
    """Content-Encoding is not undone: what a proxy compressed does not verify."""
    topups._ask(begin(ada, card=save_card(ada)))
    body = events("payment_intent.succeeded")[-1]
    secret, now = sandbox_events.webhook_secret(), int(clock().timestamp())
    told = Client().post(
        WEBHOOK, gzip.compress(body), content_type="application/json",
        headers={"Content-Encoding": "gzip", "Stripe-Signature": signatures.sign(body, secret, at=now)},
    )  # fmt: skip
    assert told.status_code == 400
    assert credits(ada) == []


# --- Amounts and cards ----------------------------------------------------------------------------------------

AMOUNTS = ["4.99", "0", "-25", "25.005", '"25"', "true", "null", "NaN", "1e400", "1e9"]


@pytest.mark.parametrize("amount", AMOUNTS)
def test_no_amount_like_that_is_charged(
    ada: User, ada_key: str, api: ApiClient, client: Client, amount: str
) -> None:
    """S23: by API and on the page alike: what is wrong is said, nothing is written, nobody is asked."""
    card = save_card(ada)
    told = api.post(
        "/billing/v3/topup", f'{{"amount": {amount}, "payment_method_id": "{card}"}}', key=ada_key
    )
    assert told.status_code == (400 if amount == "NaN" else 422)
    client.force_login(ada)
    form = {"topup": ids.public("top", ids.uuid7()), "preset": "", "amount": amount, "method": card}
    assert b"The payment was not sent" in client.post("/settings/billing/add-funds/", form).content
    assert not TopUp.objects.exists()
    assert not SandboxPayment.objects.exists()


@pytest.mark.parametrize("whose", ["removed", "a stranger's", "nobody's", "a test token", "with a NUL"])
def test_no_card_like_that_is_charged(
    ada: User, cy: User, ada_key: str, api: ApiClient, client: Client, whose: str
) -> None:
    own = save_card(ada)
    payment_methods.remove(ada.account_id, own, now=clock())
    card = {
        "removed": own, "a stranger's": save_card(cy), "nobody's": "pm_0", "a test token": "pm_card_visa",
        "with a NUL": "pm_\0",
    }[whose]  # fmt: skip
    told = api.post("/billing/v3/topup", {"amount": 25, "payment_method_id": card}, key=ada_key)
    assert told.status_code == (400 if "\0" in card else 404)
    client.force_login(ada)
    form = {"topup": ids.public("top", ids.uuid7()), "preset": "25", "amount": "", "method": card}
    assert b"The payment was not sent" in client.post("/settings/billing/add-funds/", form).content
    assert not TopUp.objects.exists()
    assert not SandboxPayment.objects.exists()
