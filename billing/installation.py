"""Which mode of payments this database belongs to: sandbox dollars never become credit beside real ones."""

from billing import gateways
from billing.models import Installation, Mode


class WrongMode(Exception):
    """This database's balances were paid in another mode. Nothing was credited."""


def installation_id() -> str:
    """Travels in our payments' metadata: events of another installation are not ours."""
    return str(Installation.objects.values_list("id", flat=True).get())


def pinned_mode() -> str:
    """The mode that the first settled payment pinned; empty before it."""
    return Installation.objects.values_list("mode", flat=True).get()


def pin(mode: Mode) -> None:
    """Called with every credit, in its transaction: the first one decides, another mode raises WrongMode."""
    pinned = pinned_mode()
    if not pinned and not Installation.objects.filter(mode="").update(mode=mode):
        pinned = pinned_mode()
    if pinned not in ("", mode):
        raise WrongMode(f"This database is pinned to {pinned}; a {mode} payment was not credited.")


def mismatch() -> str:
    """Why this configuration must not run on this database, or nothing."""
    pinned, configured = pinned_mode(), gateways.mode()
    if pinned in ("", configured):
        return ""
    return (
        f"This database's balances were paid in mode {pinned}, but the configuration says {configured}. "
        "Set STRIPE_SECRET_KEY back, or DATABASE_URL to another database."
    )
