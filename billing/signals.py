"""`billing_changed`: sent after commit, whenever money moved or a hold was made, extended, captured or released.

Keyword: `account_id` (uuid). Receivers re-read what they need; a lost signal is made good by the sweep.
"""

from functools import partial
from uuid import UUID

from django.db import transaction
from django.dispatch import Signal

billing_changed = Signal()


def announce(account_id: UUID) -> None:
    """Tell everybody who watches this account, once the transaction has committed."""
    transaction.on_commit(
        partial(billing_changed.send_robust, sender=None, account_id=account_id), robust=True
    )
