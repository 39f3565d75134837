"""Settings > Campaigns: plan, see what it will cost, launch, pause, resume; and clocks that are changed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from billing import auto_charge, ledger
from billing.auto_topup import Wish
from tests import factories
from tests.billing.paying import save_card
from tests.billing.test_add_funds import signed_in, text_of
from tests.usage import events
from tests.usage.campaigning import NOON, draft, fund, launched, set_balance
from usage import agents, campaigns, local_time, metering
from usage.models import Campaign

pytestmark = pytest.mark.django_db
D = Decimal
PAGE = "/settings/campaigns/"
PLAN = {"name": "Spring catalogue", "calls": "200", "seconds_per_call": "72", "starts": "", "agent": ""}


@pytest.fixture
def browser(ada: User) -> Client:
    return signed_in(ada)


def send(browser: Client, **changed: Any) -> HttpResponse:
    return browser.post(PAGE, PLAN | changed, follow=True)


def page(browser: Client, campaign: Campaign) -> str:
    return text_of(browser.get(f"{PAGE}{campaign.public_id}/"))


def press(browser: Client, campaign: Campaign, act: str, **data: Any) -> HttpResponse:
    return browser.post(f"{PAGE}{campaign.public_id}/{act}/", data, follow=True)


def launch(browser: Client, campaign: Campaign) -> str:
    """As the form on the page sends it."""
    shown = browser.get(f"{PAGE}{campaign.public_id}/").context["shown"]
    return text_of(press(browser, campaign, "launch", shown=shown))


# --- Planning -------------------------------------------------------------------------------------------------


def test_a_newcomer_is_told_what_to_do_first(browser: Client) -> None:
    assert "No campaigns yet Plan one here" in text_of(browser.get(PAGE))


def test_it_saves_a_draft_once(browser: Client, ada: User) -> None:
    agents.resolve(ada.account_id, agents.reference("Sales"))
    form = browser.get(PAGE).context["form"]
    sales = form.fields["agent"].choices[1][0]
    typed = {"id": str(form["id"].value()), "agent": sales}
    assert "is saved as a draft. No call is placed before its launch." in text_of(send(browser, **typed))
    answer = send(browser, **typed)
    made = Campaign.objects.get()
    assert answer.redirect_chain == [(f"{PAGE}{made.public_id}/", 303)]
    assert (made.name, made.agent.name, made.calls, made.seconds_per_call) == (
        "Spring catalogue",
        "Sales",
        200,
        72,
    )
    assert (made.scheduled_at, made.launched_at) == (None, None)


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("name", " ", "Give it a name of 1 to 80 characters."),
        ("name", "a\u0007b", "A name must have no control characters."),
        ("name", "x" * 81, "at most 80 characters"),
        ("agent", "", "Choose the agent that calls."),
        ("agent", "agent_00000000000000000000000000", "Select a valid choice"),
        ("calls", "0", "Enter a whole number from 1 to 1,000,000."),
        ("calls", "-5", "Enter a whole number from 1 to 1,000,000."),
        ("calls", "1e6", "Enter a whole number from 1 to 1,000,000."),
        ("calls", "9" * 30, "Enter a whole number from 1 to 1,000,000."),
        ("seconds_per_call", "86401", "Enter a whole number from 1 to 86,400."),
        ("seconds_per_call", "7.5", "Enter a whole number from 1 to 86,400."),
        ("starts", "soon", "Choose a day and a time, such as 2026-03-05 14:30."),
        ("starts", "2026-05-12T12:00", "That has passed."),
        ("starts", "2027-05-14T12:00", "Choose a day within the next twelve months."),
        ("starts", "9999-12-31T23:59", "Choose a day within the next twelve months."),
    ],
)
def test_it_refuses_a_plan_that_makes_no_sense(
    browser: Client, ada: User, field: str, typed: str, said: str
) -> None:
    sales = agents.resolve(ada.account_id, agents.reference("Sales"))
    assert sales
    choice = browser.get(PAGE).context["form"].fields["agent"].choices[1][0]
    with time_machine.travel(NOON, tick=False):
        told = text_of(send(signed_in(ada), **({"agent": choice} | {field: typed})))
    assert "No campaign was made" in told
    assert said in told
    assert not Campaign.objects.exists()


def test_it_plans_in_the_accounts_own_time(ada: User) -> None:
    ada.account.timezone = "America/New_York"
    ada.account.save()
    with time_machine.travel(NOON, tick=False):
        browser = signed_in(ada)
        assert "In America/New_York it is 08:00 now." in text_of(browser.get(PAGE))
        told = text_of(send(browser, starts="2026-05-12T08:01"))
    assert Campaign.objects.get().scheduled_at == NOON + timedelta(minutes=1)
    assert "It starts on 12 May, 08:01 in America/New_York." in told


@pytest.mark.parametrize(
    ("starts", "at", "said"),
    [
        (
            "2026-10-25T01:59",
            datetime(2026, 10, 24, 23, 59, tzinfo=UTC),
            "It starts on 25 Oct, 01:59 in Europe/Oslo.",
        ),
        ("2026-10-25T02:00", datetime(2026, 10, 25, 0, 0, tzinfo=UTC), "That time comes twice that day"),
        ("2026-10-25T02:59", datetime(2026, 10, 25, 0, 59, tzinfo=UTC), "It starts at the first."),
        (
            "2026-10-25T03:00",
            datetime(2026, 10, 25, 2, 0, tzinfo=UTC),
            "It starts on 25 Oct, 03:00 in Europe/Oslo.",
        ),
        ("2027-03-28T01:59", datetime(2027, 3, 28, 0, 59, tzinfo=UTC), "It starts on 28 Mar"),
        ("2027-03-28T02:00", None, "02:00 does not exist on 28 March 2027 in Europe/Oslo"),
        ("2027-03-28T02:59", None, "Choose 03:59 or another time."),
        ("2027-03-28T03:00", datetime(2027, 3, 28, 1, 0, tzinfo=UTC), "It starts on 28 Mar"),
    ],
)
def test_it_says_so_when_the_clocks_are_changed(
    ada: User, starts: str, at: datetime | None, said: str
) -> None:
    ada.account.timezone = "Europe/Oslo"
    ada.account.save()
    with time_machine.travel(NOON, tick=False):
        told = text_of(send(signed_in(ada), starts=starts))
    assert said in told
    assert list(Campaign.objects.values_list("scheduled_at", flat=True)) == ([at] if at else [])


def test_clocks_that_change_by_half_an_hour_are_understood() -> None:
    """Lord Howe Island goes from 02:00 to 02:30 in October and back in April."""
    with pytest.raises(local_time.ClockSkipsIt, match=r"Choose 02:45 or another time\."):
        local_time.moment(datetime.fromisoformat("2026-10-04T02:15"), "Australia/Lord_Howe")
    at = local_time.moment(datetime.fromisoformat("2027-04-04T01:45"), "Australia/Lord_Howe")
    assert local_time.comes_twice(at, "Australia/Lord_Howe")
    assert not local_time.comes_twice(at + timedelta(hours=1), "Australia/Lord_Howe")


def test_it_changes_the_plan_of_a_draft_only(browser: Client, ada: User) -> None:
    fund(ada)
    campaign = draft(ada, scheduled_at=datetime.now(UTC) + timedelta(days=1))
    typed = browser.get(f"{PAGE}{campaign.public_id}/").context["form"].initial
    changed = PLAN | {"agent": typed["agent"], "calls": "10"}
    told = browser.post(f"{PAGE}{campaign.public_id}/", changed, follow=True)
    assert "The plan is saved. It is still a draft." in text_of(told)
    campaign.refresh_from_db()
    assert (campaign.calls, campaign.scheduled_at) == (10, None)
    campaigns.launch(campaign, actor="ada", now=NOON)
    told = browser.post(f"{PAGE}{campaign.public_id}/", changed | {"calls": "11"}, follow=True)
    assert "It was launched before this was saved, and goes on as it was." in text_of(told)
    assert Campaign.objects.get().calls == 10


# --- Launching ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("balance", "said"),
    [
        ("31.20", "About $24.00 for 200 calls of 72 s; your balance of $31.20 covers it."),
        ("24.00", "your balance of $24.00 covers it."),
        ("23.99", "your balance of $23.99 covers about 199 calls."),
        ("15.60", "your balance of $15.60 covers about 130 calls."),
        ("0.12", "your balance of $0.12 covers about 1 call."),
        ("0.11", "your balance of $0.11 does not cover one call."),
    ],
)
def test_its_estimate_is_held_against_the_balance(
    browser: Client, ada: User, balance: str, said: str
) -> None:
    fund(ada, "50.00")
    set_balance(ada, balance)
    assert said in page(browser, draft(ada))


def test_it_says_what_happens_when_the_balance_does_not_cover_it(browser: Client, ada: User) -> None:
    fund(ada, "5.00")
    campaign = draft(ada)
    assert "It pauses when the balance runs out and goes on after a top-up." in page(browser, campaign)
    terms = {"threshold": D(5), "amount": D(25), "card": save_card(ada), "monthly_limit": D(500)}
    auto_charge.save(ada.account_id, Wish(enabled=True, **terms), actor="ada", now=datetime.now(UTC))
    assert "Auto-topup adds $25.00 whenever less than $5.00 is available." in page(browser, campaign)


def test_its_owner_launches_it(browser: Client, ada: User) -> None:
    fund(ada)
    campaign = draft(ada)
    assert "Launched. It starts now." in launch(browser, campaign)
    campaign.refresh_from_db()
    assert campaign.launched_by == ada.public_id
    assert "Active" in page(browser, campaign)


def test_one_for_later_waits_for_its_time(browser: Client, ada: User) -> None:
    fund(ada)
    campaign = draft(ada, scheduled_at=datetime.now(UTC) + timedelta(days=2))
    assert "Launch for then" in page(browser, campaign)
    told = launch(browser, campaign)
    assert "Launched. It starts at its time." in told
    assert "Starts by itself" in told
    late = draft(ada, scheduled_at=datetime.now(UTC) - timedelta(days=2))
    assert "Its time has passed: it starts as soon as it is launched." in page(browser, late)


def test_a_trial_is_told_what_it_needs(browser: Client, ada: User) -> None:
    """S9: launching a campaign needs a paid balance."""
    campaign = draft(ada)
    told = page(browser, campaign)
    assert "This needs a paid balance" in told
    assert "Launch now" not in told
    refused = press(browser, campaign, "launch", shown=f"200 72 {None}")
    assert "The campaign was not launched. Add at least $5.00, then try again." in text_of(refused)
    assert Campaign.objects.get().launched_at is None


def test_a_frozen_account_is_told_what_it_needs(browser: Client, ada: User) -> None:
    fund(ada)
    ledger.freeze(ada.account_id, by="owner", frozen=True)
    campaign = draft(ada)
    assert "Nothing can be launched until the freeze is lifted." in page(browser, campaign)
    assert "Spending is frozen, so the campaign was not launched." in text_of(
        press(browser, campaign, "launch", shown="200 72 None")
    )


def test_it_is_not_launched_when_another_plan_was_shown(browser: Client, ada: User) -> None:
    fund(ada)
    campaign = draft(ada)
    told = text_of(press(browser, campaign, "launch", shown="20 72 None"))
    assert "It was not launched: look at the new estimate." in told
    assert Campaign.objects.get().launched_at is None


# --- Afterwards -----------------------------------------------------------------------------------------------


def test_its_owner_pauses_and_resumes_it(browser: Client, ada: User) -> None:
    fund(ada)
    campaign = launched(ada)
    assert "Paused. Calls on the line are finished" in text_of(press(browser, campaign, "pause"))
    assert "The owner of the account paused it." in page(browser, campaign)
    assert "Resumed. It goes on from here" in text_of(press(browser, campaign, "resume"))
    campaign.refresh_from_db()
    assert campaign.paused_by_owner_at is None


def test_it_says_why_it_pauses_and_comes_back_by_itself(browser: Client, ada: User) -> None:
    """S47: paused until the balance is replenished."""
    fund(ada)
    campaign = launched(ada)
    set_balance(ada, "0.00")
    for told in (page(browser, campaign), text_of(browser.get(PAGE))):
        assert "The balance does not cover one minute of a call. It goes on by itself after a top-up." in told
    fund(ada, "5.00")
    assert "The platform places its calls one after the other" in page(browser, campaign)


def test_it_shows_what_its_agent_spent_this_month(browser: Client, ada: User) -> None:
    """Whose spend it is stands beside it: the agent's, in everything it does."""
    fund(ada)
    campaign, now = launched(ada), datetime.now(UTC)
    support = agents.reference("Support")
    for event in (
        events.voice("call", 72, agent=agents.reference("Sales")),
        events.pages("pages", 3, agent=agents.reference("Sales")),
        events.pages("others", 5, agent=support),
    ):
        assert metering.record(ada.account_id, event, now=now).is_recorded
    assert f"Sales in {now:%B} $0.15 in everything the agent does" in page(browser, campaign)
    assert "$0.15" in text_of(browser.get(PAGE))


def test_the_list_has_pages(browser: Client, ada: User) -> None:
    for number in range(26):
        draft(ada, name=f"No. {number:02}", now=NOON + timedelta(minutes=number))
    first = browser.get(PAGE)
    assert ("No. 25" in text_of(first), "No. 00" in text_of(first)) == (True, False)
    rest = browser.get(PAGE + first.context["older"])
    assert ("No. 25" in text_of(rest), "No. 00" in text_of(rest)) == (False, True)
    assert rest.context["older"] == ""
    assert browser.get(f"{PAGE}?after=camp_nonsense").status_code == 404


# --- People ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "plans", "acts"), [("viewer", 403, 403), ("admin", 200, 403), ("owner", 200, 200)]
)
def test_everybody_sees_admins_plan_and_the_owner_launches(
    ada: User, role: str, plans: int, acts: int
) -> None:
    fund(ada)
    person = ada if role == "owner" else factories.member(ada.account, email="bo@example.com", role=role)
    browser, campaign = signed_in(person), draft(ada)
    assert page(browser, campaign)
    sales = campaign.agent.public_id
    assert send(browser, agent=sales).status_code == plans
    assert (
        browser.post(f"{PAGE}{campaign.public_id}/", PLAN | {"agent": sales}, follow=True).status_code
        == plans
    )
    shown = browser.get(f"{PAGE}{campaign.public_id}/").context["shown"]
    assert press(browser, campaign, "launch", shown=shown).status_code == acts
    assert bool(Campaign.objects.get(pk=campaign.pk).launched_at) == (acts == 200)
    running = launched(ada)
    assert press(browser, running, "pause").status_code == acts
    assert press(browser, running, "resume").status_code == acts


def test_somebody_elses_campaign_does_not_exist(ada: User, cy: User) -> None:
    fund(ada)
    campaign, browser = launched(ada), signed_in(cy)
    assert "Spring catalogue" not in text_of(browser.get(PAGE))
    assert browser.get(f"{PAGE}{campaign.public_id}/").status_code == 404
    assert browser.post(f"{PAGE}{campaign.public_id}/", PLAN).status_code == 404
    for act in ("launch", "pause", "resume"):
        assert press(browser, campaign, act).status_code == 404
    assert send(browser, id=str(campaign.pk)).status_code == 404, "its id cannot be taken"
    row = Campaign.objects.get()
    assert (row.account_id, row.paused_by_owner_at) == (ada.account_id, None)


def test_it_takes_few_queries_however_many_there_are(
    browser: Client, ada: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(8):
        draft(ada, agent=f"Agent {number}")
    browser.get(PAGE)
    with django_assert_max_num_queries(14):
        browser.get(PAGE)
