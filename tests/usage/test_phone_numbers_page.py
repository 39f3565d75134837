"""The pages of phone numbers: what is rented, in which state and why, and what may be done about it."""

import re

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing import ledger
from tests import factories
from tests.usage import spending
from tests.usage.renting import DAY, HOUR, leave, on, paid_until, rent, rents, top_up
from usage import agents, phone_numbers, rent_history
from usage.models import Agent, PhoneNumber

pytestmark = pytest.mark.django_db
LIST = "/settings/phone-numbers/"
RENT = "/settings/phone-numbers/rent/"


@pytest.fixture
def ada(db: None) -> User:
    user = factories.owner(now=on("2 January"))
    top_up(user, "25.00", at=on("2 January") + HOUR)
    agents.resolve(user.account_id, spending.agent("Sales Assistant"))
    return user


@pytest.fixture
def number(ada: User) -> PhoneNumber:
    made = rent(ada, at=on("30 January"), agent=spending.agent("Sales Assistant"))
    return phone_numbers.provision(made, "+12025550123")


def see(user: User, url: str, *, day: str) -> str:
    return words(visit(user, url, day=day))


def visit(user: User, url: str, *, day: str, data: dict[str, str] | None = None) -> HttpResponse:
    browser = Client()
    browser.force_login(user)
    with time_machine.travel(on(day), tick=False):
        return browser.get(url) if data is None else browser.post(url, data)


def words(response: HttpResponse) -> str:
    """The text of the page's main part."""
    assert response.status_code == 200, response
    main = response.content.decode().split("<main")[1].split("</main>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", main))


def of(number: PhoneNumber, name: str = "phone_number") -> str:
    return reverse(name, args=[number.public_id])


def test_a_number_that_waits_too_long_for_its_digits_says_what_to_do(ada: User, number: PhoneNumber) -> None:
    waiting = rent(ada, at=on("30 January"))
    late = "It should have its digits by now Flag its rent, and our staff will look into it."
    assert late not in see(ada, of(waiting), day="30 January")
    assert late in see(ada, of(waiting), day="1 February")
    (charge,) = rent_history.history(waiting)
    assert f"/records/{charge.public_id}/" in visit(ada, of(waiting), day="1 February").content.decode()
    assert late not in see(ada, of(number), day="1 February")
    phone_numbers.release(ada.account_id, waiting.id, actor="ada", now=on("31 January"))
    assert late not in see(ada, of(waiting), day="1 February")


# --- Seeing ---------------------------------------------------------------------------------------------------


def test_it_offers_the_first_number_to_those_who_may_rent(ada: User) -> None:
    assert "No phone numbers yet" in see(ada, LIST, day="30 January")
    assert RENT in visit(ada, LIST, day="30 January").content.decode()
    viewer = factories.member(ada.account, email="bo@example.com")
    assert "An admin or the owner of your account can rent one" in see(viewer, LIST, day="30 January")


def test_it_lists_numbers_with_state_and_spend_of_the_month(ada: User, number: PhoneNumber) -> None:
    rent(ada, at=on("31 January"))
    page = see(ada, LIST, day="31 January")
    assert "+12025550123 Sales Assistant" in page
    assert "Being set up Unassigned" in page
    assert page.count("$2.00") == 1 + 2  # the price, and each number's rent in January
    assert "1 Mar, 09:00" in page
    assert "$0.00" in see(ada, LIST, day="10 February")


def test_it_says_why_a_number_is_in_grace_and_until_when(ada: User, number: PhoneNumber) -> None:
    """S46: in the list and on its own page, with the next step for those who may take it."""
    leave(ada, "1.50", at=on("20 February"))
    page = see(ada, LIST, day="3 March")
    assert "1 phone number is in its grace period Calls go on until 8 March at 09:00" in page
    assert "Grace period until 8 Mar, 09:00 Its rent is not paid." in page
    page = see(ada, of(number), day="3 March")
    assert (
        "Its rent is not paid. The number works until 8 March at 09:00; after that it takes no calls." in page
    )
    assert "Add funds" in page
    viewer = factories.member(ada.account, email="bo@example.com")
    assert (
        reverse("add_funds")
        not in visit(viewer, of(number), day="3 March").content.decode().split("<main")[1]
    )


def test_it_says_that_a_suspended_number_is_kept(ada: User, number: PhoneNumber) -> None:
    """S46, S48: suspended, not released."""
    leave(ada, "0.00", at=on("20 February"))
    assert "1 phone number is suspended" in see(ada, LIST, day="27 February")
    page = see(ada, of(number), day="28 February")
    assert (
        "Suspended since yesterday at 09:00 The balance ran out. It takes no calls and costs no rent" in page
    )
    assert "30 days for $2.00 begin then" not in page  # it is paid until 1 March
    assert "30 days for $2.00 begin then" in see(ada, of(number), day="2 March")
    assert "$2.00 after your next top-up" in see(ada, of(number), day="2 March")


def test_it_shows_what_a_number_has_cost(ada: User, number: PhoneNumber) -> None:
    phone_numbers.renew_due(now=on("1 March"))
    page = see(ada, of(number), day="2 March")
    assert "30 days from 30 Jan, 09:00" in page
    assert "30 days from 1 Mar, 09:00" in page
    assert "Paid until 31 Mar, 09:00" in page


def test_it_shows_nobody_elses_number(cy: User, number: PhoneNumber) -> None:
    for name in ("phone_number", "release_number"):
        assert visit(cy, of(number, name), day="2 March").status_code == 404
    assert visit(cy, f"{LIST}num_1/", day="2 March").status_code == 404


def test_it_leads_here_from_the_left_column(ada: User, number: PhoneNumber) -> None:
    page = visit(ada, LIST, day="2 February").content.decode()
    assert re.search(rf'<a href="{LIST}" aria-current="page">.*?Phone numbers</a>', page)
    assert re.search(
        rf'<a href="{LIST}" aria-current="true">', visit(ada, of(number), day="2 February").content.decode()
    )


# --- Renting --------------------------------------------------------------------------------------------------


def form(page: str) -> dict[str, str]:
    found = re.search(r'name="id" value="([^"]+)"', page)
    assert found
    return {"id": found[1], "agent": Agent.objects.get().public_id}


def test_it_rents_a_number_and_says_what_it_costs_and_when_next(ada: User) -> None:
    """S15: price, first charge, next date, and what happens at zero are told before."""
    page = visit(ada, RENT, day="30 January")
    told = words(page)
    for said in (
        "Charged now $2.00",
        "Next rent 1 Mar, 09:00",
        "works for 7 more days",
        "It is never deleted",
    ):
        assert said in told
    answer = visit(ada, RENT, day="30 January", data=form(page.content.decode()))
    number = PhoneNumber.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, of(number))
    assert (number.agent.name, number.rented_by) == ("Sales Assistant", ada.public_id)
    assert len(rents(ada)) == 1
    assert paid_until(number) == on("1 March")


def test_it_rents_one_number_when_the_form_is_sent_twice(ada: User) -> None:
    data = form(visit(ada, RENT, day="30 January").content.decode())
    places = {visit(ada, RENT, day="30 January", data=data)["Location"] for _ in range(2)}
    assert len(places) == 1
    assert len(rents(ada)) == 1


def test_it_says_why_nothing_was_rented(ada: User) -> None:
    leave(ada, "1.99", at=on("20 January"))
    assert "The first rent does not fit" in see(ada, RENT, day="30 January")
    data = form(visit(ada, RENT, day="30 January").content.decode())
    page = words(visit(ada, RENT, day="30 January", data=data))
    assert "No number was rented The first 30 days cost $2.00, and $1.99 is available." in page
    ledger.freeze(ada.account_id, by="owner", frozen=True, now=on("21 January"))
    assert "Spending is frozen on this account." in words(visit(ada, RENT, day="30 January", data=data))
    assert not PhoneNumber.objects.exists()


def test_it_tells_a_trial_that_numbers_need_a_paid_balance() -> None:
    """S9: before and after the button is pressed."""
    trial = factories.owner("new@example.com", now=on("2 January"))
    assert "A number needs a paid balance" in see(trial, RENT, day="30 January")
    page = words(visit(trial, RENT, day="30 January", data={"agent": ""}))
    assert "Nothing was rented" in page
    assert "paid balance" in page
    assert not PhoneNumber.objects.exists()


def test_it_refuses_an_agent_of_somebody_else(ada: User, cy: User) -> None:
    foreign = agents.resolve(cy.account_id, spending.agent("Cy's agent"))
    data = {"agent": Agent.objects.get(pk=foreign).public_id}
    assert "This agent does not exist" in words(visit(ada, RENT, day="30 January", data=data))
    assert not PhoneNumber.objects.exists()


# --- Releasing ------------------------------------------------------------------------------------------------


def test_it_releases_for_the_owner_after_a_question(ada: User, number: PhoneNumber) -> None:
    assert "This cannot be undone" in see(ada, of(number, "release_number"), day="10 February")
    assert PhoneNumber.objects.get().released_at is None
    answer = visit(ada, of(number, "release_number"), day="10 February", data={})
    assert (answer.status_code, answer["Location"]) == (303, of(number))
    assert (PhoneNumber.objects.get().released_at, PhoneNumber.objects.get().released_by) == (
        on("10 February"), ada.public_id,
    )  # fmt: skip
    assert "Released on 10 Feb, 09:00" in see(ada, of(number), day="11 February")
    assert "Released" in see(ada, LIST, day="11 February")
    assert visit(ada, of(number, "release_number"), day="12 February").status_code == 303


def test_it_lets_nobody_but_the_owner_release(ada: User, number: PhoneNumber) -> None:
    """S48: not an admin, not a viewer, and we never do."""
    for role in (User.Role.ADMIN, User.Role.VIEWER):
        member = factories.member(ada.account, email=f"{role}@example.com", role=role)
        assert visit(member, of(number, "release_number"), day="10 February").status_code == 403
        assert visit(member, of(number, "release_number"), day="10 February", data={}).status_code == 403
        assert "Only the owner of the account can give it up" in see(member, of(number), day="10 February")
    assert PhoneNumber.objects.get().released_at is None


def test_it_lets_viewers_rent_nothing(ada: User) -> None:
    viewer = factories.member(ada.account, email="bo@example.com")
    assert visit(viewer, RENT, day="10 February", data={"agent": ""}).status_code == 403
    assert not PhoneNumber.objects.exists()


# --- Beside the balance ---------------------------------------------------------------------------------------


def test_it_announces_rent_beside_the_balance(ada: User, number: PhoneNumber) -> None:
    """S15: three days ahead, in one sentence."""
    rent(ada, at=on("30 January") + HOUR)
    overview = reverse("overview")
    assert "Rent of" not in see(ada, overview, day="25 February")
    assert "Rent of $4.00 for 2 numbers is due by 1 March at 10:00." in see(ada, overview, day="27 February")
    phone_numbers.renew_due(now=on("1 March") + 2 * HOUR)
    assert "Rent of" not in see(ada, overview, day="2 March")


@pytest.mark.parametrize("days", [0, 3, 10])
def test_its_list_asks_the_database_as_often_for_many_numbers(
    ada: User, days: int, django_assert_max_num_queries: object
) -> None:
    for place in range(days):
        rent(ada, at=on("30 January") + place * DAY)
    browser = Client()
    browser.force_login(ada)
    with time_machine.travel(on("28 February"), tick=False), django_assert_max_num_queries(13):
        assert browser.get(LIST).status_code == 200
