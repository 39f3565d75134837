"""What is personal among the rows of money: what stood on receipts, cards, and what the processor told us."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from billing.gateways import sandbox_erasure
from billing.models import AutoTopup, BillingDetails, Customer, EventReceipt, PaymentMethod, TopUp

EMPTY = "{}"


def erase(account_id: UUID, addresses: Sequence[str]) -> None:
    """Amounts, ids and the last four digits on past top-ups stay: they are the books. Repeatable."""
    BillingDetails.objects.filter(pk=account_id).delete()
    PaymentMethod.objects.filter(account_id=account_id).delete()
    AutoTopup.objects.filter(pk=account_id).update(enabled=False, card="")
    TopUp.objects.filter(account_id=account_id).update(action_url="", receipt_url="")
    known_as = Customer.objects.filter(account_id=account_id).values_list("gateway_id", flat=True)
    customers = [gateway_id for gateway_id in known_as if gateway_id]
    about = Q(pk=None)
    for text in (*customers, *addresses):
        about |= Q(body__contains=text)
    EventReceipt.objects.filter(about, next_try_at=None).update(body=EMPTY)
    sandbox_erasure.forget(customers, addresses)
