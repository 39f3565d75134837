"""What staff may do to charges and prices: each act in the audit log, none on an account of their own."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts import ids, staff_acts
from accounts.models import User
from billing.staff import refuse_own
from usage import rate_card, reversals
from usage.models import Charge, Price
from usage.reversals import Reversal


def reverse(charge: Charge, *, staff: User, reason: str, now: datetime) -> Reversal:
    """Give a charge back, with a reason that the customer sees. Again replays. Raises NotYourOwn, ChargeNotFound."""
    refuse_own(charge.account_id, staff, "Nothing was reversed: ask a colleague.")
    with transaction.atomic():
        made = reversals.reverse(charge.account_id, charge.pk, actor=staff.public_id, reason=reason)
        if not made.replayed:
            details = {"amount": charge.cost, "reversal": ids.public("bill", made.charge_id)}
            staff_acts.record(
                staff, "reverse charge", account_id=charge.account_id, target=charge.public_id, details=details,
                reason=reason, now=now,
            )  # fmt: skip
    return made


def set_price(
    meter: str, *, rate: Decimal, effective_from: datetime, staff: User | None, reason: str, now: datetime,
    actor: str = "",
) -> Price:  # fmt: skip
    """Add a price in force from a moment on; `actor` names the command where nobody of staff acts. Raises Invalid."""
    with transaction.atomic():
        price = rate_card.set_price(
            meter, rate=rate, effective_from=effective_from, actor=staff.public_id if staff else actor, now=now,
            reason=reason,
        )  # fmt: skip
        details = {"rate": rate, "effective_from": effective_from.isoformat()}
        details |= {"command": actor} if actor else {}
        staff_acts.record(staff, "set price", target=meter, details=details, reason=reason, now=now)
    return price
