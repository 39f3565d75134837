"""What auto-topup does: its owner saves the form, a crossing is noticed, the card is charged.

Lock, decide, write the top-up's row, commit; only then is the processor asked.
"""

import logging
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.errors import Problem
from accounts.sweeps import while_there_is_time
from billing import (
    auto_due,
    auto_outcomes,
    auto_topup,
    gateways,
    installation,
    ledger,
    letters,
    settling,
    topups,
)
from billing.auto_due import Kind
from billing.auto_topup import Wish
from billing.gateways import GatewayError
from billing.models import AutoTopup, TopUp

ACTOR = "auto-topup"
BATCH = 200  # charges a pass of the sweep
LIMITS = (Kind.COUNT_LIMIT, Kind.MONTH_LIMIT)
log = logging.getLogger(__name__)


class WishRefused(Problem):
    """What is wrong with each field is in `fields`. Nothing was changed."""

    status = 422
    code = "auto_topup_refused"
    title = "Auto-topup was not changed."

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(" ".join(fields.values()))
        self.fields = fields


# --- The form -------------------------------------------------------------------------------------------------


def save(account_id: UUID, wish: Wish, *, actor: str, now: datetime) -> AutoTopup:
    """What the owner wants from now on; below the threshold the card is charged at once. Raises WishRefused.

    Whatever went wrong before is forgotten, and a payment that waits for its card holder is canceled. Turning off
    always works: numbers that are refused are left as they were.
    """
    with transaction.atomic():
        ledger.lock(account_id)
        auto = _store(account_id, wish, actor=actor, now=now)
        auto_topup.supersede(account_id, now=now)
    _go_on(auto)
    return auto


def _store(account_id: UUID, wish: Wish, *, actor: str, now: datetime) -> AutoTopup:
    before = auto_topup.of(account_id)
    refused = auto_topup.refusals(account_id, wish)
    if refused and (wish.enabled or before is None):
        raise WishRefused(refused)
    facts = auto_topup.FRESH | {"enabled": wish.enabled}
    if not refused:
        facts |= {
            "threshold": wish.threshold, "amount": wish.amount, "card": wish.card,
            "monthly_limit": wish.monthly_limit, "mode": gateways.mode(),
        }  # fmt: skip
    if wish.enabled:
        facts |= {"consented_at": now, "consented_by": actor}
    auto, _ = AutoTopup.objects.update_or_create(pk=account_id, defaults=facts)
    if wish.enabled and _terms(auto) != _terms(before):
        letters.auto_topup_on(auto, now=now)
    return auto


def _terms(auto: AutoTopup | None) -> tuple[object, ...]:
    """What its owner agrees to."""
    if auto is None or not auto.enabled:
        return ()
    return auto.threshold, auto.amount, auto.card, auto.monthly_limit


def _go_on(auto: AutoTopup) -> None:
    """Right after the form: cancel what waits, then charge. If the processor is silent, the sweep goes on."""
    waiting = auto_due.open_topup(auto)
    try:
        if waiting and waiting.failure_code == auto_topup.SUPERSEDED:
            topups.withdraw(waiting)
        attempt(auto.account_id)
    except (GatewayError, settling.NotOurs) as error:
        log.warning("Auto-topup of %s: %s", auto.account_id, error)


# --- Charging -------------------------------------------------------------------------------------------------


def attempt(account_id: UUID, *, now: datetime | None = None) -> TopUp | None:
    """Charge the card if auto-topup is due; the top-up, or null. `now` is given by tests and demo data only.

    Any number of them at the same time make one payment.
    """
    if wrong := installation.mismatch():
        log.error(wrong)
        return None
    try:
        topup = _begin(account_id, now=now or timezone.now())
    except IntegrityError as error:
        if "one_open_auto_topup" not in str(error):
            raise
        log.error("Auto-topup of %s: the lock let two through, the index did not", account_id)
        return None
    return topups.pay(topup, now=now) if topup else None


@transaction.atomic(durable=True)
def _begin(account_id: UUID, *, now: datetime) -> TopUp | None:
    """Decide under the Balance lock, by what the rows say now, and write the row of the payment."""
    ledger.lock(account_id)
    auto = auto_topup.of(account_id)
    if auto is None:
        return None
    verdict = auto_due.verdict(auto, now=now)
    card = auto_due.card_of(auto)
    if verdict.kind is Kind.DUE and card is not None:
        order = topups.Order(auto.amount, TopUp.Origin.AUTO, ACTOR, auto.card)
        return topups.insert(account_id, order, customer=card.customer, card=card, now=now)
    if verdict.kind is Kind.NO_CARD:
        auto_topup.stop(account_id, AutoTopup.Stopped.CARD_REMOVED, now=now)
    if verdict.kind in LIMITS and verdict.available < auto.threshold:
        auto_outcomes.tell_limit(auto, verdict.kind, now=now)
    return None


def attempt_due(*, now: datetime) -> None:
    """A step of the sweep: every account that may be due, the rest too when one fails."""
    charged = 0
    for account_id in while_there_is_time(auto_due.who_may_be_due(now=now)):
        try:
            charged += attempt(account_id) is not None
        except Exception:
            log.exception("Auto-topup of %s failed", account_id)
        if charged == BATCH:  # the others come with the next pass
            return
