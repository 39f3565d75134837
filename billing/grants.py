"""Trial credit: once per email address, however it is spelt, for ever."""

import hashlib
from datetime import datetime
from uuid import UUID

from django.conf import settings

from accounts.addresses import normalised
from accounts.models import User
from billing import ledger
from billing.models import TrialClaim


def grant_trial(account_id: UUID, *, now: datetime) -> bool:
    """Give the trial to a new account, unless its owner's address had one before. True if this call claimed it."""
    owner = User.objects.filter(account_id=account_id, role=User.Role.OWNER).order_by("created_at").first()
    if owner is None or not settings.TRIAL_GRANT or not claim(owner.email, now):
        return False
    ledger.grant(
        account_id,
        settings.TRIAL_GRANT,
        key="trial",
        actor="system",
        reason="Trial credit for a new account",
        now=now,
    )
    return True


def claim(email: str, now: datetime) -> bool:
    address_hash = hashlib.sha256(normalised(email).encode()).digest()
    _, first = TrialClaim.objects.get_or_create(address_hash=address_hash, defaults={"claimed_at": now})
    return first
