"""Configuration that must not take payments: said at the start, in a sentence that names the setting.

`manage.py check` says it, and web, worker and beat do not start on it (thinnest_billing/startup.py).
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from billing import gateways, installation
from billing.models import Mode

PAYMENTS = "payments"  # the tag of these checks
STRIPES_OWN = "https://api.stripe.com"
WHERE = "Stripe's dashboard shows it beside the webhook endpoint (docs/payments.md says how to make one)."
THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


@register(PAYMENTS)
def events_can_be_verified(**_: Any) -> list[CheckMessage]:
    """Without the secret every event is refused, and a payment is noticed only when the sweep looks."""
    if gateways.is_sandbox():
        return []
    if not settings.STRIPE_WEBHOOK_SECRET:
        return [_error("E003", "STRIPE_SECRET_KEY is set, but STRIPE_WEBHOOK_SECRET is not.", hint=WHERE)]
    if all(secret.startswith("whsec_") for secret in settings.STRIPE_WEBHOOK_SECRET):
        return []
    return [_error("E007", "STRIPE_WEBHOOK_SECRET must begin with whsec_.", hint=WHERE)]


@register(PAYMENTS)
def real_money_is_not_for_debugging(**_: Any) -> list[CheckMessage]:
    if not (settings.DEBUG and gateways.mode() == Mode.STRIPE_LIVE):
        return []
    said = "DEBUG is on, but STRIPE_SECRET_KEY is a live key: real money, and pages that show our settings."
    return [_error("E004", said, hint="Set DEBUG=no, or use a test key (sk_test_…).")]


@register(PAYMENTS)
def production_takes_real_money(**_: Any) -> list[CheckMessage]:
    is_public = urlsplit(settings.SITE_URL).hostname not in THIS_MACHINE
    is_meant = settings.DEBUG or settings.SANDBOX_ALLOW_PUBLIC
    if is_meant or not is_public or not gateways.is_sandbox():
        return []
    said = (
        f"STRIPE_SECRET_KEY is not set: {settings.SITE_URL} would give credit for the sandbox's test cards."
    )
    return [_error("E005", said, hint="Set it, or SANDBOX_ALLOW_PUBLIC=yes for a public rehearsal.")]


@register(PAYMENTS)
def stripe_is_stripe(**_: Any) -> list[CheckMessage]:
    """The secret key goes wherever this leads."""
    is_rehearsal = settings.DEBUG and gateways.mode() != Mode.STRIPE_LIVE
    if is_rehearsal or settings.STRIPE_API_BASE == STRIPES_OWN:
        return []
    said = f"STRIPE_API_BASE leads to {settings.STRIPE_API_BASE} and not to Stripe."
    return [_error("E006", said, hint="Unset it. Only with DEBUG on and a test key may it lead elsewhere.")]


@register(PAYMENTS, Tags.database)
def the_mode_is_the_database_s(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Sandbox dollars must not stand beside real ones. Run by `migrate` and `check --database default`."""
    try:
        wrong = installation.mismatch() if databases else ""
    except DatabaseError:  # not migrated yet
        return []
    return [_error("E002", wrong)] if wrong else []


def _error(number: str, said: str, *, hint: str = "") -> CheckMessage:
    return Error(said, hint=hint or None, id=f"billing.{number}")
