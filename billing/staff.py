"""What staff may do to money: each act with its actor and reason, in the audit log, none on an account of their own.

Forms bring a key or an id drawn when they were shown: sent twice, they are one act and one row of the log.
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from accounts import ids, staff_acts
from accounts.models import User
from billing import ledger, refunds, topup_sweep, topups, webhooks
from billing.errors import FormReused
from billing.models import Balance, EventReceipt, Refund, TopUp
from billing.staff_limits import ADJUST, GRANT, NotYourOwn, OverDailyLimit, allow, moved_today, refuse_own

__all__ = ["NotYourOwn", "OverDailyLimit", "moved_today", "refuse_own"]


def grant(
    account_id: UUID, amount: Decimal, *, staff: User, reason: str, key: str, now: datetime
) -> ledger.Posting:
    """Give credit in whole cents. Raises NotYourOwn and OverDailyLimit."""
    with transaction.atomic():
        allow(account_id, amount, staff=staff, key=key, now=now)
        posting = ledger.grant(account_id, amount, key=key, actor=staff.public_id, reason=reason)
        _note(posting, GRANT, account_id, amount, key=key, staff=staff, reason=reason, now=now)
    return posting


def adjust(
    account_id: UUID, amount: Decimal, *, staff: User, reason: str, key: str, now: datetime
) -> ledger.Posting:
    """Correct a balance by whole cents, up or down. Raises NotEnough when a debit does not fit."""
    with transaction.atomic():
        allow(account_id, amount, staff=staff, key=key, now=now)
        posting = ledger.adjust(account_id, amount, key=key, actor=staff.public_id, reason=reason)
        _note(posting, ADJUST, account_id, amount, key=key, staff=staff, reason=reason, now=now)
    return posting


def receive(
    account_id: UUID, amount: Decimal, *, staff: User, reason: str, topup_id: UUID, now: datetime
) -> TopUp:
    """Enter money that came without a processor, such as a bank transfer: a top-up of the mode `manual`."""
    refuse_own(account_id, staff)
    with transaction.atomic():
        ledger.lock(account_id)
        seen = TopUp.objects.filter(pk=topup_id).first()
        if seen is not None:
            if (seen.account_id, seen.amount) != (account_id, amount):
                raise FormReused("This form was sent before with another amount. Nothing more was added.")
            return seen
        topup = topups.record_manual(
            account_id, amount, actor=staff.public_id, reason=reason, topup_id=topup_id
        )
        staff_acts.record(
            staff, "enter bank transfer", account_id=account_id, target=topup.public_id,
            details={"amount": amount}, reason=reason, now=now,
        )  # fmt: skip
    return topup


def freeze(account_id: UUID, *, staff: User, frozen: bool, reason: str, now: datetime) -> None:
    """Staff's own freeze, which only staff lifts. Again changes nothing."""
    refuse_own(account_id, staff)
    with transaction.atomic():
        ledger.lock(account_id)
        if Balance.objects.filter(pk=account_id, staff_froze_at__isnull=not frozen).exists():
            return
        ledger.freeze(account_id, by="staff", frozen=frozen)
        act = "freeze spending" if frozen else "lift freeze"
        staff_acts.record(
            staff, act, account_id=account_id, target=ids.public("acct", account_id), reason=reason, now=now
        )


def refund(
    topup: TopUp, amount: Decimal, *, staff: User, reason: str, refund_id: UUID, now: datetime
) -> Refund:
    """Pay a part or the whole of a top-up back. Raises NotYourOwn, and what refunds.refund raises."""
    refuse_own(topup.account_id, staff, "Nothing was refunded: ask a colleague.")

    def also(row: Refund) -> None:
        staff_acts.record(
            staff, "refund top-up", account_id=row.account_id, target=topup.public_id,
            details={"amount": amount, "refund": row.public_id}, reason=reason, now=now,
        )  # fmt: skip

    return refunds.refund(
        topup, amount, origin=Refund.Origin.STAFF, actor=staff.public_id, reason=reason, now=now,
        refund_id=refund_id, also=also,
    )  # fmt: skip


def pursue(topup: TopUp, *, staff: User, now: datetime) -> TopUp:
    """Ask the processor about a top-up: an open one again with its own key or by looking, one that ended by looking.

    Raises NotYourOwn, gateways.GatewayError and settling.NotOurs. The log has it before anybody is asked.
    """
    refuse_own(topup.account_id, staff)
    with transaction.atomic():
        staff_acts.record(
            staff, "pursue top-up", account_id=topup.account_id, target=topup.public_id,
            details={"status": topup.status}, now=now,
        )  # fmt: skip
    return topup_sweep.pursue(topup, now=now) if topup.is_open else topups.look(topup)


def process_again(receipt: EventReceipt, *, staff: User, now: datetime) -> EventReceipt.State:
    """Act on a stored event once more. It says what the processor said, whoever asks, so any account may be its."""
    with transaction.atomic():
        staff_acts.record(
            staff,
            "process event again",
            target=receipt.gateway_id[:80],
            details={"type": receipt.type},
            now=now,
        )
    return webhooks.process(receipt, now=now)


def _note(
    posting: ledger.Posting, act: str, account_id: UUID, amount: Decimal, *, key: str, staff: User, reason: str,
    now: datetime,
) -> None:  # fmt: skip
    if not posting.replayed:
        staff_acts.record(
            staff, act, account_id=account_id, target=ids.public("entry", posting.entry_id),
            details={"amount": amount, "key": key}, reason=reason, now=now,
        )  # fmt: skip
