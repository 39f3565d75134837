"""Phone numbers through the API: what is in service, and the digits that the platform reports."""

from datetime import timedelta

import pytest
import time_machine

from accounts.models import Account, Scope, User
from tests import factories
from tests.api_client import ApiClient, read
from tests.usage import spending
from tests.usage.renting import HOUR, leave, on, rent, top_up
from usage import phone_numbers
from usage.models import PhoneNumber

pytestmark = pytest.mark.django_db
NUMBERS = "/billing/v3/phone-numbers"


@pytest.fixture
def ada(db: None) -> User:
    user = factories.owner(now=on("2 January"))
    top_up(user, "25.00", at=on("2 January") + HOUR)
    return user


@pytest.fixture
def number(ada: User) -> PhoneNumber:
    return rent(ada, at=on("30 January"), agent=spending.agent("Sales Assistant"))


def named(account: Account, **more: object) -> dict[str, object]:
    return {"account": account.public_id, **more}


def test_it_lists_numbers_with_their_states(
    api: ApiClient, ada: User, ada_key: str, number: PhoneNumber
) -> None:
    """S46: the platform obeys without computing."""
    leave(ada, "1.50", at=on("20 February"))
    with time_machine.travel(on("20 February"), tick=False):
        (told,) = read(api.get(NUMBERS, key=ada_key))["phone_numbers"]
    assert told == {
        "id": number.public_id, "number": None, "agent": "Sales Assistant", "agent_id": number.agent.public_id,
        "state": "being_set_up", "reason": None, "since": None, "until": None, "paid_until": "2026-03-01T09:00:00Z",
    }  # fmt: skip
    with time_machine.travel(on("3 March"), tick=False):
        (told,) = read(api.get(NUMBERS, key=ada_key))["phone_numbers"]
    assert (told["state"], told["reason"]) == ("grace", "rent")
    assert (told["since"], told["until"]) == ("2026-03-01T09:00:00Z", "2026-03-08T09:00:00Z")
    with time_machine.travel(on("9 March"), tick=False):
        (told,) = read(api.get(NUMBERS, key=ada_key))["phone_numbers"]
    assert (told["state"], told["since"], told["until"]) == ("suspended", "2026-03-08T09:00:00Z", None)


def test_it_lists_page_by_page_and_leaves_out_what_was_released(
    api: ApiClient, ada: User, ada_key: str
) -> None:
    made = [rent(ada, at=on("30 January") + hours * HOUR) for hours in range(5)]
    phone_numbers.release(ada.account_id, made[2].id, actor="ada", now=on("1 February"))
    kept = [number.public_id for number in reversed(made) if number != made[2]]
    first = api.get(f"{NUMBERS}?limit=3", key=ada_key)
    assert [row["id"] for row in read(first)["phone_numbers"]] == kept[:3]
    assert f"starting_after={kept[2]}" in first["Link"]
    rest = api.get(f"{NUMBERS}?limit=3&starting_after={kept[2]}", key=ada_key)
    assert [row["id"] for row in read(rest)["phone_numbers"]] == kept[3:]
    assert "Link" not in rest


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "starting_after=num_1", "colour=red"])
def test_it_refuses_questions_that_make_no_sense(api: ApiClient, ada_key: str, query: str) -> None:
    assert api.get(f"{NUMBERS}?{query}", key=ada_key).status_code == 422


def test_it_shows_nobody_elses_numbers(
    api: ApiClient, cy: User, number: PhoneNumber, platform_key: str
) -> None:
    cy_key = factories.key(cy.account)
    assert read(api.get(NUMBERS, key=cy_key)) == {"phone_numbers": []}
    assert api.get(f"{NUMBERS}?account={number.account.public_id}", key=cy_key).status_code == 404
    assert api.get(NUMBERS, key=platform_key).status_code == 422
    told = read(api.get(f"{NUMBERS}?account={number.account.public_id}", key=platform_key))
    assert [row["id"] for row in told["phone_numbers"]] == [number.public_id]


def test_it_takes_the_scope_of_usage(api: ApiClient, ada: User) -> None:
    assert api.get(NUMBERS, key=factories.key(ada.account, scopes=[Scope.USAGE_WRITE])).status_code == 200
    refused = api.get(NUMBERS, key=factories.key(ada.account, scopes=[Scope.BALANCE_READ]))
    assert (refused.status_code, read(refused)["required_scope"]) == (403, "usage:write")


def test_it_takes_the_digits_once_and_again(
    api: ApiClient, ada: User, number: PhoneNumber, platform_key: str
) -> None:
    url, body = f"{NUMBERS}/{number.public_id}", named(ada.account, number="+12025550123")
    first = api.send("PATCH", url, body, key=platform_key)
    again = api.send("PATCH", url, body, key=platform_key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert read(first) == read(again)
    assert read(first)["number"] == "+12025550123"
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    other = api.send("PATCH", url, named(ada.account, number="+12025550124"), key=platform_key)
    assert (other.status_code, read(other)["code"]) == (409, "phone_number_already_set")
    assert PhoneNumber.objects.get().number == "+12025550123"


@pytest.mark.parametrize(
    "digits",
    [
        "",
        "12025550123",
        "+1 202 555 0123",
        "+0123456789",
        "+1" * 10,
        12025550123,
        None,
        True,
        "+120255\n50123",
    ],
)
def test_it_names_the_field_of_digits_that_are_none(
    api: ApiClient, ada: User, number: PhoneNumber, platform_key: str, digits: object
) -> None:
    answer = api.send(
        "PATCH", f"{NUMBERS}/{number.public_id}", named(ada.account, number=digits), key=platform_key
    )
    assert answer.status_code == 422
    assert [error["pointer"] for error in read(answer)["errors"]] == ["/number"]
    assert not PhoneNumber.objects.get().number
    if isinstance(digits, str):
        assert "7 to 15 digits" in read(answer)["detail"], "words, no pattern"


def test_it_takes_digits_from_platform_keys_only(
    api: ApiClient, ada: User, ada_key: str, number: PhoneNumber
) -> None:
    refused = api.send("PATCH", f"{NUMBERS}/{number.public_id}", {"number": "+12025550123"}, key=ada_key)
    assert (refused.status_code, read(refused)["code"]) == (403, "missing_scope")
    assert not PhoneNumber.objects.get().number


def test_it_finds_a_number_only_under_its_own_account(
    api: ApiClient, cy: User, ada: User, number: PhoneNumber, platform_key: str
) -> None:
    for account, public_id in [
        (cy.account, number.public_id),
        (ada.account, "num_1"),
        (ada.account, "agent_1"),
    ]:
        body = named(account, number="no digits either")
        answer = api.send("PATCH", f"{NUMBERS}/{public_id}", body, key=platform_key)
        assert (answer.status_code, read(answer)["code"]) == (404, "phone_number_not_found")
    nameless = api.send(
        "PATCH", f"{NUMBERS}/{number.public_id}", {"number": "+12025550123"}, key=platform_key
    )
    assert nameless.status_code == 422


def test_it_sets_up_no_number_that_was_released(
    api: ApiClient, ada: User, number: PhoneNumber, platform_key: str
) -> None:
    phone_numbers.release(ada.account_id, number.id, actor="ada", now=on("30 January") + timedelta(days=1))
    body = named(ada.account, number="+12025550123")
    answer = api.send("PATCH", f"{NUMBERS}/{number.public_id}", body, key=platform_key)
    assert (answer.status_code, read(answer)["code"]) == (409, "phone_number_already_set")


def test_it_takes_digits_for_one_rented_number_only(
    api: ApiClient, ada: User, cy: User, number: PhoneNumber, platform_key: str
) -> None:
    """Also across accounts; released, they are free again."""
    top_up(cy, "25.00", at=on("20 January"))
    theirs = rent(cy, at=on("30 January"))
    phone_numbers.provision(theirs, "+12025550123")
    url, body = f"{NUMBERS}/{number.public_id}", named(ada.account, number="+12025550123")
    refused = api.send("PATCH", url, body, key=platform_key)
    assert (refused.status_code, read(refused)["code"]) == (409, "phone_number_taken")
    assert "Nothing was changed." in read(refused)["detail"]
    assert cy.account.public_id not in str(read(refused))
    phone_numbers.release(cy.account_id, theirs.id, actor="cy", now=on("31 January"))
    assert api.send("PATCH", url, body, key=platform_key).status_code == 200


def test_a_number_without_digits_is_being_set_up_until_it_has_them(
    api: ApiClient, ada: User, ada_key: str, number: PhoneNumber
) -> None:
    with time_machine.travel(on("31 January"), tick=False):
        (told,) = read(api.get(NUMBERS, key=ada_key))["phone_numbers"]
        assert (told["state"], told["number"]) == ("being_set_up", None)
        phone_numbers.provision(number, "+12025550123")
        (told,) = read(api.get(NUMBERS, key=ada_key))["phone_numbers"]
        assert (told["state"], told["number"]) == ("active", "+12025550123")
