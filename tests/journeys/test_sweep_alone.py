"""Worker and beat dead, every nudge read by nobody: `manage.py sweep` from cron alone makes everything right."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.core.management import call_command
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import Mail, User
from billing import gateways, refunds, topups, webhooks
from billing.gateways import sandbox_bank, sandbox_cards, sandbox_events, signatures
from billing.models import EventReceipt, Refund, SandboxEvent, TopUp
from billing.reconciliation import reconcile
from tests.billing.paying import LosesAnswers, begin, credits, save_card
from tests.billing.topping_up import run_low, watching
from thinnest_billing import health
from usage.verify import verify_ledger

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 5, 12, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def site(live_server: LiveServer, settings: Settings) -> None:
    """The web is up; the tests' own backend takes what is mailed."""
    settings.SITE_URL, settings.EMAIL_URL = live_server.url, "smtp://127.0.0.1:1"


def test_it_makes_everything_right_by_cron_alone(
    site: None, ada: User, cy: User, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """S45: what each dead process left behind, and then cron once a minute."""
    with time_machine.travel(NOON, tick=False) as clock:
        never_asked = begin(ada, card=save_card(ada))
        unanswered = lost(ada, monkeypatch)
        paid_page, unpaid_page = (topups.pay(begin(ada, amount=Decimal(n))) for n in (35, 40))
        sandbox_bank.pay_on_page(paid_page.page_id, sandbox_cards.typed("4242424242424242"), now=NOON)
        refund = refund_not_asked(cy)
        for minute in (*range(1, 8), 66, 67):
            if minute == 66:
                crossed(ada)
            clock.move_to(NOON + minute * MINUTE)
            call_command("sweep", "--json")
            assert json.loads(capsys.readouterr().out)["failed"] == []

        ends = [
            TopUp.objects.get(pk=row.pk).status for row in (never_asked, unanswered, paid_page, unpaid_page)
        ]
        assert ends == ["succeeded", "succeeded", "succeeded", "canceled"]
        assert sorted(credits(ada)) == [Decimal(n) for n in (20, 25, 30, 35)]  # 20 by auto-topup
        assert Refund.objects.get(pk=refund.pk).status == "succeeded"
        assert not EventReceipt.objects.exclude(state__in=("processed", "ignored")).exists()
        assert not SandboxEvent.objects.filter(delivered_at=None).exists()
        assert not Mail.objects.filter(sent_at=None).exists()
        assert health.last_sweep(now=datetime.now(UTC)) == 0
        assert reconcile(full=True, now=datetime.now(UTC)).differences == []
        assert verify_ledger(full=True, now=datetime.now(UTC)).breaches == []


def lost(user: User, monkeypatch: pytest.MonkeyPatch) -> TopUp:
    """Paid, but the answer never arrived; and its event failed half-way."""
    with monkeypatch.context() as broken:
        broken.setattr(gateways, "gateway", LosesAnswers)
        topup = topups.pay(begin(user, card=save_card(user), amount=Decimal(30)))
    body = SandboxEvent.objects.get(body__contains=topup.public_id).body.encode()
    with monkeypatch.context() as broken:
        broken.setattr(webhooks, "_act", lambda *_, **__: 1 / 0)
        signature = signatures.sign(body, sandbox_events.webhook_secret(), at=int(NOON.timestamp()))
        assert not webhooks.receive(body, signature, now=NOON)
    assert topup.status == "unknown"
    return topup


def refund_not_asked(user: User) -> Refund:
    """Its row is committed; whoever should have asked the processor died."""
    topup = topups.pay(begin(user, card=save_card(user)))
    return refunds.begin(
        topup, Decimal(10), origin=Refund.Origin.STAFF, actor="t", reason="asked for", now=NOON
    )[0]


def crossed(user: User) -> None:
    """Below the threshold, and nobody heard of it."""
    watching(user, now=datetime.now(UTC), threshold=Decimal(10), amount=Decimal(20))
    run_low(user)
