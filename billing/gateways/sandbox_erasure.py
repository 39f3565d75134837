"""The sandbox forgets who a customer was. A real processor has its own means and duties (docs/operate.md)."""

from collections.abc import Sequence

from django.db.models import Q

from billing.models import SandboxCustomer, SandboxEvent, SandboxKey

NOBODY = "erased@removed.invalid"


def forget(customers: Sequence[str], addresses: Sequence[str]) -> None:
    """Addresses of these customers, and the addresses themselves wherever a request or an event repeats them."""
    SandboxCustomer.objects.filter(pk__in=customers).update(email=NOBODY)
    SandboxKey.objects.filter(request__email__in=list(addresses)).update(request={"email": NOBODY})
    about = Q(pk=None)
    for address in addresses:
        about |= Q(body__contains=address)
    SandboxEvent.objects.filter(about, next_try_at=None).update(body="{}")
