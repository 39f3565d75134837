"""The demo account of the trial: believable, adding up, and made once."""

import json
import stat
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, Sum
from pytest_django import Settings

from accounts import api_keys
from accounts.models import ApiKey, User
from alerts.models import Notification, Rule
from billing import selectors
from billing.models import AutoTopup, BillingDetails, LedgerEntry, PaymentMethod, TopUp
from tests.api_client import ApiClient, read
from thinnest_billing.demo import history, seed
from usage import campaigns, metering, phone_numbers
from usage.models import Agent, Campaign, Charge, ChargeNote, DailySpend
from usage.verify import verify_ledger

DAYS_WITH_USAGE = 58  # a slow Sunday may bring nothing


def seed_demo(file: Path) -> dict[str, Any]:
    output = StringIO()
    call_command("seed_demo", json=True, file=file, stdout=output)
    return dict(json.loads(output.getvalue()))


def rows() -> list[int]:
    return [
        model.objects.count()
        for model in (User, ApiKey, Agent, Campaign, Charge, DailySpend, LedgerEntry, TopUp, PaymentMethod)
    ]


@pytest.mark.django_db(transaction=True)
def test_it_fills_in_sixty_days_that_add_up_once(tmp_path: Path, api: ApiClient) -> None:
    made = seed_demo(tmp_path / "demo.json")
    now = datetime.now(UTC)

    owner = User.objects.get(email=made["email"])
    funds = selectors.balance_of(owner.account_id)
    assert Decimal(14) < funds.balance < Decimal(41)
    assert verify_ledger(full=True, now=now).breaches == []

    spent = Charge.objects.aggregate(total=Sum("cost"))["total"]
    added = TopUp.objects.filter(status="succeeded").aggregate(total=Sum("received"), n=Count("id"))
    assert added["n"] >= 3
    assert Decimal(1) + added["total"] - spent == funds.balance, "trial + top-ups - usage"

    assert "NO 998 877 665 MVA" in BillingDetails.objects.get(account=owner.account).tax_id
    check_it_tops_up_by_itself(owner)
    check_it_was_alerted(owner)
    check_it_is_believable(now)
    check_it_has_campaigns(owner)
    check_it_has_numbers(owner)
    check_its_keys_work(made, tmp_path / "demo.json", api)

    before = rows()
    assert seed_demo(tmp_path / "demo.json") == made
    assert rows() == before


def check_it_tops_up_by_itself(owner: User) -> None:
    """Auto-topup is on since the owner's first top-up, and was needed now and then."""
    auto = AutoTopup.objects.get(account=owner.account)
    assert (auto.enabled, auto.threshold, auto.amount) == (True, Decimal(15), Decimal(25))
    automatic = TopUp.objects.filter(origin="auto").order_by("created_at")
    assert all(topup.status == "succeeded" for topup in automatic)
    assert 2 <= len(automatic) <= 5
    assert len({topup.created_at.date() for topup in automatic}) == len(automatic)


def check_it_is_believable(now: datetime) -> None:
    charges = Charge.objects.all()
    assert 2_000 < charges.count() < 3_500
    assert charges.values("day").distinct().count() >= DAYS_WITH_USAGE
    assert not charges.filter(recorded_at__gt=now).exists()
    assert charges.filter(type="voice", answered=False, cost=0).exists()
    assert charges.filter(type="knowledge", cost=0).exists(), "a document that came twice is charged once"
    assert charges.filter(retrieval_queries__gt=0).exists()
    assert ChargeNote.objects.filter(text__startswith="Call to •••• ").exists()
    used = charges.exclude(type="number")
    assert not used.filter(api_key_id=None).exists(), "every record of usage names the platform's key"
    assert charges.exclude(model="").values("model").distinct().count() == 7
    assert Agent.objects.filter(model__gt="").count() == 4
    month = charges.filter(recorded_at__gt=now - timedelta(days=30)).aggregate(total=Sum("cost"))["total"]
    assert Decimal(35) < month < Decimal(65)
    assert weekdays_are_busier(now)


def check_it_has_campaigns(owner: User) -> None:
    """One runs, for the simulator to place its calls, and one waits to be launched."""
    funds, now = selectors.balance_of(owner.account_id), datetime.now(UTC)
    found = campaigns.of_account(owner.account_id)
    states = [campaigns.state_of(row, funds, now=now, voice_minute=Decimal("0.1")).state for row in found]
    assert sorted(states) == ["active", "draft"]
    assert {row.agent.name for row in found} == {"Sales Assistant"}


def check_it_was_alerted(owner: User) -> None:
    """Three rules beside the first one; some days were dear enough to tell of, and most were not."""
    assert sorted(Rule.objects.filter(account=owner.account_id).values_list("kind", flat=True)) == sorted(
        Rule.Kind
    )
    told = Notification.objects.filter(account=owner.account_id, kind="daily_spend")
    assert 1 <= told.count() <= 15
    assert all("your daily mean of" in one.body for one in told)


def check_it_has_numbers(owner: User) -> None:
    """Two in service, and neither is due while the sweep runs beside the seeding."""
    funds, now = selectors.balance_of(owner.account_id), datetime.now(UTC)
    found = list(phone_numbers.rented(owner.account_id))
    assert [phone_numbers.state_of(row, funds, now=now).state for row in found] == ["active", "active"]
    assert {row.agent.name for row in found} == {"Sales Assistant", "Customer Support"}
    assert all(row.rented_at < now < row.paid_until for row in found)
    assert Charge.objects.filter(type="number", cost=2).count() == 2


def weekdays_are_busier(now: datetime) -> bool:
    days = (
        Charge.objects.filter(recorded_at__gt=now - timedelta(days=42)).values("day").annotate(n=Count("id"))
    )
    weekend = [row["n"] for row in days if row["day"].weekday() >= 5]
    working = [row["n"] for row in days if row["day"].weekday() < 5]
    return sum(working) / len(working) > 1.5 * sum(weekend) / len(weekend)


def check_its_keys_work(made: dict[str, Any], file: Path, api: ApiClient) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    owner, staff = User.objects.get(email=made["email"]), User.objects.get(email=made["staff_email"])
    assert owner.check_password(made["password"])
    assert staff.check_password(made["staff_password"])
    assert staff.is_superuser
    methods = read(api.get("/billing/v3/payment-methods", key=made["api_key"]))["payment_methods"]
    assert [(card["id"], card["last4"]) for card in methods] == [(made["payment_method_id"], "4242")]
    start = f"/billing/v3/authorize?type=voice&account={made['account']}"
    assert api.get(start, key=made["platform_key"]).status_code == 204


def test_the_same_moments_make_the_same_plan(db: None) -> None:
    now = datetime(2026, 3, 18, 15, 30, tzinfo=UTC)
    days = {"since": now - timedelta(days=60), "until": now}
    first = list(history.usage(**days))
    assert first == list(history.usage(**days))
    assert [at for at, _ in first] == sorted(at for at, _ in first)


@pytest.mark.django_db(transaction=True)
def test_it_goes_on_where_it_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, calls = metering.record, []

    def dying(*args: Any, **options: Any) -> metering.Outcome:
        calls.append(args)
        if len(calls) == 300:
            raise KeyboardInterrupt
        return record(*args, **options)

    monkeypatch.setattr(metering, "record", dying)
    monkeypatch.setattr(seed, "DAYS", timedelta(days=15))
    with pytest.raises(KeyboardInterrupt):
        seed_demo(tmp_path / "demo.json")
    half = Charge.objects.count()
    assert 0 < half < 300

    seed_demo(tmp_path / "demo.json")
    assert Charge.objects.count() > 300
    assert verify_ledger(full=True, now=datetime.now(UTC)).breaches == []


def test_it_makes_new_keys_when_the_file_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    monkeypatch.setattr(seed, "DAYS", timedelta(days=1))
    first = seed_demo(tmp_path / "demo.json")
    (tmp_path / "demo.json").unlink()
    second = seed_demo(tmp_path / "demo.json")
    assert (second["account"], second["user"]) == (first["account"], first["user"])
    for name in ("api_key", "platform_key"):
        assert ApiKey.objects.get(digest=api_keys.digest(first[name])).revoked_at is not None
        assert ApiKey.objects.get(digest=api_keys.digest(second[name])).revoked_at is None


def test_it_stays_away_from_other_peoples_accounts(tmp_path: Path, ada: User) -> None:
    """DATABASE_URL may name a database that matters to somebody."""
    with pytest.raises(CommandError, match="needs an empty database"):
        seed_demo(tmp_path / "demo.json")
    assert list(User.objects.all()) == [ada]


@pytest.mark.parametrize(
    ("name", "value"), [("SITE_URL", "https://billing.example.com"), ("STRIPE_SECRET_KEY", "sk_test_1")]
)
def test_it_is_only_for_a_trial_on_this_machine(
    tmp_path: Path, settings: Settings, db: None, name: str, value: str
) -> None:
    setattr(settings, name, value)
    with pytest.raises(CommandError, match="demo account"):
        seed_demo(tmp_path / "demo.json")
    assert not User.objects.exists()
    assert not (tmp_path / "demo.json").exists()
