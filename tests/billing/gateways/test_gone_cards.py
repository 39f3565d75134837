"""A card that Stripe no longer charges for anybody: what it says has no code, so the gateway looks whose card it is."""

import pytest
from pytest_httpserver import HTTPServer

from billing.gateways import Rejected
from billing.gateways.stripe import StripeGateway
from billing.models import Mode

pytestmark = pytest.mark.django_db
USED_UP = "The provided PaymentMethod was detached from a Customer. It may not be used again."


def refused(server: HTTPServer, *, owner: str | None, code: str = "") -> Rejected:
    """What becomes of a charge that Stripe refuses, while the card belongs to `owner`."""
    error = {"type": "invalid_request_error", "message": USED_UP} | ({"code": code} if code else {})
    server.expect_request("/v1/payment_intents").respond_with_json({"error": error}, status=400)
    server.expect_request("/v1/payment_methods/pm_1").respond_with_json(
        {"id": "pm_1", "object": "payment_method", "customer": owner, "type": "card"}
    )
    gateway = StripeGateway(
        secret_key="sk_test_1", webhook_secrets=[], mode=Mode.STRIPE_TEST, api_base=server.url_for("")[:-1]
    )
    with pytest.raises(Rejected) as refusal:
        gateway.charge(
            reference="top_1", customer="cus_1", card="pm_1", amount=2500, currency="usd",
            description="Account credit", off_session=True, return_url="https://billing.example.com/",
        )  # fmt: skip
    return refusal.value


@pytest.mark.parametrize("owner", [None, "cus_2"])
def test_it_says_that_a_card_is_gone_where_stripe_only_refuses_it(
    httpserver: HTTPServer, owner: str | None
) -> None:
    """Else auto-topup would take the refusal for a fault of ours and try the same card for ever."""
    gone = refused(httpserver, owner=owner)
    assert (gone.code, gone.param) == ("resource_missing", "payment_method")


@pytest.mark.parametrize(("owner", "code"), [("cus_1", ""), (None, "amount_too_small")])
def test_it_blames_no_card_for_anything_else(httpserver: HTTPServer, owner: str | None, code: str) -> None:
    assert refused(httpserver, owner=owner, code=code).code == code
