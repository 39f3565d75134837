"""A key that this process knows is not asked about again: the statement that records proves that it is live."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from accounts import api_keys, ids
from accounts.models import Account, ApiKey, Scope, User
from billing import selectors
from tests import factories
from tests.api_client import ApiClient, read
from tests.billing.paying import clock
from tests.usage.events import chat
from usage import metering
from usage.metering import Source
from usage.models import Charge

pytestmark = pytest.mark.django_db
USAGE, AUTHORIZE = "/billing/v3/usage", "/billing/v3/authorize?type=chat"


def event(name: str, **more: Any) -> dict[str, Any]:
    return {
        "event_id": name,
        "type": "chat",
        "model": "gpt-4o-mini",
        "input_tokens": 1250,
        "output_tokens": 340,
    } | more


@pytest.fixture
def known(api: ApiClient, ada_key: str) -> str:
    """Ada's key, used a moment ago."""
    assert api.post(USAGE, event("first"), key=ada_key).status_code == 201
    assert api.get(AUTHORIZE, key=ada_key).status_code == 204
    return ada_key


def revoke(key: str) -> None:
    api_keys.revoke(ApiKey.objects.get(digest=api_keys.digest(key)), now=clock())


def close(key: str) -> None:
    Account.objects.filter(api_keys__digest=api_keys.digest(key)).update(closed_at=clock())


def delete(key: str) -> None:
    ApiKey.objects.filter(digest=api_keys.digest(key)).delete()


def test_an_event_of_a_known_key_is_one_query(
    api: ApiClient, known: str, django_assert_num_queries: Callable[[int], Any]
) -> None:
    with django_assert_num_queries(1):
        assert api.post(USAGE, event("second"), key=known).status_code == 201
    with django_assert_num_queries(1):
        assert api.get(AUTHORIZE, key=known).status_code == 204


@pytest.mark.parametrize("end", [revoke, close, delete])
def test_a_key_that_ended_is_refused_at_once(
    api: ApiClient, ada: User, known: str, end: Callable[[str], None]
) -> None:
    """A new event, one that would be replayed, one that does not fit: none of them."""
    before = selectors.balance_of(ada.account_id)
    end(known)
    large = event("large", model="gpt-4-turbo", input_tokens=10_000_000)
    answers = [api.post(USAGE, body, key=known) for body in (event("second"), event("first"), large)]
    answers += [api.get(AUTHORIZE, key=known), api.get(f"{AUTHORIZE[:-4]}nonsense", key=known)]
    assert [(answer.status_code, read(answer)["code"]) for answer in answers] == [(401, "unauthorized")] * 5
    assert Charge.objects.count() == 1
    assert selectors.balance_of(ada.account_id) == before


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b"{", 400),
        (b"x" * 70_000, 413),
        (event("e", model="gpt-99"), 422),
        (event("e", input_tokens=-1), 422),
        (event("e", on_short="record"), 403),
        (event("e", agent=ids.public("agent", ids.uuid7())), 404),
        (event("e", account=ids.public("acct", ids.uuid7())), 404),
    ],
)
def test_the_key_is_told_of_before_anything_else(api: ApiClient, known: str, body: Any, refused: int) -> None:
    assert api.post(USAGE, body, key=known).status_code == refused
    revoke(known)
    assert api.post(USAGE, body, key=known).status_code == 401


def test_a_known_key_expires(api: ApiClient, ada: User) -> None:
    at = clock()
    _, key = api_keys.create(
        account=ada.account, name="short", scopes=Scope.values, now=at, expires_at=at + timedelta(hours=1)
    )
    statuses = []
    for minutes in (0, 59, 60):
        with time_machine.travel(at + timedelta(minutes=minutes), tick=False):
            statuses.append(api.post(USAGE, event(f"e{minutes}"), key=key).status_code)
    assert statuses == [201, 201, 401]


def test_a_platform_key_that_ended_hears_of_no_account(api: ApiClient, ada: User, platform_key: str) -> None:
    own, nobody = ada.account.public_id, ids.public("acct", ids.uuid7())
    assert api.post(USAGE, event("e1", account=own), key=platform_key).status_code == 201
    assert api.post(USAGE, event("e1", account=nobody), key=platform_key).status_code == 404
    revoke(platform_key)
    for named in (own, nobody):
        assert api.post(USAGE, event("e2", account=named), key=platform_key).status_code == 401
        assert api.get(f"{AUTHORIZE}&account={named}", key=platform_key).status_code == 401


def test_a_key_records_for_no_account_but_its_own(ada: User, cy: User) -> None:
    """Behind the API, too: the statement itself refuses."""
    factories.key(ada.account)
    source = Source(ApiKey.objects.get(account=ada.account).id, "r")
    assert metering.record(cy.account_id, chat("e"), source=source).status == "no_key"
    assert metering.record(ada.account_id, chat("e"), source=source).status == "recorded"
    assert selectors.balance_of(cy.account_id).balance == Decimal(1)
