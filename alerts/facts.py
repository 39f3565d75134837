"""What happened to an account that its members and the platform must hear of: each fact once.

An evaluation reads what is so, compares it with what was known, and tells the difference. It may be late, lost,
repeated, or run many times at once: the next one, at the latest the sweep's, finds whatever is still untold.
"""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.models import Account
from accounts.sweeps import while_there_is_time
from alerts import balance_facts, campaign_facts, due, flag_facts, number_facts, payment_facts, rules, watched
from billing.errors import NoBalance

log = logging.getLogger(__name__)


def evaluate(account_id: UUID, *, now: datetime) -> None:
    """Tell what is new about an account, its alert rules too. Any number of times at once, and late."""
    tell_facts(account_id, now=now)
    rules.evaluate_rules(account_id, now=now)


@transaction.atomic
def tell_facts(account_id: UUID, *, now: datetime) -> None:
    """What is always told. An account that is closed or not open yet has nobody to tell."""
    account = Account.objects.filter(pk=account_id, opened_at__isnull=False, closed_at=None).first()
    if account is None:
        return
    try:
        look = watched.look(account, now=now)
    except NoBalance:
        return
    payment_facts.tell_payments(look)
    balance_facts.tell_balance(look)
    number_facts.tell_numbers(look)
    campaign_facts.tell_campaigns(look)
    flag_facts.tell_flags(look)


def evaluate_due(*, now: datetime) -> None:
    """A step of the sweep: every account with something untold, the rest too when one fails."""
    for account_id in while_there_is_time(due.accounts(now=now)):
        try:
            tell_facts(account_id, now=now)
        except Exception:
            log.exception("What happened to %s could not be told", account_id)
