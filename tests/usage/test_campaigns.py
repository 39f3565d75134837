"""Campaigns: launched by their owner, run while the balance allows, finished by the platform; nothing is stored."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.json import timestamp
from accounts.models import User
from billing import ledger, selectors
from billing.errors import PaidBalanceRequired, SpendingFrozen
from billing.models import LedgerEntry
from billing.selectors import NOTHING, Funds
from tests import factories
from tests.api_client import ApiClient, read
from tests.usage.campaigning import NOON, draft, fund, launched, set_balance
from usage import campaign_times, campaigns
from usage.campaigns import CampaignLaunched, CampaignNotLaunched, Plan
from usage.models import Campaign
from usage.running import RunState

pytestmark = pytest.mark.django_db
D = Decimal
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
CAMPAIGNS = "/billing/v3/campaigns"
MINUTE = D("0.10")  # dollars for a minute of a call
RICH = replace(NOTHING, paid=D(25))


def row(**facts: Any) -> Campaign:
    """Launched at noon, for now, unless told otherwise."""
    return Campaign(**({"name": "X", "calls": 1, "seconds_per_call": 1, "created_at": NOON - HOUR,
                        "launched_at": NOON} | facts))  # fmt: skip


def funds(paid: str, **facts: Any) -> Funds:
    return replace(NOTHING, paid=D(paid), **facts)


# --- Whether it runs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "held", "state", "since", "until"),
    [
        ({"launched_at": None}, RICH, "draft", NOON - HOUR, None),
        ({"launched_at": None, "scheduled_at": NOON - HOUR}, RICH, "draft", NOON - HOUR, None),
        ({}, RICH, "active", NOON, None),
        ({"scheduled_at": NOON + 3 * HOUR}, RICH, "scheduled", NOON, NOON + 3 * HOUR),
        ({"scheduled_at": NOON + HOUR + SECOND}, RICH, "scheduled", NOON, NOON + HOUR + SECOND),
        ({"scheduled_at": NOON + HOUR}, RICH, "active", NOON + HOUR, None),
        ({"scheduled_at": NOON - HOUR}, RICH, "active", NOON, None),
        ({"resumed_at": NOON + HOUR}, RICH, "active", NOON + HOUR, None),
        ({"paused_by_owner_at": NOON}, RICH, "paused", NOON, None),
        ({"finished_at": NOON + HOUR}, RICH, "finished", NOON + HOUR, None),
        ({"finished_at": NOON, "paused_by_owner_at": NOON}, NOTHING, "finished", NOON, None),
        ({}, funds("0.10"), "active", NOON, None),
        ({}, funds("0.099999999"), "paused", None, None),
        ({}, funds("0.009", depleted_at=NOON + HOUR), "paused", NOON + HOUR, None),
        ({}, funds("0.009", depleted_at=NOON - HOUR), "paused", NOON, None),
        ({}, funds("0.06", granted=D("0.04")), "active", NOON, None),
        ({}, funds("25", held=D("24.99")), "active", NOON, None),
        ({}, funds("-1", granted=D(5)), "paused", None, None),
        ({}, funds("25", owner_froze_at=NOON + HOUR), "paused", NOON + HOUR, None),
        ({}, funds("25", staff_froze_at=NOON + HOUR), "paused", NOON + HOUR, None),
        ({"scheduled_at": NOON + 3 * HOUR}, NOTHING, "scheduled", NOON, NOON + 3 * HOUR),
    ],
)
def test_its_state_is_derived(
    facts: dict[str, Any], held: Funds, state: str, since: datetime | None, until: datetime | None
) -> None:
    """S47: it runs iff launched, due, not finished, not paused, not frozen, and the balance covers a minute."""
    run = campaigns.state_of(row(**facts), held, now=NOON + HOUR, voice_minute=MINUTE)
    assert (run.state, run.since, run.until) == (state, since, until)
    assert bool(run.reason) == (state == "paused")


@pytest.mark.parametrize(
    ("facts", "held", "why"),
    [
        ({}, RICH, None),
        ({}, funds("0.09"), "balance"),
        ({}, funds("0.09", owner_froze_at=NOON), "frozen"),
        ({"paused_by_owner_at": NOON}, funds("0.09", owner_froze_at=NOON), "owner"),
    ],
)
def test_it_names_what_only_a_person_can_lift_first(
    facts: dict[str, Any], held: Funds, why: str | None
) -> None:
    assert campaigns.why_paused(row(**facts), held, voice_minute=MINUTE) == why


def test_it_pauses_when_the_balance_is_out_and_goes_on_after_a_top_up(ada: User) -> None:
    """S47 S48: pauses until the balance is back; its row is the same before, meanwhile and afterwards."""
    fund(ada)
    campaign = launched(ada)
    rows, states = [the_row(campaign)], [state(campaign)]
    set_balance(ada, "0.00")
    rows.append(the_row(campaign))
    states.append(state(campaign))
    fund(ada, "5.00")
    rows.append(the_row(campaign))
    states.append(state(campaign))
    assert states == ["active", "paused", "active"]
    assert rows[0] == rows[1] == rows[2]


def test_it_says_that_paid_funds_are_below_zero(ada: User) -> None:
    """Of a campaign that granted credit would cover: not that the balance does not."""
    fund(ada, "5.00")
    campaign = launched(ada)
    ledger.grant(ada.account_id, Decimal(20), key="gift", actor="staff", reason="A gift")
    ledger.take_back(ada.account_id, ledger.Kind.DISPUTE, Decimal("5.01"), key="d", actor="staff")
    held = selectors.balance_of(ada.account_id)
    run = campaigns.state_of(campaign, held, now=NOON, voice_minute=MINUTE)
    assert (run.state, run.reason.split(" after")[0]) == ("paused", "Paid funds are below zero")


def the_row(campaign: Campaign) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM usage_campaign WHERE id = %s", [campaign.pk])
        return cursor.fetchall()


def state(campaign: Campaign) -> str:
    held = selectors.balance_of(campaign.account_id)
    return campaigns.state_of(campaign, held, now=NOON, voice_minute=MINUTE).state


# --- Since when -----------------------------------------------------------------------------------------------


def test_it_runs_since_the_credit_that_lifted_the_balance(ada: User) -> None:
    """What a later top-up adds is no new beginning: nothing that is due is dropped because of it."""
    since = lambda: campaign_times.allowed_since(  # noqa: E731
        ada.account_id, selectors.balance_of(ada.account_id), voice_minute=MINUTE
    )
    assert since() == factories.BIRTHDAY
    move(ada, "-0.95", NOON)
    move(ada, "0.04", NOON + HOUR)
    move(ada, "0.02", NOON + 2 * HOUR)
    assert since() == NOON + 2 * HOUR
    move(ada, "5.00", NOON + 3 * HOUR)
    assert since() == NOON + 2 * HOUR
    ledger.freeze(ada.account_id, by="owner", frozen=True, now=NOON + 4 * HOUR)
    ledger.freeze(ada.account_id, by="owner", frozen=False, now=NOON + 5 * HOUR)
    assert since() == NOON + 5 * HOUR


def move(user: User, dollars: str, at: datetime) -> None:
    ledger.adjust(user.account_id, D(dollars), key=str(at), actor="tests", reason="for the test", now=at)


# --- Acts -----------------------------------------------------------------------------------------------------


def test_a_trial_cannot_launch_one(ada: User) -> None:
    """S9: launching campaigns needs a paid balance."""
    campaign = draft(ada)
    with pytest.raises(PaidBalanceRequired, match="The campaign was not launched"):
        campaigns.launch(campaign, actor="ada", now=NOON)
    assert Campaign.objects.get().launched_at is None
    fund(ada, "5.00")
    assert campaigns.launch(campaign, actor="ada", now=NOON)


def test_a_frozen_account_cannot_launch_one(ada: User) -> None:
    fund(ada)
    ledger.freeze(ada.account_id, by="owner", frozen=True)
    with pytest.raises(SpendingFrozen, match="was not launched"):
        launched(ada)
    assert Campaign.objects.get().launched_at is None


def test_it_is_launched_once(ada: User) -> None:
    fund(ada)
    campaign = launched(ada)
    assert not campaigns.launch(campaign, actor="again", now=NOON + HOUR)
    assert (campaign.launched_at, campaign.launched_by) == (NOON, ada.public_id)


def test_it_is_not_launched_as_another_than_was_shown(ada: User) -> None:
    fund(ada)
    shown = draft(ada)
    campaigns.edit(Campaign.objects.get(), Plan("Spring", None, 20_000, 72))
    with pytest.raises(CampaignLaunched, match="look at it again"):
        campaigns.launch(shown, actor="ada", now=NOON)
    assert Campaign.objects.get().launched_at is None


def test_it_is_edited_before_the_launch_only(ada: User) -> None:
    fund(ada)
    campaign = draft(ada)
    campaigns.edit(campaign, Plan("Autumn", None, 10, 60, NOON))
    assert (campaign.name, campaign.calls, campaign.scheduled_at) == ("Autumn", 10, NOON)
    assert campaigns.launch(campaign, actor="ada", now=NOON)
    with pytest.raises(CampaignLaunched):
        campaigns.edit(campaign, Plan("Winter", None, 10, 60))
    assert Campaign.objects.get().name == "Autumn"


def test_its_owner_pauses_and_resumes_it(ada: User) -> None:
    fund(ada)
    campaign = launched(ada)
    campaigns.pause(campaign, now=NOON + HOUR)
    campaigns.pause(campaign, now=NOON + 2 * HOUR)
    assert campaign.paused_by_owner_at == NOON + HOUR, "the second press changes nothing"
    campaigns.resume(campaign, now=NOON + 3 * HOUR)
    campaigns.resume(campaign, now=NOON + 4 * HOUR)
    assert (campaign.paused_by_owner_at, campaign.resumed_at) == (None, NOON + 3 * HOUR)


def test_what_is_no_draft_and_not_launched_is_refused(ada: User) -> None:
    campaign = draft(ada)
    for act in (campaigns.pause, campaigns.resume, campaigns.finish):
        with pytest.raises(CampaignNotLaunched):
            act(campaign, now=NOON)


@pytest.mark.parametrize(
    ("calls", "seconds", "dollars"),
    [(200, 72, "24.00"), (1, 1, "0.001666667"), (3, 1, "0.005000001"), (1_000_000, 86_400, "144000000.00")],
)
def test_its_estimate_is_what_its_calls_will_be_charged(calls: int, seconds: int, dollars: str) -> None:
    assert campaigns.estimate(calls, seconds, rates={"voice.minute": MINUTE}) == D(dollars)


# --- The API --------------------------------------------------------------------------------------------------


def listed(api: ApiClient, key: str, user: User, query: str = "") -> Any:
    answer = api.get(f"{CAMPAIGNS}?account={user.account.public_id}{query}", key=key)
    assert answer.status_code == 200, answer.content
    return read(answer)["campaigns"]


def test_the_platform_learns_what_may_run(api: ApiClient, ada: User, platform_key: str) -> None:
    """S47: paused with its reason while the balance is out, active again afterwards."""
    fund(ada)
    campaign = launched(ada, scheduled_at=NOON + HOUR)
    assert listed(api, platform_key, ada) == [{
        "id": campaign.public_id, "name": "Spring catalogue", "agent": "Sales",
        "agent_id": campaign.agent.public_id, "calls": 200, "seconds_per_call": 72,
        "scheduled_at": "2026-05-12T13:00:00Z", "launched_at": "2026-05-12T12:00:00Z", "finished_at": None,
        "state": "active", "reason": None, "running_since": "2026-05-12T13:00:00Z",
    }]  # fmt: skip
    set_balance(ada, "0.09")
    (told,) = listed(api, platform_key, ada)
    assert (told["state"], told["reason"], told["running_since"]) == ("paused", "balance", None)
    fund(ada, "5.00")
    back_at = LedgerEntry.objects.filter(account_id=ada.account_id).latest("seq").recorded_at
    (told,) = listed(api, platform_key, ada)
    assert (told["state"], told["reason"]) == ("active", None)
    assert told["running_since"] == timestamp(back_at.replace(microsecond=0))
    ledger.freeze(ada.account_id, by="staff", frozen=True)
    assert [told["reason"] for told in listed(api, platform_key, ada)] == ["frozen"]
    campaigns.pause(campaign, now=NOON)
    assert [told["reason"] for told in listed(api, platform_key, ada)] == ["owner"]


def test_the_list_has_pages(api: ApiClient, ada: User, cy: User, ada_key: str) -> None:
    made = [draft(ada, name=f"No. {number}", now=NOON).public_id for number in range(5)]
    draft(cy)
    first = api.get(f"{CAMPAIGNS}?limit=3", key=ada_key)
    assert [told["id"] for told in read(first)["campaigns"]] == sorted(made, reverse=True)[:3]
    assert f"starting_after={sorted(made)[2]}" in first["Link"]
    rest = api.get(f"{CAMPAIGNS}?limit=3&starting_after={sorted(made)[2]}", key=ada_key)
    assert [told["id"] for told in read(rest)["campaigns"]] == sorted(made, reverse=True)[3:]
    assert "Link" not in rest


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "state=active", "starting_after=camp_x", "limit=1&limit=2"]
)
def test_a_list_that_makes_no_sense_is_refused(api: ApiClient, ada_key: str, query: str) -> None:
    assert api.get(f"{CAMPAIGNS}?{query}", key=ada_key).status_code == 422


def test_it_takes_few_queries_however_many_there_are(api: ApiClient, ada: User, platform_key: str) -> None:
    for number in range(6):
        draft(ada, name=str(number), agent=f"Agent {number}")
    listed(api, platform_key, ada)
    with CaptureQueriesContext(connection) as asked:
        listed(api, platform_key, ada)
    assert len(asked) <= 6


def finish(api: ApiClient, key: str, campaign: str, **body: Any) -> Any:
    return api.post(f"{CAMPAIGNS}/{campaign}/finish", body, key=key)


def test_the_platform_finishes_one_repeatably(api: ApiClient, ada: User, platform_key: str) -> None:
    fund(ada)
    campaign, mine = draft(ada), {"account": ada.account.public_id}
    early = finish(api, platform_key, campaign.public_id, **mine)
    assert (early.status_code, read(early)["code"]) == (409, "campaign_not_launched")
    campaigns.launch(campaign, actor="ada", now=NOON)
    first = finish(api, platform_key, campaign.public_id, **mine)
    assert (first.status_code, read(first)["state"]) == (200, "finished")
    again = finish(api, platform_key, campaign.public_id, **mine)
    assert (again.status_code, again["Idempotent-Replayed"], read(again)) == (200, "true", read(first))
    assert "Idempotent-Replayed" not in first


def test_a_paused_one_can_finish(api: ApiClient, ada: User, platform_key: str) -> None:
    """Its last calls may have been on their way."""
    fund(ada)
    campaign = launched(ada)
    campaigns.pause(campaign, now=NOON)
    answer = finish(api, platform_key, campaign.public_id, account=ada.account.public_id)
    assert read(answer)["state"] == "finished"
    campaign.refresh_from_db()
    campaigns.resume(campaign, now=NOON)
    assert state(campaign) == RunState.FINISHED


def test_only_platform_keys_finish_one(api: ApiClient, ada: User, ada_key: str) -> None:
    fund(ada)
    campaign = launched(ada)
    for body in ({}, {"nonsense": 1}):
        refused = finish(api, ada_key, campaign.public_id, **body)
        assert (refused.status_code, read(refused)["required_scope"]) == (403, "platform")
    assert Campaign.objects.get().finished_at is None


def test_somebody_elses_campaign_does_not_exist(
    api: ApiClient, ada: User, cy: User, platform_key: str
) -> None:
    fund(ada)
    campaign = launched(ada).public_id
    cys = {"account": cy.account.public_id}
    for body in (cys, cys | {"nonsense": 1}):
        assert finish(api, platform_key, campaign, **body).status_code == 404
        assert finish(api, platform_key, "camp_nonsense", **body).status_code == 404
    assert finish(api, platform_key, campaign).status_code == 422, "a platform key names the account"
    assert finish(api, platform_key, campaign, account="acct_" + "0" * 26).status_code == 404
    unknown = api.get(f"{CAMPAIGNS}?account=acct_{'0' * 26}", key=platform_key)
    assert unknown.status_code == 404
    assert (
        api.get(f"{CAMPAIGNS}?account={ada.account.public_id}", key=factories.key(cy.account)).status_code
        == 404
    )
    assert Campaign.objects.get().finished_at is None


def test_a_key_needs_the_scope(api: ApiClient, ada: User) -> None:
    reader = factories.key(ada.account, scopes=["balance:read"])
    assert api.get(CAMPAIGNS, key=reader).status_code == 403
