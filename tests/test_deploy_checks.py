"""`check --deploy`: not a word about a production as docs/operate.md sets it up, and a sentence for each mistake."""

import os
import subprocess
import sys

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from pytest_django import Settings

from thinnest_billing import deploy_checks
from thinnest_billing.devstack.trial import PROJECT

PRODUCTION = {
    "ENV_FILE": os.devnull,
    "SECRET_KEY": "k7-Rq2vLw9_xT4mZb8NcY1sHd6PfG3uJaEo5iKtVyXgBnMQh-0123456789",
    "SECRET_KEY_FALLBACKS": "former-Rq2vLw9_xT4mZb8NcY1sHd6PfG3uJaEo5iKtVyXgBnMQh-0123456789",
    "DATABASE_URL": "postgres://billing:password@db.example.com:5432/billing",
    "REDIS_URL": "redis://redis.example.com:6379/0",
    "SITE_URL": "https://billing.example.com",
    "ALLOWED_HOSTS": "billing.example.com",
    "BEHIND_PROXY": "yes",
    "STRIPE_SECRET_KEY": "sk_live_0",
    "STRIPE_WEBHOOK_SECRET": "whsec_0",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.com:587",
    "DEFAULT_FROM_EMAIL": "Thinnest billing <billing@example.com>",
    "METRICS_TOKEN": "0123456789abcdef",
}


def check(**changes: str) -> tuple[int, str]:
    """What `manage.py check --deploy` says; warnings count as failures."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=PROJECT, env=keep | PRODUCTION | changes, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_it_has_nothing_to_say_about_a_production() -> None:
    """S49: as documented, it is clean."""
    assert check() == (0, "System check identified no issues (0 silenced).\n")


def test_it_names_what_would_hurt_all_at_once() -> None:
    code, said = check(
        DEBUG="yes", STRIPE_SECRET_KEY="sk_test_0", SECRET_KEY="secret", EMAIL_URL="", BEHIND_PROXY="no"
    )
    assert code == 1
    for number in ("security.W018", "security.W009", "thinnest_billing.W001", "thinnest_billing.W005"):
        assert number in said


AS_READ = {
    "SITE_URL": "https://billing.example.com",
    "STRIPE_SECRET_KEY": "sk_live_0",
    "STRIPE_WEBHOOK_SECRET": ["whsec_0"],
    "EMAIL_URL": "smtp://mail.example.com",
    "DEFAULT_FROM_EMAIL": "Thinnest billing <billing@example.com>",
    "METRICS_TOKEN": "0123456789abcdef",
    "SECURE_SSL_REDIRECT": True,
    "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
    "SANDBOX_ALLOW_PUBLIC": False,
}


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, ""),
        ({"SITE_URL": "http://billing.example.com"}, "E006"),
        ({"SITE_URL": "http://127.0.0.1:8000"}, ""),
        ({"SITE_URL": "http://billing.example.com", "STRIPE_SECRET_KEY": "sk_test_0"}, ""),
        ({"EMAIL_URL": ""}, "W001"),
        ({"DEFAULT_FROM_EMAIL": "thinnest billing <billing@localhost>"}, "W002"),
        ({"METRICS_TOKEN": "short"}, "W003"),
        ({"METRICS_TOKEN": ""}, ""),
        ({"STRIPE_SECRET_KEY": "", "SANDBOX_ALLOW_PUBLIC": True}, "W004"),
        ({"SECURE_PROXY_SSL_HEADER": None}, "W005"),
        ({"SECURE_PROXY_SSL_HEADER": None, "SECURE_SSL_REDIRECT": False}, ""),
    ],
)
def test_it_names_each_mistake_alone(settings: Settings, changes: dict[str, object], number: str) -> None:
    for name, value in (AS_READ | changes).items():
        setattr(settings, name, value)
    checks = [
        deploy_checks.real_money_is_encrypted, deploy_checks.letters_go_out, deploy_checks.metrics_have_a_real_token,
        deploy_checks.the_sandbox_is_not_public, deploy_checks.something_speaks_tls,
    ]  # fmt: skip
    found = [message.id for one in checks for message in one()]
    assert found == ([f"thinnest_billing.{number}"] if number else [])


@pytest.mark.django_db
def test_it_names_a_database_that_forgets() -> None:
    """The tests' own cluster is such a one."""
    found = run_checks(databases=["default"], include_deployment_checks=True)
    [said] = [message for message in found if message.id == "thinnest_billing.E007"]
    assert "fsync" in said.msg
    assert "synchronous_commit" in said.msg


def test_a_trial_is_not_bothered() -> None:
    """Plain `check`, which `make run` does, asks for no mail server and no proxy."""
    call_command("check", fail_level="WARNING", verbosity=0)
