"""Refunds: a top-up paid back, in part or whole, by staff, by its owner or at the processor's own dashboard.

Ours is a row, and its amount has left the balance, before the processor is asked; whatever it answers, tells later by
an event, or says when the sweep asks, goes through `record`. What fails returns to the balance, once.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from accounts import ids
from billing import auto_topup, claims, gateways, ledger, letters, notices, refund_rules, settling
from billing.errors import FormReused
from billing.gateways import GatewayError, Rejected
from billing.models import AutoTopup, Mode, Refund, TopUp
from billing.money import from_cents, to_cents, usd
from billing.refund_rules import customer_may, refundable

Status, Origin = Refund.Status, Refund.Origin
Also = Callable[[Refund], object]
__all__ = ["customer_may", "record", "refund", "refundable", "reject"]
log = logging.getLogger(__name__)
_STATUS = {"succeeded": Status.SUCCEEDED, "failed": Status.FAILED, "canceled": Status.FAILED}
_ORDER = (Status.CREATED, Status.PENDING, Status.SUCCEEDED, Status.FAILED)  # late news never lead back


def refund(
    topup: TopUp, amount: Decimal, *, origin: Refund.Origin, actor: str, reason: str, now: datetime,
    refund_id: UUID | None = None, also: Also | None = None,
) -> Refund:  # fmt: skip
    """Pay `amount` dollars of a top-up back. Sent twice with one `refund_id`, it is one refund.

    `also` is called with a new row in its transaction. Raises NotRefundable and FormReused; then nothing was
    refunded. An answer that is lost is left to the sweep.
    """
    row, is_new = begin(
        topup, amount, origin=origin, actor=actor, reason=reason, now=now, refund_id=refund_id, also=also
    )
    return ask(row, now=now) if is_new and row.status == Status.CREATED else row


def begin(
    topup: TopUp, amount: Decimal, *, origin: Refund.Origin, actor: str, reason: str, now: datetime,
    refund_id: UUID | None = None, also: Also | None = None,
) -> tuple[Refund, bool]:  # fmt: skip
    """The committed row, its amount taken from the balance, and whether it is new; then `ask` for it."""
    with transaction.atomic(durable=True):  # durable: the row must be there before the processor is asked
        topup = _locked(topup)
        seen = Refund.objects.filter(pk=refund_id).first() if refund_id else None
        if seen is not None:
            return _same(seen, topup, amount), False
        refund_rules.check(topup, amount, origin=origin, now=now)
        manual = topup.mode == Mode.MANUAL  # no processor knows it: staff pay it back themselves
        row = Refund.objects.create(
            id=refund_id or ids.uuid7(), account_id=topup.account_id, topup=topup, mode=topup.mode, origin=origin,
            actor=actor, reason=reason, amount=amount, taken=0, created_at=now,
            status=Status.SUCCEEDED if manual else Status.CREATED, ended_at=now if manual else None,
            next_look_at=None if manual else now + settling.FIRST_LOOK,
        )  # fmt: skip
        _post(row, topup, now=now)
        if also is not None:
            also(row)
    return row, True


def _locked(topup: TopUp) -> TopUp:
    ledger.lock(topup.account_id)
    return TopUp.objects.select_for_update(of=("self",)).select_related("account").get(pk=topup.pk)


def _same(seen: Refund, topup: TopUp, amount: Decimal) -> Refund:
    if (seen.topup_id, seen.amount) != (topup.pk, amount):
        raise FormReused("This form was sent before for another amount. Nothing more was refunded.")
    return seen


def _post(row: Refund, topup: TopUp, *, now: datetime) -> None:
    """A new refund takes its amount; auto-topup ends, else it would charge the card again at once."""
    auto_topup.stop(topup.account_id, AutoTopup.Stopped.REFUNDED, now=now, topup=topup)
    claims.take(topup)
    row.refresh_from_db()
    if row.status != Status.FAILED:
        letters.refunded(row, now=now)


# --- What the processor says ----------------------------------------------------------------------------------


def ask(row: Refund, *, now: datetime) -> Refund:
    """Ask the processor for a refund of ours. Repeatable while it remembers our key."""
    try:
        answer = gateways.gateway().refund(
            reference=row.public_id, payment_id=row.topup.payment_id or "", amount=to_cents(row.amount)
        )
    except Rejected as refusal:
        reject(row, str(refusal), now=now)
    except GatewayError as error:  # nobody knows whether it happened: the sweep goes on
        log.warning("%s: outcome unknown: %s", row.public_id, error)
    else:
        return record(answer, row.topup, now=now)
    row.refresh_from_db()
    return row


def record(answer: gateways.Refund, topup: TopUp, *, now: datetime) -> Refund:
    """Make our row say what the processor says, in any order of news, and move the money once.

    Raises settling.NotOurs for a refund that names one of ours but belongs to another top-up.
    """
    with transaction.atomic():
        topup = _locked(topup)
        row = _known(answer, topup)
        is_new = row is None
        row = row or _made_there(answer, topup, now=now)
        _follow(row, answer, topup, now=now)
        if is_new:
            _post(row, topup, now=now)
    return row


def _known(answer: gateways.Refund, topup: TopUp) -> Refund | None:
    rows = Refund.objects.select_for_update()
    row = rows.filter(gateway_id=answer.id).first()
    if row is None and (own := ids.parse("ref", answer.reference or "")):
        row = rows.filter(pk=own).first()
        if row is not None and (row.gateway_id or row.status == Status.FAILED != _status(answer)):
            row = None  # given up, and yet it happened: taken anew, as one that was made there
    if row is not None and row.topup_id != topup.pk:
        raise settling.NotOurs(f"The refund {answer.id} names {row.public_id}, which is of another top-up.")
    return row


def _made_there(answer: gateways.Refund, topup: TopUp, *, now: datetime) -> Refund:
    return Refund.objects.create(
        account_id=topup.account_id, topup=topup, mode=topup.mode, origin=Origin.GATEWAY,
        actor=f"gateway {topup.mode}", amount=from_cents(answer.amount), taken=0, gateway_id=answer.id,
        created_at=now, next_look_at=now + settling.FIRST_LOOK,
    )  # fmt: skip


def _follow(row: Refund, answer: gateways.Refund, topup: TopUp, *, now: datetime) -> None:
    row.gateway_id = answer.id
    status = _status(answer)
    if _ORDER.index(status) > _ORDER.index(Status(row.status)):
        if status == Status.FAILED:
            return _fail(row, topup, f"The processor says: {answer.status}.", now=now)
        row.status = status
    if row.status == Status.SUCCEEDED and row.ended_at is None:
        row.ended_at, row.next_look_at = now, None
    row.save()
    return None


def _status(answer: gateways.Refund) -> Refund.Status:
    return _STATUS.get(answer.status, Status.PENDING)


def reject(row: Refund, error: str, *, now: datetime) -> None:
    """The processor never made this refund of ours: its amount returns to the balance."""
    with transaction.atomic():
        topup = _locked(row.topup)
        row = Refund.objects.select_for_update().get(pk=row.pk)
        if row.status == Status.CREATED:
            _fail(row, topup, error, now=now)


def _fail(row: Refund, topup: TopUp, error: str, *, now: datetime) -> None:
    row.status, row.error = Status.FAILED, error[:400]
    row.ended_at, row.next_look_at = now, None
    row.save()
    if row.taken:
        claims.give_back(row, topup)
        claims.take(topup)  # what others could not have before
        letters.refund_failed(row, now=now)
    text = f"The refund {row.public_id} of {usd(row.amount)} on {topup.public_id} failed: {row.error}"
    notices.tell_staff(f"refund-failed:{row.pk}", text, topup=topup, now=now)
