"""Balances as they are read everywhere: overdue holds already subtracted, wherever the worker may be."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import DecimalField, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce, Now

from billing.errors import NoBalance
from billing.models import Balance, Hold
from billing.money import CENT, ZERO


@dataclass(frozen=True, slots=True)
class Funds:
    """What an account has, in dollars, at one moment."""

    granted: Decimal
    paid: Decimal
    held: Decimal
    depleted_at: datetime | None
    refused_at: datetime | None
    refused_amount: Decimal | None
    owner_froze_at: datetime | None
    staff_froze_at: datetime | None
    last_day: date | None = None  # of the newest posting; after a move westward it may lie ahead of today

    @property
    def balance(self) -> Decimal:
        return self.granted + self.paid

    @property
    def available(self) -> Decimal:
        """What may be spent now: the balance less what is held, and nothing while paid is below zero."""
        return ZERO if self.paid < 0 else max(ZERO, self.balance - self.held)

    @property
    def frozen(self) -> bool:
        return bool(self.owner_froze_at or self.staff_froze_at)

    @property
    def depleted(self) -> bool:
        return self.balance < CENT


NOTHING = Funds(ZERO, ZERO, ZERO, None, None, None, None, None)

OVERDUE = Coalesce(
    Subquery(
        Hold.objects.filter(account_id=OuterRef("account_id"), state=Hold.State.OPEN, expires_at__lte=Now())
        .order_by()
        .values("account_id")
        .annotate(total=Sum("amount"))
        .values("total")
    ),
    ZERO,
    output_field=DecimalField(max_digits=20, decimal_places=9),
)  # what `held` still counts although it has expired


def balance_of(account_id: UUID) -> Funds:
    """The account's funds now, in one query. Raises NoBalance."""
    row = Balance.objects.filter(account_id=account_id).annotate(overdue=OVERDUE).first()
    if row is None:
        raise NoBalance
    return Funds(
        granted=row.granted,
        paid=row.paid,
        held=row.held - row.overdue,
        depleted_at=row.depleted_at,
        refused_at=row.refused_at,
        refused_amount=row.refused_amount,
        owner_froze_at=row.owner_froze_at,
        staff_froze_at=row.staff_froze_at,
        last_day=row.last_day,
    )
