"""Settings > Billing > Freeze: what stops and what goes on, by the owner alone; ours stays ours."""

from decimal import Decimal

import pytest
from django.test import Client

from accounts.models import User
from billing import ledger
from billing.models import Balance, TopUp
from billing.selectors import balance_of
from tests import factories
from tests.api_client import ApiClient, read
from tests.billing.returning import paid, refund
from tests.billing.test_add_funds import signed_in
from tests.billing.test_refund_page import words

D = Decimal
FREEZE, OVERVIEW, ACCOUNT = "/settings/billing/freeze/", "/settings/billing/", "/settings/account/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(ada: User) -> Client:
    return signed_in(ada)


def page(browser: Client, path: str = FREEZE) -> str:
    return words(browser.get(path).content)


def press(browser: Client, wish: str) -> str:
    """What the page after it says."""
    return words(browser.post(FREEZE, {"wish": wish}, follow=True).content)


def test_it_says_first_what_stops_and_what_goes_on(browser: Client, ada: User) -> None:
    told = page(browser)
    assert (
        "Freeze spending? Everything new stops at once and stays stopped until you lift the freeze." in told
    )
    stops, _, goes_on = told.partition("What continues")
    for thing in ("Chats, calls, ingestion Refused", "Rent of phone numbers Postponed", "Auto-topup Waits"):
        assert thing in stops
    for thing in (
        "Work that has funds reserved Recorded",
        "Adding funds yourself Possible",
        "Refunds Possible",
    ):
        assert thing in goes_on
    assert not balance_of(ada.account_id).frozen, "looking changes nothing"


def test_the_owner_freezes_and_lifts(browser: Client, ada: User, api: ApiClient, ada_key: str) -> None:
    """S1: a stop that is one button away, and its way back beside the banner."""
    assert 'href="/settings/billing/freeze/"' in browser.get(OVERVIEW).content.decode()
    frozen = press(browser, "freeze")
    assert "Spending is frozen: nothing new starts until you lift the freeze." in frozen
    assert "You stopped chats, calls and ingestion. Nothing is deleted. Lift the freeze" in frozen
    assert read(api.get("/billing/v3/authorize?type=chat", key=ada_key))["code"] == "spending_frozen"
    assert "Lift the freeze? Spending has been frozen since" in page(browser)
    assert "The freeze is lifted" in press(browser, "lift")
    assert api.get("/billing/v3/authorize?type=chat", key=ada_key).status_code == 204
    assert Balance.objects.get(account_id=ada.account_id).unfrozen_at is not None


def test_a_form_sent_twice_does_the_same_thing_once(browser: Client, ada: User) -> None:
    """The buttons name what they do: an old page never does the opposite."""
    press(browser, "freeze")
    since = balance_of(ada.account_id).owner_froze_at
    press(browser, "freeze")
    assert balance_of(ada.account_id).owner_froze_at == since
    for _ in range(2):
        press(browser, "lift")
    assert not balance_of(ada.account_id).frozen


@pytest.mark.parametrize("typed", [{}, {"wish": ""}, {"wish": "thaw"}, {"wish": "\0"}, {"frozen": "1"}])
def test_nonsense_changes_nothing(browser: Client, ada: User, typed: dict[str, str]) -> None:
    assert browser.post(FREEZE, typed).status_code == 200
    assert not balance_of(ada.account_id).frozen


@pytest.mark.parametrize("role", [User.Role.VIEWER, User.Role.ADMIN])
def test_only_the_owner_may(ada: User, role: str) -> None:
    colleague = signed_in(factories.member(ada.account, email="bo@example.com", role=role))
    assert colleague.get(FREEZE).status_code == 403
    assert colleague.post(FREEZE, {"wish": "freeze"}).status_code == 403
    assert not balance_of(ada.account_id).frozen
    for path in (OVERVIEW, ACCOUNT):
        assert FREEZE not in colleague.get(path).content.decode()
    ledger.freeze(ada.account_id, by="owner", frozen=True)
    assert "The owner stopped chats, calls and ingestion." in page(colleague, OVERVIEW)
    assert FREEZE not in colleague.get(OVERVIEW).content.decode()


def test_a_stranger_freezes_only_himself(ada: User, cy: User) -> None:
    press(signed_in(cy), "freeze")
    assert not balance_of(ada.account_id).frozen
    assert Client().get(FREEZE).status_code == 302


def test_what_staff_froze_the_owner_does_not_lift(browser: Client, ada: User) -> None:
    ledger.freeze(ada.account_id, by="staff", frozen=True)
    assert "Only we can lift that freeze, so spending stays frozen whatever you choose here." in page(browser)
    press(browser, "freeze")
    told = press(browser, "lift")
    assert "Your freeze is lifted, but ours stays: spending is still frozen. Please write to us." in told
    assert balance_of(ada.account_id).staff_froze_at is not None


def test_it_needs_no_script_and_its_form_is_protected(ada: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    assert strict.post(FREEZE, {"wish": "freeze"}).status_code == 403
    assert not balance_of(ada.account_id).frozen


def test_while_frozen_funds_are_added_and_paid_back(browser: Client, ada: User) -> None:
    press(browser, "freeze")
    topup = paid(ada)
    assert TopUp.objects.get(pk=topup.pk).status == TopUp.Status.SUCCEEDED
    refund(topup)
    assert balance_of(ada.account_id).paid == 0


def test_while_frozen_held_work_is_recorded_and_nothing_new_begins(
    browser: Client, ada: User, api: ApiClient, ada_key: str
) -> None:
    """S44: calls are not placed; those that were are recorded and paid."""
    call = {"key": "one", "type": "voice", "seconds": 60}
    hold = read(api.post("/billing/v3/holds", call, key=ada_key))["id"]
    press(browser, "freeze")
    event = {"event_id": "e", "type": "chat", "model": "gpt-4o", "input_tokens": 1, "output_tokens": 1}
    codes = [
        read(api.post("/billing/v3/holds", call | {"key": "two"}, key=ada_key))["code"],
        read(api.post(f"/billing/v3/holds/{hold}/extend", {"seconds": 90}, key=ada_key))["code"],
        read(api.post("/billing/v3/usage", event, key=ada_key))["code"],
        read(api.get("/billing/v3/authorize?type=voice", key=ada_key))["code"],
    ]
    assert codes == ["spending_frozen"] * 4
    ended = api.post(f"/billing/v3/holds/{hold}/capture", {"event_id": "c", "seconds": 60}, key=ada_key)
    assert (ended.status_code, read(ended)["cost"]) == (201, D("0.1000"))
