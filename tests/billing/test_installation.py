"""Sandbox dollars never become credit beside real ones."""

from decimal import Decimal

import pytest
from django.core import checks
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from billing import installation, settling, topups
from billing.errors import PaymentsUnavailable
from billing.models import Installation, Mode
from tests.billing.paying import begin, credits, save_card

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


def test_it_checks_that_a_processor_is_there(settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_x"
    assert "billing.E001" in [error.id for error in checks.run_checks()]
