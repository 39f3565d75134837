"""Where staff find an object on the processor's own dashboard."""

from django.urls import reverse

from billing.models import Mode

STRIPE = "https://dashboard.stripe.com"
PLACES = {"pi": "payments", "cus": "customers", "evt": "events", "du": "disputes", "dp": "disputes"}


def url(mode: str, known: str) -> str:
    """The page of an id such as pi_…; empty where the processor has none. The sandbox's dashboard is our admin."""
    prefix = known.partition("_")[0]
    if mode == Mode.SANDBOX and prefix == "pi":
        return reverse("admin:billing_sandboxpayment_change", args=[known])
    if mode not in (Mode.STRIPE_LIVE, Mode.STRIPE_TEST) or prefix not in PLACES:
        return ""
    test = "/test" if mode == Mode.STRIPE_TEST else ""
    return f"{STRIPE}{test}/{PLACES[prefix]}/{known}"
