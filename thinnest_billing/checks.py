"""Settings that are each understood and yet cannot be meant: a sentence that names them stops the start."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.http.request import validate_host

from billing.checks import PAYMENTS

TAKEN = ("billing", "settings", "static", "sandbox", "theme", "healthz", "readyz", "metrics")
SEED_MINIMUM = 5  # dollars; promise S23
LEAST_KEPT = 7  # days


@register(Tags.security)
def addresses_agree(**_: Any) -> list[CheckMessage]:
    host = urlsplit(settings.SITE_URL).hostname or ""
    if validate_host(f"[{host}]" if ":" in host else host, settings.ALLOWED_HOSTS):
        return []
    return [
        Error(f"SITE_URL leads to {host}, which ALLOWED_HOSTS does not name.", id="thinnest_billing.E001")
    ]


@register
def topup_limits_agree(**_: Any) -> list[CheckMessage]:
    if settings.TOPUP_MIN < SEED_MINIMUM:
        return [Error(f"TOPUP_MIN must be at least {SEED_MINIMUM}.00.", id="thinnest_billing.E002")]
    if settings.TOPUP_MIN > settings.TOPUP_MAX:
        return [Error("TOPUP_MIN is more than TOPUP_MAX.", id="thinnest_billing.E003")]
    return []


@register(PAYMENTS)
def stripe_key_is_secret(**_: Any) -> list[CheckMessage]:
    """A publishable key would fail only at the first payment."""
    if not settings.STRIPE_SECRET_KEY or settings.STRIPE_SECRET_KEY.startswith(("sk_", "rk_")):
        return []
    return [Error("STRIPE_SECRET_KEY must begin with sk_ or rk_.", id="thinnest_billing.E004")]


@register
def nothing_is_forgotten_too_soon(**_: Any) -> list[CheckMessage]:
    """What is told is looked for among what was told, for three days; an outage may add to them."""
    return [
        Error(f"{name} must be at least {LEAST_KEPT}.", id="thinnest_billing.E006")
        for name in ("KEEP_MAIL_DAYS", "KEEP_DELIVERIES_DAYS")
        if getattr(settings, name) < LEAST_KEPT
    ]


@register(Tags.urls)
def admin_path_is_relative(**_: Any) -> list[CheckMessage]:
    """What lies below another page's address would be shadowed by it, or shadow it."""
    path = settings.ADMIN_PATH
    taken = path.split("/")[0] in TAKEN
    if re.fullmatch(r"([A-Za-z0-9_-]+/)+", path) and not taken:
        return []
    text = f"ADMIN_PATH is a path such as back-office-7/ that no page of customers has, and not {path!r}."
    return [Error(text, id="thinnest_billing.E005")]
