"""What may be refunded: how much of a top-up, and what its owner may send back without asking anybody."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from accounts.errors import Problem
from billing import claims, gateways, selectors
from billing.models import Mode, Refund, TopUp
from billing.money import ZERO, is_whole_cents, usd, whole_cents_of
from billing.selectors import Funds

CUSTOMERS_TIME = timedelta(hours=24)
NOTHING_DONE = "Nothing was refunded."


class NotRefundable(Problem):
    """The refund asked for cannot be given. Nothing was refunded."""

    status = 409
    code = "not_refundable"
    title = "This cannot be refunded."


def refundable(topup: TopUp, funds: Funds | None = None) -> Decimal:
    """Dollars in whole cents: what nobody has taken back, as far as the paid funds reach beyond what is held."""
    funds = funds or selectors.balance_of(topup.account_id)
    free = funds.paid - max(ZERO, funds.held - funds.granted)
    return whole_cents_of(max(ZERO, min(claims.left(topup), free)))


def check(topup: TopUp, amount: Decimal, *, origin: Refund.Origin, now: datetime) -> None:
    """Raises NotRefundable with a sentence for the person who asked."""
    refusal = (
        customer_refusal(topup, amount, now=now)
        if origin == Refund.Origin.CUSTOMER
        else _mode_refusal(topup) or _amount_refusal(topup, amount)
    )
    if refusal:
        raise NotRefundable(f"{refusal} {NOTHING_DONE}")


def _mode_refusal(topup: TopUp) -> str:
    if topup.status != TopUp.Status.SUCCEEDED:
        return f"The top-up {topup.public_id} brought in nothing that could go back."
    if topup.mode in (Mode.MANUAL, gateways.mode()):
        return ""
    paid_in, running = Mode(topup.mode).label, gateways.mode().label
    return (
        f"This top-up was paid in mode {paid_in}, and this installation runs in mode {running}. "
        "Refund it at the processor, or set the configuration back first."
    )


def _amount_refusal(topup: TopUp, amount: Decimal) -> str:
    if not is_whole_cents(amount) or amount <= 0:
        return "Use dollars and whole cents above zero, such as 25.00."
    most = refundable(topup)
    if amount <= most:
        return ""
    return f"At most {usd(most)} of this top-up can be refunded now: the rest is spent, held or already returned."


# --- By the customer ------------------------------------------------------------------------------------------


def customer_may(topup: TopUp, *, now: datetime) -> bool:
    """Whether its owner may take the whole top-up back without asking anybody."""
    return not customer_refusal(topup, topup.credited, now=now)


def customer_refusal(topup: TopUp, amount: Decimal, *, now: datetime) -> str:
    """Why not, as a sentence with what to do instead; nothing if they may."""
    if topup.mode != gateways.mode() or topup.status != TopUp.Status.SUCCEEDED or topup.ended_at is None:
        return "This top-up cannot be refunded here. Please write to us."
    if now >= topup.ended_at + CUSTOMERS_TIME:
        return "A top-up can be refunded here for 24 hours after it was added. Please write to us."
    if amount != topup.credited or refundable(topup) != amount:
        return (
            f"Only a whole top-up can be refunded here, and {usd(refundable(topup))} of these "
            f"{usd(topup.credited)} can still go back: the rest is spent, held or already returned. Please write to us."
        )
    if _asked_today(topup, now=now):
        return "Only one refund a day can be asked for here. Try again tomorrow, or write to us."
    return ""


def _asked_today(topup: TopUp, *, now: datetime) -> bool:
    """By the account's own days. One that failed counts too: it has cost the processor a refund."""
    zone = ZoneInfo(topup.account.timezone)
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    own = Refund.objects.filter(account_id=topup.account_id, origin=Refund.Origin.CUSTOMER)
    return own.filter(created_at__gte=midnight).exists()
