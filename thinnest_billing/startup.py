"""What web, worker and beat look at before they take any work."""

from django.core.checks import run_checks
from django.db import connections

from billing.checks import PAYMENTS


def refuse_wrong_payments() -> None:
    """Ends this process, with a sentence for each, where payments are configured in a way that cannot be meant.

    A database that does not answer is no reason: it may come, and `/readyz` tells.
    """
    try:
        found = run_checks(tags=[PAYMENTS], databases=["default"])
    finally:
        connections.close_all()  # before processes fork
    if wrong := [str(message) for message in found if message.is_serious()]:
        raise SystemExit("\n".join(["Not started:", *wrong]))
