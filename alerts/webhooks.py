"""Webhooks to the platform: a message is a row beside the fact it tells of, sent after the commit until it is taken.

An endpoint belongs to a platform key, which acts for every account: it hears of every account. A message may come
more than once (with the same `webhook-id`), and messages come in any order.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q, QuerySet

from accounts import ids
from accounts.json import dumps, timestamp
from accounts.nudges import nudge
from alerts.models import Delivery, Endpoint


class Type(models.TextChoices):
    BALANCE_LOW = "balance.low", "Balance low"
    BALANCE_DEPLETED = "balance.depleted", "Balance depleted"
    BALANCE_RESTORED = "balance.restored", "Balance restored"
    TOPUP_SUCCEEDED = "topup.succeeded", "Top-up succeeded"
    TOPUP_FAILED = "topup.failed", "Top-up failed"
    NUMBER_GRACE_STARTED = "phone_number.grace_started", "Phone number in grace"
    NUMBER_SUSPENDED = "phone_number.suspended", "Phone number suspended"
    NUMBER_RESTORED = "phone_number.restored", "Phone number restored"
    CAMPAIGN_PAUSED = "campaign.paused", "Campaign paused"
    CAMPAIGN_RESUMED = "campaign.resumed", "Campaign resumed"


def queue(account_id: UUID, *, key: str, type: str, data: Mapping[str, object], now: datetime) -> None:
    """Write the message for every endpoint that is on, in the caller's transaction: once per account and `key` (at
    most 128 characters).

    `data` is JSON as the API shows it, amounts as exact strings; the account's id is added here. `now` is when it
    happened: an endpoint made later does not hear of it.
    """
    account = ids.public("acct", account_id)
    body = compose(type, {"account": account, **data}, now=now)
    message = {"account_id": account_id, "key": f"{account}:{key}", "type": type, "body": body}
    rows = [
        Delivery(endpoint=endpoint, created_at=now, next_try_at=now, **message)
        for endpoint in listening(now=now)
    ]
    if Delivery.objects.bulk_create(rows, ignore_conflicts=True):
        hasten()


def compose(type: str, data: Mapping[str, object], *, now: datetime) -> str:
    """The text that is signed and sent, frozen when the fact happened."""
    content = {"type": type, "timestamp": timestamp(now), "data": dict(data)}
    return dumps(content).decode()


def exact(amount: Decimal) -> str:
    """Dollars as a payload has them, like `balance_exact` of the API."""
    return f"{amount:.9f}"


def hasten() -> None:
    """Ask the worker, once the transaction has committed; the sweep sends them anyway."""
    from alerts.tasks import deliver_webhooks  # the tasks import this module

    transaction.on_commit(partial(nudge, deliver_webhooks, countdown=1), robust=True)


def listening(*, now: datetime) -> QuerySet[Endpoint]:
    """Endpoints that are on and whose key is usable: who revokes a key ends its messages too."""
    unexpired = Q(api_key__expires_at=None) | Q(api_key__expires_at__gt=now)
    on = Endpoint.objects.filter(disabled_at=None, api_key__revoked_at=None, created_at__lte=now)
    return on.filter(unexpired)
