"""The page about setting Stripe up says what the program does."""

import re
from pathlib import Path

from django.core.checks.registry import registry

from billing.gateways.stripe_events import KINDS, PINNED

PROJECT = Path(__file__).parents[3]
PAGE = (PROJECT / "docs/payments.md").read_text()


def test_the_endpoint_is_told_of_all_that_we_read_and_of_nothing_else() -> None:
    types = re.findall(r"enabled_events\[\]=([a-z_.]+)", PAGE)
    starts = [next(start for start in KINDS if type_.startswith(start)) for type_ in types]
    assert set(starts) == set(KINDS)
    assert len(set(types)) == len(types)


def test_the_endpoint_has_the_pinned_version() -> None:
    assert f"api_version={PINNED} " in PAGE


def test_every_check_of_payments_is_on_the_page() -> None:
    modules = [check.__module__ for check in registry.get_checks() if "payments" in check.tags]
    assert set(modules) == {"billing.checks", "thinnest_billing.checks", "thinnest_billing.deploy_checks"}
    numbers = re.findall(r'_error\("(E\d+)"', (PROJECT / "billing/checks.py").read_text())
    assert len(numbers) == 6
    for number in numbers:
        assert f"`billing.{number}`" in PAGE
