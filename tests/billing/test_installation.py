"""Sandbox dollars never become credit beside real ones."""

import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from django.core import checks
from django.db import DatabaseError
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from billing import installation, settling, topups
from billing.checks import PAYMENTS
from billing.errors import PaymentsUnavailable
from billing.models import Installation, Mode
from tests.billing.paying import begin, credits, save_card
from thinnest_billing import startup

pytestmark = pytest.mark.django_db


def test_it_is_pinned_by_the_first_settled_payment(ada: User) -> None:
    assert installation.pinned_mode() == ""
    topups.record_manual(ada.account_id, Decimal(50), actor="staff", reason="Bank transfer")
    assert installation.pinned_mode() == ""
    topups.pay(begin(ada, card=save_card(ada)))
    assert installation.pinned_mode() == "sandbox"
    assert installation.mismatch() == ""


def test_it_refuses_another_mode(ada: User) -> None:
    installation.pin(Mode.STRIPE_LIVE)
    with pytest.raises(installation.WrongMode):
        installation.pin(Mode.SANDBOX)
    with pytest.raises(PaymentsUnavailable):
        begin(ada, card=save_card(ada))
    assert credits(ada) == []


def test_it_credits_nothing_when_the_mode_changed_meanwhile(ada: User) -> None:
    topup = begin(ada, card=save_card(ada))
    installation.pin(Mode.STRIPE_TEST)
    with pytest.raises(installation.WrongMode):
        settling.settle(topups._ask(topup))
    assert credits(ada) == []


def test_it_says_so_in_a_system_check_and_on_the_health_page(client: Client) -> None:
    Installation.objects.update(mode="stripe_live")
    found = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    assert [error.id for error in found] == ["billing.E002"]
    assert "stripe_live" in found[0].msg
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "stripe_live" in answer.json()["reason"]


LIVE = {
    "STRIPE_SECRET_KEY": "sk_live_x",
    "STRIPE_WEBHOOK_SECRET": ["whsec_x"],
    "SITE_URL": "https://billing.example.com",
}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"STRIPE_WEBHOOK_SECRET": ["whsec_old", "whsec_new"]}, []),
        ({"STRIPE_WEBHOOK_SECRET": []}, ["billing.E003 STRIPE_WEBHOOK_SECRET"]),
        ({"STRIPE_WEBHOOK_SECRET": ["sk_live_x"]}, ["billing.E007 STRIPE_WEBHOOK_SECRET"]),
        ({"DEBUG": True}, ["billing.E004 DEBUG"]),
        ({"DEBUG": True, "STRIPE_SECRET_KEY": "rk_live_x"}, ["billing.E004 DEBUG"]),
        ({"DEBUG": True, "STRIPE_SECRET_KEY": "sk_test_x"}, []),
        ({"STRIPE_SECRET_KEY": ""}, ["billing.E005 STRIPE_SECRET_KEY"]),
        ({"STRIPE_SECRET_KEY": "", "SANDBOX_ALLOW_PUBLIC": True}, []),
        ({"STRIPE_SECRET_KEY": "", "SITE_URL": "http://127.0.0.1:8000"}, []),
        ({"STRIPE_API_BASE": "https://api.stripe.com.example"}, ["billing.E006 STRIPE_API_BASE"]),
        ({"STRIPE_API_BASE": "http://api.stripe.com"}, ["billing.E006 STRIPE_API_BASE"]),
        (
            {"STRIPE_API_BASE": "http://127.0.0.1:1", "STRIPE_SECRET_KEY": "sk_test_x"},
            ["billing.E006 STRIPE_API_BASE"],
        ),
        ({"STRIPE_API_BASE": "http://127.0.0.1:1", "STRIPE_SECRET_KEY": "sk_test_x", "DEBUG": True}, []),
    ],
)
def test_it_names_the_setting_that_cannot_be_meant(
    settings: Settings, changes: dict[str, Any], found: list[str]
) -> None:
    for name, value in (LIVE | changes).items():
        setattr(settings, name, value)
    said = [f"{error.id} {error.msg}" for error in checks.run_checks(tags=[PAYMENTS])]
    assert len(said) == len(found)
    for sentence, start in zip(said, found, strict=True):
        number, name = start.split()
        assert sentence.startswith(number)
        assert name in sentence


@pytest.mark.parametrize(
    "command", [("-c", "import thinnest_billing.wsgi"), ("-m", "celery", "-A", "thinnest_billing", "worker")]
)
def test_neither_web_nor_worker_starts_on_a_wrong_setting(command: tuple[str, ...]) -> None:
    environment = {
        **os.environ, "STRIPE_SECRET_KEY": "sk_test_x", "ENV_FILE": os.devnull,
        "DATABASE_URL": "postgres://127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1",
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "STRIPE_WEBHOOK_SECRET is not" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.django_db(transaction=True)
def test_nothing_starts_on_a_database_of_another_mode() -> None:
    Installation.objects.update(mode="stripe_live")
    with pytest.raises(SystemExit, match=r"E002.*paid in mode stripe_live"):
        startup.refuse_wrong_payments()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_does_not_answer_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> str:
        raise DatabaseError

    monkeypatch.setattr(installation, "mismatch", away)
    startup.refuse_wrong_payments()
