"""Alert rules: each kind at its boundary, once per window, whatever the day, the zone and who evaluates at once."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pytest_django import Settings

from accounts.models import Account, ApiKey, Mail, User
from alerts import rule_values, rules, subscriptions
from alerts.models import Channel, Delivery, Endpoint, Notification, Rule
from alerts.rule_wishes import RuleRefused, Wish
from billing.models import LedgerEntry
from tests import factories
from tests.accounts import mailbox
from tests.alerts.watching import Kind, agent_id, bodies, rule, spend, told
from tests.billing.paying import in_parallel
from tests.usage.spending import fund
from usage import periods
from usage.models import Agent, Charge

pytestmark = pytest.mark.django_db
D = Decimal
NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)
HOUR, DAY, TICK = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)


@pytest.fixture
def rich(ada: User) -> User:
    """Ada with $101.00 and no rule yet."""
    Rule.objects.all().delete()
    fund(ada.account_id, "100.00", at=NOON - 12 * DAY)
    return ada


def look(user: User, at: datetime) -> list[str]:
    """Evaluate, and every title told so far."""
    rules.evaluate_rules(user.account_id, now=at)
    return told(user)


# --- Each kind at its boundary ----------------------------------------------------------------------------------


def test_it_tells_when_daily_spend_exceeds_ten_dollars(rich: User) -> None:
    """S40 S41: Settings > Billing > Alerts, "alert me when daily spend exceeds $10". Ten dollars do not exceed it."""
    rule(rich, Kind.DAILY_SPEND, "10.00", now=NOON)
    spend(rich, "10.00", at=NOON)
    assert look(rich, NOON + HOUR) == []
    spend(rich, "0.0000025", at=NOON + HOUR)
    assert look(rich, NOON + 2 * HOUR) == ["Daily spend went above $10.00"]
    assert bodies(rich)[0].startswith("$10.0000025 today"), "in cents it would look like the bound"


def test_yesterday_is_not_today(rich: User) -> None:
    rule(rich, Kind.DAILY_SPEND, "10.00", now=NOON - DAY)
    spend(rich, "8.00", at=NOON - DAY)
    spend(rich, "8.00", at=NOON)
    assert look(rich, NOON + HOUR) == []


def test_it_tells_when_the_month_exceeds(rich: User) -> None:
    rule(rich, Kind.MONTHLY_SPEND, "20.00", now=NOON - 5 * DAY)
    spend(rich, "12.00", at=NOON - 5 * DAY)
    spend(rich, "8.00", at=NOON)
    assert look(rich, NOON + HOUR) == []
    spend(rich, "0.01", at=NOON + HOUR)
    assert look(rich, NOON + 2 * HOUR) == ["Monthly spend went above $20.00"]
    assert bodies(rich) == ["$20.01 in March so far; mostly usage without an agent on gpt-4o: $20.01."]


def test_last_month_is_not_this_month(rich: User) -> None:
    rule(rich, Kind.MONTHLY_SPEND, "5.00", now=NOON)
    spend(rich, "4.00", at=datetime(2026, 3, 31, 23, 59, tzinfo=UTC))
    spend(rich, "4.00", at=datetime(2026, 4, 1, tzinfo=UTC))
    assert look(rich, datetime(2026, 4, 1, 1, tzinfo=UTC)) == []


def test_it_tells_when_one_agent_exceeds_and_heeds_no_other(rich: User) -> None:
    spend(rich, "0.50", at=NOON - HOUR, agent="Sales")
    sales = agent_id(rich, "Sales")
    rule(rich, Kind.AGENT_DAILY_SPEND, "2.00", agent_id=sales, now=NOON)
    spend(rich, "40.00", at=NOON, agent="Customer Support")
    spend(rich, "1.50", at=NOON + HOUR, agent="Sales")
    assert look(rich, NOON + 2 * HOUR) == []
    spend(rich, "0.01", at=NOON + 2 * HOUR, agent="Sales", model="gpt-4o")
    assert look(rich, NOON + 3 * HOUR) == ["Daily spend of Sales went above $2.00"]


def test_it_goes_on_when_the_agent_is_gone(rich: User) -> None:
    spend(rich, "3.00", at=NOON, agent="Sales")
    one = rule(rich, Kind.AGENT_DAILY_SPEND, "5.00", agent_id=agent_id(rich, "Sales"), now=NOON)
    spend(rich, "3.00", at=NOON + HOUR, agent="Sales")
    Agent.objects.filter(pk=one.agent_id).delete()
    assert look(rich, NOON + 2 * HOUR) == ["Daily spend of an agent that is gone went above $5.00"]


def test_it_tells_when_the_balance_falls_below(rich: User) -> None:
    """The balance is granted and paid together: what is held counts as still there."""
    rule(rich, Kind.BALANCE_BELOW, "61.00", now=NOON)
    spend(rich, "40.00", at=NOON)
    assert look(rich, NOON + HOUR) == [], "at the bound is not below it"
    spend(rich, "0.0000025", at=NOON + HOUR)
    assert look(rich, NOON + 2 * HOUR) == ["Balance dropped below $61.00"]
    assert bodies(rich) == [
        "It is $60.9999975 now. Add funds, or turn on auto-topup, and nothing has to stop."
    ]


def test_it_promises_nothing_that_is_over(rich: User) -> None:
    """One charge that took all there was: agents are paused already."""
    rule(rich, Kind.BALANCE_BELOW, "61.00", now=NOON)
    spend(rich, "101.00", at=NOON)
    assert look(rich, NOON) == ["Balance dropped below $61.00"]
    assert bodies(rich) == ["It is $0.00 now. Add funds, or turn on auto-topup, and everything goes on."]


# --- Once per window --------------------------------------------------------------------------------------------


def test_it_tells_once_a_day_and_again_the_next(rich: User) -> None:
    rule(rich, Kind.DAILY_SPEND, "1.00", now=NOON)
    for hours in range(3):
        spend(rich, "2.00", at=NOON + hours * HOUR)
        assert len(look(rich, NOON + hours * HOUR)) == 1
    spend(rich, "2.00", at=NOON + DAY)
    assert len(look(rich, NOON + DAY)) == 2


def test_it_tells_once_a_month(rich: User) -> None:
    rule(rich, Kind.MONTHLY_SPEND, "1.00", now=NOON)
    for days in (0, 1, 5):
        spend(rich, "2.00", at=NOON + days * DAY)
        assert len(look(rich, NOON + days * DAY)) == 1
    spend(rich, "2.00", at=datetime(2026, 4, 2, tzinfo=UTC))
    assert len(look(rich, datetime(2026, 4, 2, tzinfo=UTC))) == 2


def test_the_balance_must_come_back_before_it_tells_again(rich: User) -> None:
    rule(rich, Kind.BALANCE_BELOW, "50.00", now=NOON)
    spend(rich, "60.00", at=NOON)
    assert len(look(rich, NOON)) == 1
    spend(rich, "1.00", at=NOON + 2 * DAY)
    assert len(look(rich, NOON + 2 * DAY)) == 1, "still below: the same crossing"


def test_exactly_the_bound_arms_it_again(rich: User) -> None:
    one = rule(rich, Kind.BALANCE_BELOW, "50.00", now=NOON)
    spend(rich, "60.00", at=NOON)
    look(rich, NOON)
    fund(rich.account_id, "8.99", at=NOON + DAY)
    look(rich, NOON + DAY)
    one.refresh_from_db()
    assert not one.is_armed
    fund(rich.account_id, "0.01", at=NOON + DAY + HOUR)
    look(rich, NOON + DAY + HOUR)
    one.refresh_from_db()
    assert one.is_armed
    spend(rich, "0.01", at=NOON + DAY + 2 * HOUR)
    assert len(look(rich, NOON + DAY + 2 * HOUR)) == 2


def test_the_balance_tells_at_most_once_a_day(rich: User) -> None:
    """Up and down all day is one message; what is still below the next morning is told then."""
    rule(rich, Kind.BALANCE_BELOW, "50.00", now=NOON)
    spend(rich, "60.00", at=NOON)
    for hours in (1, 3):
        fund(rich.account_id, "60.00", at=NOON + hours * HOUR)
        look(rich, NOON + hours * HOUR)
        spend(rich, "60.00", at=NOON + (hours + 1) * HOUR)
        assert len(look(rich, NOON + (hours + 1) * HOUR)) == 1
    assert len(look(rich, NOON + DAY)) == 2
    assert len(look(rich, NOON + 2 * DAY)) == 2


def test_it_tells_at_once_when_saved_too_late(rich: User) -> None:
    spend(rich, "3.00", at=NOON)
    rule(rich, Kind.DAILY_SPEND, "2.00", now=NOON + HOUR)
    rule(rich, Kind.BALANCE_BELOW, "99.00", now=NOON + HOUR)
    assert told(rich) == ["Daily spend went above $2.00", "Balance dropped below $99.00"]


def test_another_amount_opens_a_new_window(rich: User) -> None:
    one = rule(rich, Kind.DAILY_SPEND, "2.00", now=NOON)
    spend(rich, "3.00", at=NOON)
    look(rich, NOON)
    for amount, count in (("5.00", 1), ("2.50", 2), ("2.00", 3)):
        one.refresh_from_db()
        rules.change(one, amount=D(amount), channel=one.channel, now=NOON)
        assert len(told(rich)) == count, amount


def test_another_channel_opens_none(rich: User) -> None:
    one = rule(rich, Kind.BALANCE_BELOW, "150.00", now=NOON)
    one.refresh_from_db()
    rules.change(one, amount=D("150.00"), channel=Channel.EMAIL, now=NOON)
    assert len(look(rich, NOON)) == 1


def test_a_reversal_takes_the_day_back_below(rich: User) -> None:
    """Told stays told: the window is the day, not the crossing."""
    rule(rich, Kind.DAILY_SPEND, "2.00", now=NOON)
    spend(rich, "3.00", at=NOON)
    assert len(look(rich, NOON)) == 1
    spend(rich, "3.00", at=NOON + HOUR)
    assert len(look(rich, NOON + HOUR)) == 1


# --- Days ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Pacific/Auckland", date(2026, 9, 27), 23),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
    ],
)
def test_a_day_is_as_long_as_it_is_there(zone: str, day: date, hours: float) -> None:
    """From local midnight to local midnight, with 23 or 25 hours between."""
    user = factories.owner("zoe@example.com", timezone=zone, now=datetime(2026, 1, 5, tzinfo=UTC))
    begins = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    ends = begins + timedelta(hours=hours)
    assert ends.astimezone(ZoneInfo(zone)).date() == day + DAY, "the calendar agrees"
    fund(user.account_id, "100.00", at=begins - DAY)
    Rule.objects.all().delete()
    rule(user, Kind.DAILY_SPEND, "3.00", now=begins - HOUR)
    spend(user, "2.00", at=begins - TICK)
    spend(user, "2.00", at=begins)
    assert look(user, begins) == []
    spend(user, "1.50", at=ends - TICK)
    assert len(look(user, ends - TICK)) == 1
    spend(user, "2.50", at=ends)
    assert len(look(user, ends)) == 1


def test_a_move_westward_opens_no_second_window(rich: User) -> None:
    """The ledger's day never goes back: in Honolulu it is still the 18th, on this account the 19th."""
    Account.objects.filter(pk=rich.account_id).update(timezone="Pacific/Auckland")
    late = datetime(2026, 3, 18, 13, tzinfo=UTC)
    rule(rich, Kind.DAILY_SPEND, "2.00", now=late)
    spend(rich, "3.00", at=late)
    assert len(look(rich, late)) == 1
    assert Rule.objects.get().told_window == "2026-03-19"
    Account.objects.filter(pk=rich.account_id).update(timezone="Pacific/Honolulu")
    spend(rich, "3.00", at=late + HOUR)
    assert len(look(rich, late + HOUR)) == 1


# --- What is told -------------------------------------------------------------------------------------------------


def test_the_email_says_who_made_it_and_how_it_compares(rich: User) -> None:
    """S42: by email. Which agent and model, and the mean of the last seven complete days."""
    rule(rich, Kind.DAILY_SPEND, "10.00", now=NOON - 8 * DAY)
    for days in range(1, 8):
        spend(rich, "4.00", at=NOON - days * DAY)
    spend(rich, "9.80", at=NOON, agent="Customer Support")
    spend(rich, "2.60", at=NOON + HOUR, agent="Sales")
    look(rich, NOON + 2 * HOUR)
    assert bodies(rich) == [
        "$12.40 today, 3.1 times your daily mean of $4.00; mostly Customer Support on gpt-4o: $9.80."
    ]
    mail = Mail.objects.get(subject="Daily spend went above $10.00")
    assert mail.to == "ada@example.com"
    assert "mostly Customer Support on gpt-4o: $9.80" in mail.text
    assert mail.unsubscribe_url, "what somebody chose, somebody may end"


def test_a_young_account_compares_with_the_days_it_has(rich: User) -> None:
    Account.objects.filter(pk=rich.account_id).update(opened_at=NOON - 2 * DAY)
    rule(rich, Kind.DAILY_SPEND, "2.00", now=NOON)
    spend(rich, "1.00", at=NOON - 2 * DAY)
    spend(rich, "3.00", at=NOON)
    look(rich, NOON)
    assert "6.0 times your daily mean of $0.50" in bodies(rich)[0]


def test_it_compares_nothing_on_the_first_day_and_after_quiet_ones(rich: User) -> None:
    one = rule(rich, Kind.DAILY_SPEND, "2.00", now=NOON)
    spend(rich, "3.00", at=NOON)
    look(rich, NOON)
    assert bodies(rich)[0].startswith("$3.00 today, after none in 7 days; ")
    Account.objects.filter(pk=rich.account_id).update(opened_at=NOON)
    one.refresh_from_db()
    rules.change(one, amount=D("1.00"), channel=one.channel, now=NOON + HOUR)
    assert bodies(rich)[1] == "$3.00 today; mostly usage without an agent on gpt-4o: $3.00."


def test_it_says_mostly_of_more_than_half_alone(rich: User) -> None:
    rule(rich, Kind.DAILY_SPEND, "2.00", now=NOON - HOUR)
    for hours, agent in enumerate(("Sales", "Support", "Research")):
        spend(rich, "2.00" if agent == "Support" else "1.50", at=NOON + hours * HOUR, agent=agent)
    look(rich, NOON + 3 * HOUR)
    assert bodies(rich)[0].endswith("; the largest part by Support on gpt-4o: $2.00.")


def test_an_agents_alert_compares_the_agent(rich: User) -> None:
    spend(rich, "7.00", at=NOON - DAY, agent="Sales")
    spend(rich, "9.00", at=NOON - HOUR, agent="Support")
    rule(rich, Kind.AGENT_DAILY_SPEND, "1.00", agent_id=agent_id(rich, "Sales"), now=NOON)
    spend(rich, "5.00", at=NOON, agent="Sales")
    look(rich, NOON)
    assert bodies(rich) == ["$5.00 today, 5.0 times its daily mean of $1.00; mostly on gpt-4o: $5.00."]


@pytest.mark.parametrize(
    ("channel", "by_email", "in_dashboard"),
    [(Channel.EMAIL, 1, False), (Channel.DASHBOARD, 0, True), (Channel.BOTH, 1, True)],
)
def test_it_goes_the_way_that_was_chosen(rich: User, channel: str, by_email: int, in_dashboard: bool) -> None:
    """S42: email or dashboard notification, chosen by rule."""
    rule(rich, Kind.BALANCE_BELOW, "150.00", channel=channel, now=NOON)
    assert mailbox.subjects("ada@example.com").count("Balance dropped below $150.00") == by_email
    row = Notification.objects.get()
    assert (row.in_dashboard, row.emailed) == (in_dashboard, bool(by_email))


def test_who_unsubscribed_gets_no_email(rich: User) -> None:
    subscriptions.choose(rich, optional=False)
    rule(rich, Kind.BALANCE_BELOW, "150.00", now=NOON)
    assert "Balance dropped below $150.00" not in mailbox.subjects("ada@example.com")
    assert told(rich) == ["Balance dropped below $150.00"]


def test_the_platform_hears_of_a_low_balance(rich: User, platform_key: str) -> None:
    key = ApiKey.objects.get(account=None)
    Endpoint.objects.create(
        api_key=key, url="https://example.com/hook", secret="whsec_dGVzdA==", created_at=NOON
    )
    rule(rich, Kind.DAILY_SPEND, "1.00", now=NOON)
    spend(rich, "2.00", at=NOON)
    look(rich, NOON)
    assert not Delivery.objects.exists()
    rule(rich, Kind.BALANCE_BELOW, "99.50", now=NOON + HOUR)
    sent = Delivery.objects.get()
    assert sent.type == "balance.low"
    assert '"below":"99.50","balance":"99.000000000"' in sent.body


# --- At birth ------------------------------------------------------------------------------------------------------


def test_a_new_account_is_warned_before_its_trial_is_used_up(ada: User) -> None:
    """One rule from birth: below $0.20, by email and in the dashboard."""
    first = Rule.objects.get(account_id=ada.account_id)
    assert (first.kind, first.amount, first.channel) == (Kind.BALANCE_BELOW, D("0.20"), Channel.BOTH)
    spend(ada, "0.80", at=NOON)
    assert look(ada, NOON) == []
    spend(ada, "0.01", at=NOON + HOUR)
    assert look(ada, NOON + HOUR) == ["Balance dropped below $0.20"]


# --- What cannot be saved ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "amount",
    ["0", "-0.01", "-10", "0.001", "10.005", "1000000.01", "1e400", "NaN", "Infinity", "-Infinity", "sNaN"],
)
@pytest.mark.parametrize("kind", [Kind.DAILY_SPEND, Kind.BALANCE_BELOW])
def test_it_refuses_amounts_that_cannot_be_meant(rich: User, kind: str, amount: str) -> None:
    with pytest.raises(RuleRefused) as refusal:
        rule(rich, kind, amount, now=NOON)
    assert list(refusal.value.fields) == ["amount"]
    assert not Rule.objects.exists()


@pytest.mark.parametrize("amount", ["0.01", "1000000", "1e6", "10.50"])
def test_it_takes_amounts_at_the_bounds(rich: User, amount: str) -> None:
    assert rule(rich, Kind.MONTHLY_SPEND, amount, now=NOON).amount == D(amount)


def test_it_knows_no_agent_of_somebody_else(rich: User, cy: User) -> None:
    spend(cy, "0.10", at=NOON, agent="Secret plans")
    for wish in (agent_id(cy, "Secret plans"), UUID(int=1), None):
        with pytest.raises(RuleRefused) as refusal:
            rule(rich, Kind.AGENT_DAILY_SPEND, "1.00", agent_id=wish, now=NOON)
        assert refusal.value.fields == {"agent": "Choose one of your agents."}


def test_it_refuses_the_same_again_and_too_many(rich: User, settings: Settings) -> None:
    settings.LIMIT_RULES = 2
    rule(rich, Kind.DAILY_SPEND, "1.00", now=NOON)
    with pytest.raises(RuleRefused, match="You have this alert already"):
        rule(rich, Kind.DAILY_SPEND, "1.00", now=NOON)
    second = rule(rich, Kind.DAILY_SPEND, "2.00", now=NOON)
    with pytest.raises(RuleRefused, match="Remove one first"):
        rule(rich, Kind.DAILY_SPEND, "3.00", now=NOON)
    with pytest.raises(RuleRefused, match="You have this alert already"):
        rules.change(second, amount=D("1.00"), channel=second.channel, now=NOON)
    rules.change(second, amount=D("2.00"), channel=Channel.EMAIL, now=NOON)


def test_the_same_form_twice_adds_one(rich: User) -> None:
    one, two = (
        rules.add(rich.account_id, Wish(Kind.DAILY_SPEND, D(1)), rule_id=UUID(int=7), now=NOON)
        for _ in range(2)
    )
    assert one == two
    assert Rule.objects.count() == 1


# --- Everybody at once ---------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_many_at_once_tell_once(rich: User) -> None:
    rule(rich, Kind.DAILY_SPEND, "1.00", now=NOON)
    rule(rich, Kind.BALANCE_BELOW, "99.50", now=NOON)
    spend(rich, "2.00", at=NOON)
    counts = in_parallel(8, lambda number: evaluate(rich.account_id, number))
    assert sum(counts) == 2
    assert sorted(told(rich)) == ["Balance dropped below $99.50", "Daily spend went above $1.00"]
    assert len(mailbox.subjects("ada@example.com")) == 2


def evaluate(account_id: UUID, number: int) -> int:
    """Half of them for one account, half for all."""
    if number % 2:
        return rules.evaluate_rules(account_id, now=NOON)
    return rules.evaluate_all(now=NOON)


def test_one_that_cannot_tell_silences_no_other(rich: User, monkeypatch: pytest.MonkeyPatch) -> None:
    first = rule(rich, Kind.DAILY_SPEND, "1.00", now=NOON)
    rule(rich, Kind.DAILY_SPEND, "1.50", now=NOON)
    spend(rich, "2.00", at=NOON)
    shipped = rules.tell

    def broken(account_id: UUID, *, key: str, **said: object) -> bool:
        if key.startswith(first.public_id):
            raise RuntimeError("no")
        return shipped(account_id, key=key, **said)  # type: ignore[arg-type]

    monkeypatch.setattr(rules, "tell", broken)
    assert look(rich, NOON) == ["Daily spend went above $1.50"]
    first.refresh_from_db()
    assert first.told_window == "", "what was not told is not marked as told"
    monkeypatch.undo()
    assert len(look(rich, NOON)) == 2


def test_a_closed_account_is_told_nothing(rich: User) -> None:
    rule(rich, Kind.DAILY_SPEND, "1.00", now=NOON)
    spend(rich, "2.00", at=NOON)
    Account.objects.filter(pk=rich.account_id).update(closed_at=NOON)
    assert look(rich, NOON) == []


@pytest.mark.parametrize("seed", range(6))
def test_all_at_once_find_what_the_charges_say_one_by_one(seed: int) -> None:
    """The set-based answer over many accounts, zones and rules beside the charges, added up in Python."""
    draw, now = Random(seed), datetime(2026, 4, 1, 3, 30, tzinfo=UTC)
    zones = ("UTC", "Pacific/Auckland", "Pacific/Honolulu", "Asia/Kolkata", "America/New_York")
    people = [
        factories.owner(f"p{number}@example.com", timezone=draw.choice(zones), now=now - 9 * DAY)
        for number in range(6)
    ]
    Rule.objects.all().delete()
    for person in people:
        live(person, draw, now=now)
    expected = {one.pk for one in Rule.objects.all() if is_exceeded(one, now=now)}
    found = rule_values.exceeded_untold(None, now=now)
    assert {value.rule_id for value in found} == expected
    assert 0 < len(expected) < Rule.objects.count()
    one_by_one = [v for person in people for v in rule_values.exceeded_untold(person.account_id, now=now)]
    assert sorted(one_by_one, key=str) == sorted(found, key=str)
    assert rules.evaluate_all(now=now) == len(expected)
    assert rule_values.exceeded_untold(None, now=now) == []


def live(person: User, draw: Random, *, now: datetime) -> None:
    """Four days of charges of one cent to five dollars, and two rules of every kind, some exactly at what is there."""
    fund(person.account_id, "60.00", at=now - 8 * DAY)
    for number in range(draw.randrange(12)):
        at = now - 4 * DAY + number * timedelta(hours=8) + timedelta(seconds=draw.randrange(3600))
        if at < now:
            agent = draw.choice(("Sales", "Support", ""))
            spend(person, f"{draw.randrange(1, 500) / 100:.2f}", at=at, agent=agent)
    agents = list(Agent.objects.filter(account_id=person.account_id))
    for kind in Kind.values:
        if kind == Kind.AGENT_DAILY_SPEND and not agents:
            continue
        chosen = draw.choice(agents).pk if kind == Kind.AGENT_DAILY_SPEND else None
        for amount in (D(draw.randrange(1, 900)) / 100, None):
            one = Rule(
                account_id=person.account_id, kind=kind, amount=amount or 1, agent_id=chosen, created_at=now
            )
            there = there_is(one, now=now)
            one.amount = amount or max(there, D("0.01"))
            one.save()


def there_is(one: Rule, *, now: datetime) -> Decimal:
    """What the rule watches, from the charges and entries themselves."""
    if one.kind == Kind.BALANCE_BELOW:
        newest = LedgerEntry.objects.filter(account_id=one.account_id).latest("seq")
        return newest.granted_after + newest.paid_after
    charges = list(Charge.objects.filter(account_id=one.account_id))
    newest_day = max(entry.day for entry in LedgerEntry.objects.filter(account_id=one.account_id))
    today = periods.today(one.account.timezone, newest_day, now=now)
    if one.kind == Kind.MONTHLY_SPEND:
        mine = [
            charge for charge in charges if (charge.day.year, charge.day.month) == (today.year, today.month)
        ]
    else:
        mine = [charge for charge in charges if charge.day == today]
    if one.agent_id:
        mine = [charge for charge in mine if charge.agent_id == one.agent_id]
    return sum((charge.cost for charge in mine), D(0))


def is_exceeded(one: Rule, *, now: datetime) -> bool:
    there = there_is(one, now=now)
    return there < one.amount if one.kind == Kind.BALANCE_BELOW else there > one.amount
