"""What goes back to a card holder: the refunds and disputes of a top-up, and what the balance pays for each.

Together they never take more than the top-up brought in. What one finds gone, because another has it, it takes when
that other fails or is won: so the balance ends the same in whatever order they come. Every call wants the locks of
the Balance and of the top-up.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from billing import ledger
from billing.models import Dispute, LedgerEntry, Refund, TopUp
from billing.money import ZERO, to_cents

Claim = Refund | Dispute
Kind = LedgerEntry.Kind
_OWN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # a refund of ours


def left(topup: TopUp) -> Decimal:
    """What a top-up brought in and neither a refund nor a dispute has taken, in dollars."""
    return topup.credited - _taken(_refunds(topup)) - _taken(_disputes(topup))


def take(topup: TopUp) -> None:
    """Each claim that stands takes what it still lacks, as far as the top-up reaches; the oldest first."""
    standing: list[Claim] = [*_refunds(topup), *_disputes(topup)]
    for claim in sorted(standing, key=lambda claim: claim.created_at):
        more = min(claim.amount - claim.taken, left(topup))
        if more > 0:
            _take(claim, topup, more)


def give_back(claim: Claim, topup: TopUp) -> None:
    """A refund that failed, a dispute that was won: what it took returns to the balance."""
    if claim.taken:
        kind = Kind.REVERSAL if isinstance(claim, Refund) else Kind.DISPUTE_WON
        ledger.give_back(
            topup.account_id,
            kind,
            claim.taken,
            key=entry_key(claim),
            actor=_actor(claim),
            reason=_reason(claim),
        )


def entry_key(claim: Claim) -> str:
    """Of its ledger entries: our own id, or the processor's where the claim began there. Neither has a colon."""
    if isinstance(claim, Refund) and claim.origin != Refund.Origin.GATEWAY:
        return str(claim.id)
    return str(claim.gateway_id if isinstance(claim, Refund) else claim.id)


def topups_behind(account_id: UUID, keys: Iterable[str]) -> dict[str, TopUp]:
    """The top-ups that entries of refunds and disputes are about, by the entries' keys."""
    stems = {key: key.partition(":")[0] for key in keys}
    own = [UUID(stem) for stem in stems.values() if _OWN.fullmatch(stem)]
    refunds = Refund.objects.filter(Q(pk__in=own) | Q(gateway_id__in=stems.values()), account_id=account_id)
    disputes = Dispute.objects.filter(pk__in=stems.values(), topup__account_id=account_id)
    claims: list[Claim] = [*refunds.select_related("topup"), *disputes.select_related("topup")]
    found = {entry_key(claim): claim.topup for claim in claims}
    return {key: found[stem] for key, stem in stems.items() if stem in found}


def _take(claim: Claim, topup: TopUp, more: Decimal) -> None:
    """A further entry of the same claim says in its key how many cents had been taken before."""
    kind = Kind.REFUND if isinstance(claim, Refund) else Kind.DISPUTE
    key = f"{entry_key(claim)}:{to_cents(claim.taken)}" if claim.taken else entry_key(claim)
    ledger.take_back(topup.account_id, kind, more, key=key, actor=_actor(claim), reason=_reason(claim))
    claim.taken += more
    claim.save(update_fields=["taken"])


def _refunds(topup: TopUp) -> QuerySet[Refund]:
    return topup.refunds.exclude(status=Refund.Status.FAILED)


def _disputes(topup: TopUp) -> QuerySet[Dispute]:
    """Those that moved money and were not won. An inquiry moves none."""
    return topup.disputes.exclude(status=Dispute.WON).exclude(status__startswith=Dispute.INQUIRY)


def _taken(claims: QuerySet[Any]) -> Decimal:
    total: Decimal | None = claims.aggregate(total=Sum("taken"))["total"]
    return total or ZERO


def _actor(claim: Claim) -> str:
    return claim.actor if isinstance(claim, Refund) else f"gateway {claim.mode}"


def _reason(claim: Claim) -> str:
    return claim.reason if isinstance(claim, Refund) else ""
