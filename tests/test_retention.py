"""What is forgotten after a while, and what never is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db.models import Model
from pytest_django import Settings

from accounts import mail, retention
from accounts.models import Mail, User
from alerts import due, facts
from alerts.models import Delivery, Notification, Watched
from billing.models import LedgerEntry, Refund, TopUp
from tests.alerts.platform import endpoint
from tests.billing.paying import begin, save_card
from tests.usage.renting import rent, top_up
from thinnest_billing import checks
from thinnest_billing.models import Heartbeat
from thinnest_billing.retention import prune
from usage import campaigns, phone_numbers
from usage.campaigns import Plan
from usage.models import Charge

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 12, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def letter(user: User, *, at: datetime, **facts: Any) -> Mail:
    row = mail.send(user.email, "password_changed", {"at": at}, user=user, now=at)
    Mail.objects.filter(pk=row.pk).update(**({"next_try_at": None} | facts))
    return row


def test_it_forgets_letters_that_were_sent_and_keeps_what_matters(ada: User) -> None:
    Mail.objects.all().delete()
    old, recent = NOW - 91 * DAY, NOW - 89 * DAY
    letter(ada, at=old, sent_at=old)
    letter(ada, at=old, tries=10)  # given up
    kept = [
        letter(ada, at=recent, sent_at=recent),
        letter(ada, at=old, next_try_at=NOW),
        letter(ada, at=old, refused_at=old, tries=1),
        letter(ada, at=old, sent_at=recent),  # it took long
    ]
    assert prune(now=NOW)["mail"] == 2
    assert set(Mail.objects.all()) == set(kept)
    assert mail.refusal_of(ada) is not None, "an address that refused is still known"
    assert Heartbeat.objects.get(name="prune").beat_at == NOW


def test_it_forgets_sessions_that_have_ended(db: None) -> None:
    for key, at in (("over", NOW - DAY), ("going on", NOW + DAY)):
        Session.objects.create(session_key=key, session_data="", expire_date=at)
    assert prune(now=NOW)["sessions"] == 1
    assert Session.objects.get().session_key == "going on"


def test_it_forgets_webhooks_that_are_over(ada: User) -> None:
    target = endpoint("https://platform.example.com/")
    for number, (days, waits) in enumerate(((31, False), (31, True), (29, False))):
        Delivery.objects.create(
            endpoint=target, account=ada.account, key=f"k{number}", type="balance.low", body="{}",
            created_at=NOW - days * DAY, next_try_at=NOW if waits else None,
        )  # fmt: skip
    assert prune(now=NOW)["deliveries"] == 1
    assert set(Delivery.objects.values_list("key", flat=True)) == {"k1", "k2"}


def test_it_forgets_what_was_known_of_things_that_are_over_and_tells_nothing_twice(ada: User) -> None:
    """Told again would be a letter months late."""
    start = NOW - 60 * DAY
    top_up(ada, "100.00", at=start)
    TopUp.objects.update(created_at=start, ended_at=start)
    failed = begin(ada, card=save_card(ada), now=start)
    TopUp.objects.filter(pk=failed.pk).update(status="failed", ended_at=start, next_look_at=None)
    gone, stays = rent(ada, at=start), rent(ada, at=start)
    done = campaigns.create(ada.account_id, Plan("Done", None, 1, 60), now=start)
    runs = campaigns.create(ada.account_id, Plan("Runs", None, 1, 60), now=start)
    for campaign in (done, runs):
        campaigns.launch(campaign, actor="ada", now=start)
    campaigns.finish(done, now=start)
    facts.evaluate(ada.account_id, now=start)
    for number in (gone, stays):
        Watched.objects.create(account=ada.account, subject=str(number.pk), state="grace 0", since=start)
    phone_numbers.release(ada.account_id, gone.pk, actor="ada", now=start)
    before = set(Watched.objects.values_list("subject", flat=True))
    assert {str(row.pk) for row in (failed, done, runs, gone, stays)} <= before
    prune(now=NOW)
    left = set(Watched.objects.values_list("subject", flat=True))
    assert before - left >= {str(row.pk) for row in (failed, done, gone)}
    assert {str(runs.pk), str(stays.pk), "watch", str(ada.account_id)} & before <= left
    assert prune(now=NOW)["watched"] == 0
    facts.evaluate_due(now=NOW)
    news = Notification.objects.filter(created_at=NOW).values_list("kind", flat=True)
    assert set(news) == {"phone_number"}, "only of the number that stays, whose rent nobody asked for"
    assert ada.account_id not in due.accounts(now=NOW)


@pytest.mark.parametrize("model", [LedgerEntry, Charge, TopUp, Refund, Notification])
def test_it_never_touches_money_nor_the_inbox(ada: User, model: type[Model]) -> None:
    top_up(ada, "10.00", at=NOW)
    rent(ada, at=NOW)
    facts.evaluate(ada.account_id, now=NOW + 100 * DAY)
    before = set(model._default_manager.values_list("pk", flat=True))
    prune(now=NOW + 500 * DAY)
    assert set(model._default_manager.values_list("pk", flat=True)) == before


def test_it_deletes_in_portions(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    Mail.objects.all().delete()
    for _ in range(5):
        letter(ada, at=NOW - 100 * DAY, sent_at=NOW - 100 * DAY)
    assert prune(now=NOW)["mail"] == 5


def test_one_kind_that_fails_keeps_no_other(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(**_: Any) -> Any:
        raise RuntimeError("this kind only")

    real = retention.forget
    monkeypatch.setattr(retention, "forget", lambda rows: breaks() if rows.model is Mail else real(rows))
    Session.objects.create(session_key="over", session_data="", expire_date=NOW - DAY)
    assert prune(now=NOW).get("sessions") == 1


def test_an_operator_without_beat_calls_it_by_hand(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("prune")
    assert "mail: 0" in capsys.readouterr().out


def test_too_short_a_memory_stops_the_start(settings: Settings) -> None:
    assert checks.nothing_is_forgotten_too_soon() == []
    settings.KEEP_DELIVERIES_DAYS = 6
    (error,) = checks.nothing_is_forgotten_too_soon()
    assert "KEEP_DELIVERIES_DAYS must be at least 7." in error.msg
